package step_test

import (
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

var web = contract.Target{Cluster: "shop", Service: "web"}

func TestEnter(t *testing.T) {
	s := storetest.Open(t)
	call := steptest.Begin(t, s, "operation", contract.KindDeploy, web)
	if o, err := step.Enter(t.Context(), s, call); err != nil || o.ID != "operation" {
		t.Fatalf("got %+v, %v", o, err)
	}
	tests := map[string]struct {
		change func(*step.Call)
		want   fault.Kind
	}{
		"no operation":      {func(c *step.Call) { c.Operation = "" }, fault.Invalid},
		"no target":         {func(c *step.Call) { c.Target = "" }, fault.Invalid},
		"another operation": {func(c *step.Call) { c.Operation = "none" }, fault.NotFound},
		"an older token":    {func(c *step.Call) { c.Token-- }, fault.Halted},
		"a newer token":     {func(c *step.Call) { c.Token++ }, fault.Halted},
		"another target":    {func(c *step.Call) { c.Target = "service/shop/other" }, fault.Halted},
	}
	for name, test := range tests {
		changed := call
		test.change(&changed)
		if _, err := step.Enter(t.Context(), s, changed); fault.KindOf(err) != test.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestEnterAfterTheEnd(t *testing.T) {
	s := storetest.Open(t)
	call := steptest.Begin(t, s, "operation", contract.KindDeploy, web)
	o, err := s.Operation(t.Context(), "operation")
	if err != nil {
		t.Fatal(err)
	}
	steptest.Commit(t, s, store.EndOperation(decide.End(*o, contract.OperationSucceeded, "", nil, time.Now()))...)
	if _, err := step.Enter(t.Context(), s, call); !fault.IsHalted(err) || !strings.Contains(err.Error(), "Succeeded") {
		t.Errorf("got %v", err)
	}
}

func TestFence(t *testing.T) {
	s := storetest.Open(t)
	call := steptest.Begin(t, s, "operation", contract.KindDeploy, web)
	change := store.CreateService(steptest.Service())
	steptest.Lose(t, s, call)
	if err := s.Commit(t.Context(), call.Fence(), change); !fault.IsHalted(err) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Service(t.Context(), "shop", "web"); !fault.IsNotFound(err) {
		t.Errorf("what stood behind the fence was written: %v", err)
	}
}

func TestTargets(t *testing.T) {
	call := step.Call{Target: "service/shop/web"}
	if got, err := call.ServiceTarget(); err != nil || got != web {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := call.ClusterTarget(); err != nil || got != "shop" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, target := range []string{"cluster/shop", "policy/shop/out", "web", ""} {
		if _, err := (step.Call{Target: target}).ServiceTarget(); !fault.IsInvalid(err) {
			t.Errorf("%q is taken for a service: %v", target, err)
		}
	}
}

func TestUnknownStepNamesThoseThatThereAre(t *testing.T) {
	err := step.Call{Step: "Fly"}.Unknown("service", "Walk", "Run")
	if !fault.IsInvalid(err) || err.Error() != `the service function has no step "Fly"; it has Run, Walk` {
		t.Errorf("got %v", err)
	}
}
