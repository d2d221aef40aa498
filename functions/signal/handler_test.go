package signal

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"portolan/shared/fault"
	"portolan/shared/signal"
)

// waits keeps tokens by thing, as the table does.
type waits map[string]string

func (w waits) Wait(_ context.Context, thing string) (string, error) {
	token, found := w[thing]
	if !found {
		return "", fault.New(fault.NotFound, "nobody waits for %s", thing)
	}
	return token, nil
}

func (w waits) ForgetWait(_ context.Context, thing, token string) error {
	if w[thing] == token {
		delete(w, thing)
	}
	return nil
}

// tasks completes each token once, and fails as told.
type tasks struct {
	outputs map[string]string
	fail    error
}

func (t *tasks) SendTaskSuccess(_ context.Context, in *sfn.SendTaskSuccessInput, _ ...func(*sfn.Options)) (*sfn.SendTaskSuccessOutput, error) {
	if t.fail != nil {
		return nil, t.fail
	}
	if _, done := t.outputs[*in.TaskToken]; done {
		return nil, &types.TaskTimedOut{}
	}
	t.outputs[*in.TaskToken] = *in.Output
	return &sfn.SendTaskSuccessOutput{}, nil
}

func document(t *testing.T, name string, changes ...string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile("../../events/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(raw), changes[i]) {
			t.Fatalf("%s has no %s", name, changes[i])
		}
	}
	return json.RawMessage(strings.NewReplacer(changes...).Replace(string(raw)))
}

func newHandler(w waits) (*Handler, *tasks) {
	done := &tasks{outputs: map[string]string{}}
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	return &Handler{Sender: &signal.Sender{Store: w, Tasks: done}, Log: log}, done
}

const stackFile = "cloudformation/stack-status-change.json"

func TestEventsWakeWhoWaits(t *testing.T) {
	ours := "/default/servicetest"
	tests := []struct {
		name, thing, want string
		raw               json.RawMessage
	}{
		{"stack", "stack/teststack", `{"event":"CloudFormation Stack Status Change","status":"CREATE_COMPLETE"}`,
			document(t, stackFile)},
		{"stack with its id", "stack/portolan-shop", `{"event":"CloudFormation Stack Status Change","status":"DELETE_FAILED"}`,
			document(t, stackFile, "stack/teststack", "stack/portolan-shop/6a7e8feb", "CREATE_COMPLETE", "DELETE_FAILED")},
		{"deployment completed", "service/shop/servicetest", `{"event":"ECS Deployment State Change","status":"SERVICE_DEPLOYMENT_COMPLETED"}`,
			document(t, "ecs/deployment.completed.json", ours, "/portolan-shop/servicetest")},
		{"deployment failed", "service/shop/servicetest", `{"event":"ECS Deployment State Change","status":"SERVICE_DEPLOYMENT_FAILED"}`,
			document(t, "ecs/deployment.failed.json", ours, "/portolan-shop/servicetest")},
		{"cluster by its own name", "service/default/servicetest", `{"event":"ECS Deployment State Change","status":"SERVICE_DEPLOYMENT_COMPLETED"}`,
			document(t, "ecs/deployment.completed.json")},
		{"steady", "service/shop/servicetest", `{"event":"ECS Service Action","status":"SERVICE_STEADY_STATE"}`,
			document(t, "ecs/service-action.steady-state.json", ours, "/portolan-shop/servicetest")},
		{"no place for a task", "service/shop/servicetest", `{"event":"ECS Service Action","status":"SERVICE_TASK_PLACEMENT_FAILURE"}`,
			document(t, "ecs/service-action.steady-state.json", ours, "/portolan-shop/servicetest",
				"INFO", "ERROR", "SERVICE_STEADY_STATE", "SERVICE_TASK_PLACEMENT_FAILURE")},
		{"task crashed", "service/shop/web", `{"event":"ECS Task State Change","status":"STOPPED"}`,
			document(t, "ecs/task-state-change.json", "FargateCluster", "portolan-shop", "family:sample-fargate", "service:web",
				`"lastStatus": "RUNNING",
    "overrides"`, `"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
    "overrides"`)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := waits{test.thing: "token"}
			h, done := newHandler(w)
			out, err := h.Handle(t.Context(), test.raw)
			if err != nil || !out.Woken || out.Thing != test.thing {
				t.Fatalf("got %+v, %v", out, err)
			}
			if done.outputs["token"] != test.want || len(w) != 0 {
				t.Errorf("got output %s, still waiting: %v", done.outputs["token"], w)
			}
			if out, err := h.Handle(t.Context(), test.raw); err != nil || out.Woken {
				t.Errorf("the second time: %+v, %v", out, err)
			}
		})
	}
}

func TestEventsThatWakeNobody(t *testing.T) {
	ours := []string{"/default/servicetest", "/portolan-shop/servicetest"}
	tests := map[string]json.RawMessage{
		"stack under way":            document(t, stackFile, "CREATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
		"another stack":              document(t, stackFile, "stack/teststack", "stack/another"),
		"deployment under way":       document(t, "ecs/deployment.in-progress.json", ours...),
		"cluster of somebody":        document(t, "ecs/deployment.completed.json"),
		"task runs":                  document(t, "ecs/task-state-change.json", "FargateCluster", "portolan-shop"),
		"event of another door":      document(t, "ecr/image-action.push.json"),
		"event that nobody knows":    document(t, "ec2/spot-interruption-warning.json"),
		"notice that is informative": document(t, "ecs/service-action.steady-state.json", append(ours, "SERVICE_STEADY_STATE", "CAPACITY_PROVIDER_STEADY_STATE")...),
	}
	for name, raw := range tests {
		w := waits{"stack/teststack": "a", "service/shop/servicetest": "b"}
		h, done := newHandler(w)
		out, err := h.Handle(t.Context(), raw)
		if err != nil || out.Woken || len(done.outputs) != 0 || len(w) != 2 {
			t.Errorf("%s: got %+v, %v, sent %v", name, out, err, done.outputs)
		}
	}
}

func TestTokensThatAreNoLongerGood(t *testing.T) {
	for _, err := range []error{&types.TaskTimedOut{}, &types.InvalidToken{}, &types.TaskDoesNotExist{}} {
		w := waits{"stack/teststack": "token"}
		h, done := newHandler(w)
		done.fail = err
		if out, err := h.Handle(t.Context(), document(t, stackFile)); err != nil || out.Woken || len(w) != 0 {
			t.Errorf("got %+v, %v, still waiting: %v", out, err, w)
		}
	}
}

func TestTroubleIsTriedAgain(t *testing.T) {
	w := waits{"stack/teststack": "token"}
	h, done := newHandler(w)
	done.fail = errors.New("connection reset")
	if _, err := h.Handle(t.Context(), document(t, stackFile)); err == nil || len(w) != 1 {
		t.Errorf("got %v, still waiting: %v", err, w)
	}
	done.fail = nil
	if out, err := h.Handle(t.Context(), document(t, stackFile)); err != nil || !out.Woken {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestMalformedEventsAreInvalid(t *testing.T) {
	h, _ := newHandler(waits{})
	for _, raw := range []string{``, `[]`, `{"detail-type": 5}`} {
		if _, err := h.Handle(t.Context(), json.RawMessage(raw)); !fault.IsInvalid(err) {
			t.Errorf("%q: got %v", raw, err)
		}
	}
}
