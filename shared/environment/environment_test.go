package environment_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"portolan/shared/environment"
)

func TestGet(t *testing.T) {
	env := &environment.Environment{Variables: func(name string) string { return map[string]string{"A": "1"}[name] }}
	if got := env.Get("A"); got != "1" {
		t.Errorf("got %q", got)
	}
}

// A function that lacks a variable ends, and says which one. The test runs itself
// to see that.
func TestMissingVariableEndsTheProcess(t *testing.T) {
	if os.Getenv("GET_WITHOUT") != "" {
		(&environment.Environment{Variables: func(string) string { return "" }}).Get("TABLE_NAME")
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^TestMissingVariableEndsTheProcess$")
	command.Env = append(os.Environ(), "GET_WITHOUT=1")
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "the environment variable TABLE_NAME is not set") {
		t.Errorf("got %v: %s", err, out)
	}
}

func TestLambda(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
	t.Setenv("TABLE_NAME", "table")
	env := environment.Lambda()
	if env.AWS.Region != "eu-central-1" || env.Get("TABLE_NAME") != "table" || env.Log == nil || env.Now().IsZero() {
		t.Errorf("got %+v", env)
	}
	if endpoint := env.AWS.BaseEndpoint; endpoint == nil || *endpoint != "http://127.0.0.1:4566" {
		t.Errorf("the endpoint is %v", endpoint)
	}
	first, second := env.NewID(), env.NewID()
	if len(first) != 26 || first >= second && first[:10] != second[:10] {
		t.Errorf("the ids are %s and %s", first, second)
	}
}
