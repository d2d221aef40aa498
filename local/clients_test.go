package local_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"portolan/local"
)

// rssMax is the most memory that the process may have at rest, in KiB.
const rssMax = 150 << 10

// TestClients runs what `portolan local` prints as it is printed, and then looks into it
// with clients that are not ours: the AWS CLI and boto3, where they are installed.
func TestClients(t *testing.T) {
	p := launch(t, "--speed", "300")
	printed := 0
	for line := range strings.Lines(p.greeting) {
		if command := strings.TrimSpace(line); strings.HasPrefix(command, "AWS_ACCESS_KEY_ID=") {
			printed++
			t.Log(shell(t, command))
		}
	}
	if printed != 3 {
		t.Errorf("%d commands to try are printed, and not three", printed)
	}
	t.Run("memory", func(t *testing.T) { expectMemory(t, p) })
	t.Run("aws", func(t *testing.T) {
		if _, err := exec.LookPath("aws"); err != nil {
			t.Skip("the AWS CLI is not installed")
		}
		lookWithCLI(t, p)
	})
	t.Run("boto3", func(t *testing.T) {
		if exec.Command("python3", "-c", "import boto3").Run() != nil {
			t.Skip("boto3 is not installed")
		}
		command := exec.Command("python3", "testdata/clients.py", p.aws)
		command.Env = credentials()
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("boto3: %v\n%s", err, out)
		}
	})
}

func credentials() []string {
	return append(os.Environ(), "AWS_ACCESS_KEY_ID="+local.User.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+local.User.SecretAccessKey, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_PAGER=")
}

// shell runs a line as a person would who pasted it.
func shell(t *testing.T, line string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// expectMemory reads the process's resident memory, where the system tells it.
func expectMemory(t *testing.T, p *process) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		t.Skip("this system has no /proc")
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB are resident", kib>>10)
	if kib > rssMax {
		t.Errorf("%d KiB are resident, and %d may be", kib, rssMax)
	}
}

// lookWithCLI calls what a person does who looks in, without flags but the endpoint.
func lookWithCLI(t *testing.T, p *process) {
	for _, c := range []struct{ call, want string }{
		{"stepfunctions list-executions --state-machine-arn arn:aws:states:us-east-1:000000000000:stateMachine:portolan-deploy",
			"SUCCEEDED"},
		{"ecs describe-services --cluster shop --services wildfly", "wildfly"},
		{"cloudformation describe-stacks", "CREATE_COMPLETE"},
		{"events list-rules", "ENABLED"},
		{"dynamodb describe-table --table-name portolan-Table", "ACTIVE"},
	} {
		command := exec.Command("aws", append([]string{"--endpoint-url", p.aws}, strings.Fields(c.call)...)...)
		command.Env = credentials()
		out, err := command.CombinedOutput()
		if err != nil || !json.Valid(out) || !strings.Contains(string(out), c.want) {
			t.Errorf("aws %s: %v\n%s", c.call, err, out)
		}
	}
}
