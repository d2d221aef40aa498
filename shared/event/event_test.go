package event

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"portolan/shared/fault"
)

// document reads a real event of the events folder.
func document(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../events", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decoded[T any](t *testing.T, raw []byte) T {
	t.Helper()
	got, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, ok := got.(T)
	if !ok {
		t.Fatalf("decoded %T, want %T", got, out)
	}
	return out
}

func at(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestEveryRealEventIsKnownOrUnknown(t *testing.T) {
	want := map[string]any{
		"cloudwatch/alarm-state-change.metric.json":      Alarms{},
		"cloudwatch/alarm-state-change.metric-math.json": Alarms{},
		"cloudwatch/alarm-action.lambda.json":            Alarms{},
		"cloudwatch/alarm-action.sns.json":               Alarms{},
		"codepipeline/pipeline-execution.started.json":   PipelineExecution{},
		"codepipeline/pipeline-execution.succeeded.json": PipelineExecution{},
		"codepipeline/action-execution.failed.json":      PipelineAction{},
		"codepipeline/action-execution.succeeded.json":   PipelineAction{},
		"ecr/image-action.push.json":                     ImageAction{},
		"cloudtrail/set-desired-capacity.failed.json":    Call{},
		"cloudtrail/assume-role.ecs-tasks.json":          Call{},
		"cloudformation/stack-status-change.json":        StackStatus{},
		"cloudformation/resource-status-change.json":     Unknown{},
		"ecs/task-state-change.json":                     TaskState{},
		"ecs/deployment.completed.json":                  Deployment{},
		"ecs/deployment.in-progress.json":                Deployment{},
		"ecs/deployment.failed.json":                     Deployment{},
		"ecs/service-action.steady-state.json":           ServiceAction{},
		"ec2/spot-interruption-warning.json":             Interruption{},
		"ec2/rebalance-recommendation.json":              Unknown{},
		"autoscaling/launch-successful.json":             Launch{},
		"autoscaling/launch-lifecycle-action.json":       Unknown{},
		"autoscaling/terminate-lifecycle-action.json":    Unknown{},
		"apigateway/http-api-v2-iam.json":                nil,
	}
	files, err := filepath.Glob("../../events/*/*.json")
	if err != nil || len(files) < len(want) {
		t.Fatalf("found %d events: %v", len(files), err)
	}
	for _, file := range files {
		name, _ := filepath.Rel("../../events", file)
		kind, listed := want[name]
		if !listed {
			t.Errorf("%s is not in this test", name)
			continue
		}
		got, err := Decode(document(t, name))
		if kind == nil {
			if !fault.IsInvalid(err) {
				t.Errorf("%s: got %T, %v, want Invalid", name, got, err)
			}
			continue
		}
		if err != nil || reflect.TypeOf(got) != reflect.TypeOf(kind) {
			t.Errorf("%s: got %T, %v, want %T", name, got, err, kind)
		}
	}
}

func TestWhatCannotBeReadIsInvalid(t *testing.T) {
	change := func(name, old, new string) string {
		text := string(document(t, name))
		if !strings.Contains(text, old) {
			t.Fatalf("%s has no %s", name, old)
		}
		return strings.Replace(text, old, new, 1)
	}
	alarm := "cloudwatch/alarm-state-change.metric.json"
	tests := map[string]string{
		"nothing":                "",
		"no JSON":                "alarm!",
		"cut off":                `{"source": "aws.ecs"`,
		"an array":               `[]`,
		"null":                   `null`,
		"no source":              `{"detail-type": "ECR Image Action"}`,
		"too large":              `{"source": "` + strings.Repeat("x", SizeMax) + `"}`,
		"no detail":              `{"source": "aws.ecr", "detail-type": "ECR Image Action", "time": "2019-11-16T01:54:34Z"}`,
		"detail of another kind": `{"source": "aws.ecr", "detail-type": "ECR Image Action", "time": "2019-11-16T01:54:34Z", "detail": 1}`,
		"no id":                  change("ecr/image-action.push.json", `"id"`, `"identity"`),
		"no time":                change("ecr/image-action.push.json", `"time": "2019-11-16T01:54:34Z",`, ""),
		"no digest":              change("ecr/image-action.push.json", "sha256:7f", "sha256:x7f"),
		"no repository":          change("ecr/image-action.push.json", "repository-name", "repository"),
		"alarm without ARN":      change(alarm, "arn:aws:cloudwatch:us-east-1:123456789012:alarm:ServerCpuTooHigh", "ServerCpuTooHigh"),
		"alarm without name":     change(alarm, ":alarm:ServerCpuTooHigh", ":alarm:"),
		"alarm without time":     change(alarm, "2019-10-02T17:04:40.989+0000", "yesterday"),
		"alarm in no state":      change(alarm, `"value": "ALARM"`, `"value": "WARM"`),
		"alarm with odd state":   change(alarm, `"state": {`, `"state": [`) + "]",
		"no records":             `{"Records": []}`,
		"records of no list":     `{"Records": {}}`,
		"SNS without time":       change("cloudwatch/alarm-action.sns.json", "StateChangeTime", "Changed"),
		"action without time":    change("cloudwatch/alarm-action.lambda.json", `"timestamp": "2023-08-04T12: 36: 15.490+0000"`, `"timestamp": 5`),
		"pipeline without id":    change("codepipeline/pipeline-execution.succeeded.json", "execution-id", "execution"),
		"pipeline version":       change("codepipeline/pipeline-execution.succeeded.json", `"version": 3`, `"version": [3]`),
		"action without name":    change("codepipeline/action-execution.succeeded.json", `"action"`, `"act"`),
		"call without id":        change("cloudtrail/assume-role.ecs-tasks.json", `"eventID"`, `"event"`),
		"call without time":      change("cloudtrail/assume-role.ecs-tasks.json", `"eventTime": "2018-11-28T22:31:59Z"`, `"eventTime": ""`),
		"call without source":    change("cloudtrail/assume-role.ecs-tasks.json", `sts.amazonaws.com`, `sts`),
		"stack without id":       change("cloudformation/stack-status-change.json", `"stack-id": "arn:aws:cloudformation:us-west-1:111122223333:stack/teststack"`, `"stack-id": "teststack"`),
		"task without version":   change("ecs/task-state-change.json", `"version": 4`, `"version": null`),
		"task without cluster":   change("ecs/task-state-change.json", `"clusterArn"`, `"cluster"`),
		"task below zero":        change("ecs/task-state-change.json", `"version": 4`, `"version": -4`),
		"service without name":   change("ecs/deployment.completed.json", "service/default/servicetest", "service"),
		"service without event":  change("ecs/service-action.steady-state.json", `"eventName"`, `"event"`),
	}
	for name, text := range tests {
		if got, err := Decode([]byte(text)); !fault.IsInvalid(err) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestUnknownEvents(t *testing.T) {
	tests := map[string]Unknown{
		`{"source": "aws.s3", "detail-type": "Object Created"}`: {"aws.s3", "Object Created"},
		`{"source": "com.shop", "detail-type": "ECR Image Action", "detail": {}}`: {
			"com.shop", "ECR Image Action"},
		`{"Records": [{"EventSource": "aws:s3"}]}`:                                            {"aws:s3", "Records"},
		`{"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "hello"}}]}`:              {"aws:sns", "Notification"},
		`{"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{\"event\": \"x\"}"}}]}`: {"aws:sns", "Notification"},
	}
	for text, want := range tests {
		if got := decoded[Unknown](t, []byte(text)); got != want {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

func TestTimesInEverySpelling(t *testing.T) {
	want := at("2023-08-04T12:36:15.49Z")
	for _, text := range []string{
		"2023-08-04T12:36:15.490Z", "2023-08-04T12:36:15.490+0000", "2023-08-04T12: 36: 15.490+0000",
		"2023-08-04T14:36:15.490+02:00", "2023-08-04T14:36:15.490+0200",
	} {
		if got, err := parseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1691152575", "2023-08-04", "yyyy-mm-ddThh:mm:ssZ"} {
		if got, err := parseTime(text); !fault.IsInvalid(err) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func TestClipKeepsCharactersWhole(t *testing.T) {
	for text, want := range map[string]string{"": "", "abc": "abc", "abcde": "abcd", "abcé": "abc", "a\xff": "a\uFFFD"} {
		if got := clip(text, 4); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

// FuzzDecode holds Decode to its word: a type of this package or Invalid, and the
// same for the same document.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("../../events/*/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no events: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := Decode(raw)
		if err != nil {
			if !fault.IsInvalid(err) {
				t.Fatalf("got %v", err)
			}
			return
		}
		switch e := got.(type) {
		case Alarms:
			if len(e) == 0 || e[0].ARN == "" || e[0].At.IsZero() && e[0].At.Year() != 1 {
				t.Fatalf("got %+v", e)
			}
		case PipelineExecution, PipelineAction, ImageAction, Call, StackStatus, TaskState, Deployment,
			ServiceAction, Launch, Interruption, Unknown:
		default:
			t.Fatalf("got a %T", got)
		}
		if again, err := Decode(raw); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("got %+v, then %+v, %v", got, again, err)
		}
	})
}
