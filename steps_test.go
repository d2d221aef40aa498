package portolan_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"portolan/functions/autoscale"
	"portolan/functions/node"
	"portolan/functions/operation"
	"portolan/functions/service"
	"portolan/functions/stack"
	"portolan/functions/survey"
	"portolan/functions/swarm"
	"portolan/functions/sweep"
	"portolan/functions/upgrade"
)

// handlers hand a document to the functions that machines call. They are not
// wired: a step that exists is refused for lack of an operation, before it does
// anything.
var handlers = map[string]func(payload []byte) error{
	"AutoscaleFunctionArn": to(new(autoscale.Handler).Handle),
	"NodeFunctionArn":      to(new(node.Handler).Handle),
	"OperationFunctionArn": to(new(operation.Handler).Handle),
	"ServiceFunctionArn":   to(new(service.Handler).Handle),
	"StackFunctionArn":     to(new(stack.Handler).Handle),
	"SurveyFunctionArn":    to(new(survey.Handler).Handle),
	"SwarmFunctionArn":     to(new(swarm.Handler).Handle),
	"SweepFunctionArn":     to(new(sweep.Handler).Handle),
	"UpgradeFunctionArn":   to(new(upgrade.Handler).Handle),
}

func to[In, Out any](handle func(context.Context, In) (Out, error)) func([]byte) error {
	return func(payload []byte) error {
		var in In
		if err := json.Unmarshal(payload, &in); err != nil {
			return err
		}
		_, err := handle(context.Background(), in)
		return err
	}
}

// steps asks a function for the steps that it has.
func steps(t *testing.T, function string) []string {
	t.Helper()
	err := handlers[function]([]byte(`{"step":"?"}`))
	if err == nil {
		t.Fatalf("%s has the step ?", function)
	}
	_, list, ok := strings.Cut(err.Error(), "; it has ")
	if !ok {
		t.Fatalf("%s does not say which steps it has: %v", function, err)
	}
	return strings.Split(list, ", ")
}

// Each step that a machine asks for exists, and each that exists is asked for.
func TestMachinesAskForTheStepsThatThereAre(t *testing.T) {
	asked := map[string]map[string]bool{}
	for function := range handlers {
		asked[function] = map[string]bool{}
	}
	for _, m := range machines(t) {
		m.each(func(name string, s state, _ bool) {
			payload := s.payload()
			if payload == nil {
				return
			}
			function, _ := s.Parameters["FunctionName"].(string)
			function = strings.Trim(function, "${}")
			step, _ := payload["step"].(string)
			if asked[function] == nil {
				t.Errorf("%s calls %s, which has no steps", name, function)
				return
			}
			asked[function][step] = true
			for _, needed := range []string{"operation.$", "token.$", "target.$"} {
				if payload[needed] == nil {
					t.Errorf("%s does not pass %s on, and so is no step behind the fence", name, needed)
				}
			}
		})
	}
	for function, names := range asked {
		if has := steps(t, function); !slices.Equal(slices.Sorted(maps.Keys(names)), has) {
			t.Errorf("%s has the steps %q; the machines ask for %q", function, has, slices.Sorted(maps.Keys(names)))
		}
	}
}

// The documents that the machines send have members that the functions know.
func TestMachinesSendWhatFunctionsRead(t *testing.T) {
	known := map[string]any{
		"AutoscaleFunctionArn": autoscale.In{}, "NodeFunctionArn": node.In{}, "OperationFunctionArn": operation.In{},
		"ServiceFunctionArn": service.In{}, "StackFunctionArn": stack.In{}, "SurveyFunctionArn": survey.In{}, "UpgradeFunctionArn": upgrade.In{},
		"SwarmFunctionArn": swarm.In{}, "SweepFunctionArn": sweep.In{},
	}
	for _, m := range machines(t) {
		m.each(func(name string, s state, _ bool) {
			function, _ := s.Parameters["FunctionName"].(string)
			if function == "" {
				return
			}
			text, err := json.Marshal(known[strings.Trim(function, "${}")])
			if err != nil {
				t.Fatal(err)
			}
			var members map[string]any
			if err := json.Unmarshal(text, &members); err != nil {
				t.Fatal(err)
			}
			for member := range s.payload() {
				if _, ok := members[strings.TrimSuffix(member, ".$")]; !ok {
					t.Errorf("%s sends %q, which %s does not read", name, member, function)
				}
			}
		})
	}
}
