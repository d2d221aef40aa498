package main

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"portolan"
	"portolan/local"
)

const deadLetterQueue = "portolan-DeadLetterQueue"

// letters opens a control plane whose dead-letter queue holds one letter of each
// kind, and returns their ids.
func letters(t *testing.T) (m *machine, ids map[string]string) {
	l, err := local.Start(local.Config{Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Seed: 1, Speed: 10,
		Log: slog.New(slog.NewJSONHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(l.AWS)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", local.User.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", local.User.SecretAccessKey)
	t.Setenv("AWS_REGION", "us-east-1")
	envelope := `{"version":"0","id":"1","account":"000000000000","region":"us-east-1","time":"2026-11-23T07:00:00Z","resources":[],`
	ids = map[string]string{}
	for name, sent := range map[string]struct {
		body       string
		attributes map[string]string
	}{
		"pipeline": {envelope + `"source":"aws.codepipeline","detail-type":"CodePipeline Pipeline Execution State Change",` +
			`"detail":{"pipeline":"web","execution-id":"e1","state":"SUCCEEDED","version":1}}`,
			map[string]string{"ErrorMessage": "throttled", "RequestID": "r1"}},
		"alarm": {envelope + `"source":"aws.cloudwatch","detail-type":"CloudWatch Alarm State Change","detail":7}`, nil},
		"stream": {`{"version":"1.0","requestContext":{"functionArn":"arn:aws:lambda:us-east-1:000000000000:function:portolan-DispatchFunction"},` +
			`"DDBStreamBatchInfo":{"startSequenceNumber":"1"}}`, nil},
		"rule": {envelope + `"source":"aws.ecs","detail-type":"ECS Service Action","detail":{}}`,
			map[string]string{"TARGET_ARN": "arn:aws:lambda:us-east-1:000000000000:function:portolan-Missing", "ERROR_MESSAGE": "no such function"}},
		"unknown": {`no JSON at all`, nil},
	} {
		if ids[name], err = l.SQS.Send(deadLetterQueue, sent.body, sent.attributes); err != nil {
			t.Fatal(err)
		}
	}
	return &machine{t: t}, ids
}

func TestDeadLettersAreListedAndShown(t *testing.T) {
	m, ids := letters(t)
	for range 2 { // listing takes nothing away
		out, stderr, code := m.run("dead-letters", "list")
		if code != 0 || strings.Count(out, "\n") != len(ids)+1 {
			t.Fatalf("list: %d %s\n%s", code, stderr, out)
		}
		for _, want := range []string{"throttled", "records of the table's stream", "no such function", "unknown"} {
			if !strings.Contains(out, want) {
				t.Errorf("the list does not show %q:\n%s", want, out)
			}
		}
	}
	out, _, code := m.run("dead-letters", "show", ids["pipeline"])
	var shown letter
	if err := json.Unmarshal([]byte(out), &shown); err != nil || code != 0 {
		t.Fatalf("show: %d %v\n%s", code, err, out)
	}
	if shown.Attributes["RequestID"] != "r1" || !strings.Contains(string(shown.Body), "execution-id") {
		t.Errorf("show: %s", out)
	}
	if _, stderr, code := m.run("dead-letters", "show", "nothing"); code == 0 || !strings.Contains(stderr, "no letter nothing") {
		t.Errorf("what is not there: %d %s", code, stderr)
	}
}

func TestDeadLettersAreRedriven(t *testing.T) {
	m, ids := letters(t)
	out, stderr, code := m.run("dead-letters", "redrive", ids["pipeline"])
	if code != 0 || !strings.Contains(out, "PipelineFunction") {
		t.Errorf("redrive: %d %s\n%s", code, stderr, out)
	}
	out, stderr, code = m.run("dead-letters", "redrive", "--all")
	if code == 0 || !strings.Contains(out, ids["stream"]+" was handled by portolan-SweeperFunction") {
		t.Errorf("redrive --all: %d\n%s", code, out)
	}
	for name, want := range map[string]string{"alarm": "failed again: Invalid", "rule": "Function not found", "unknown": "--function"} {
		if !strings.Contains(stderr, ids[name]+" stays") || !strings.Contains(stderr, want) {
			t.Errorf("%s: %s", name, stderr)
		}
	}
	if out, _, _ := m.run("dead-letters", "list"); strings.Count(out, "\n") != 4 {
		t.Errorf("left are:\n%s", out)
	}
	if _, _, code := m.run("dead-letters", "redrive", ids["rule"], "--function", "portolan-SignalFunction"); code == 0 {
		t.Error("the function was invoked with what it refuses, and the letter is gone")
	}
	if _, _, code := m.run("dead-letters", "redrive"); code == 0 {
		t.Error("without a word, all are redriven")
	}
}
