package simulated_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/orchestratortest"
	"portolan/shared/orchestrator/simulated"
)

func TestContract(t *testing.T) {
	orchestratortest.Run(t, harness(simulated.Config{}))
}

func TestContractWithManagers(t *testing.T) {
	orchestratortest.Run(t, harness(simulated.Config{Nodes: 4, Managers: 3}))
}

func harness(config simulated.Config) func(t *testing.T) orchestratortest.Harness {
	return func(*testing.T) orchestratortest.Harness {
		o := simulated.New(config)
		return orchestratortest.Harness{
			Orchestrator: o,
			Cluster:      orchestrator.ClusterRef{Name: "simulated", Team: "shop"},
			ChangeByHand: func(_ *testing.T, service, image string) {
				o.ChangeByHand(service, image)
			},
			Left: func(*testing.T) []string { return o.Names() },
		}
	}
}

var web = orchestrator.ServiceRef{Name: "web"}

func release(image string) orchestrator.Release {
	return orchestrator.Release{
		Service: web, Number: 1, Image: image, Replicas: 2, Operation: "op",
		Spec: contract.ServiceSpec{Image: image, Memory: contract.Memory{LimitMiB: 64}},
	}
}

func TestFaultsStrikeBeforeAndAfterTheEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := simulated.New(simulated.Config{})
		throttled := fault.New(fault.Unavailable, "throttled")
		o.Inject(simulated.Fault{Verb: "Apply", Err: throttled, Times: 2})
		o.Inject(simulated.Fault{Verb: "Apply", Err: throttled, AfterEffect: true})
		for range 2 {
			if err := o.Apply(t.Context(), release("web")); !errors.Is(err, throttled) {
				t.Fatalf("got %v", err)
			}
			if _, err := o.Observe(t.Context(), web); !fault.IsNotFound(err) {
				t.Fatalf("a fault before the effect had one: %v", err)
			}
		}
		if err := o.Apply(t.Context(), release("web")); !fault.IsUnavailable(err) {
			t.Fatalf("got %v", err)
		}
		if _, err := o.Observe(t.Context(), web); err != nil {
			t.Fatalf("a fault after the effect had none: %v", err)
		}
		if err := o.Apply(t.Context(), release("web")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestKilledNodeLosesItsTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := simulated.New(simulated.Config{})
		if err := o.Apply(t.Context(), release("web")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		page, err := o.ListNodes(t.Context(), orchestrator.NodeQuery{})
		if err != nil {
			t.Fatal(err)
		}
		o.KillNode(page.Nodes[0].ID)
		seen, err := o.Observe(t.Context(), web)
		if err != nil || seen.Running != 1 || seen.Pending != 1 {
			t.Errorf("right after the loss: %+v, %v", seen, err)
		}
		time.Sleep(time.Minute)
		seen, err = o.Observe(t.Context(), web)
		if err != nil || seen.Running != 2 {
			t.Errorf("a minute after the loss: %+v, %v", seen, err)
		}
	})
}

func TestAddedNodeEndsTheLackOfCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := simulated.New(simulated.Config{Nodes: 1, Slots: 1})
		if err := o.Apply(t.Context(), release("web")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		seen, err := o.Observe(t.Context(), web)
		if err != nil || seen.Running != 1 || seen.Rollout.Reason == "" {
			t.Fatalf("with one slot: %+v, %v", seen, err)
		}
		o.AddNode()
		time.Sleep(time.Minute)
		seen, err = o.Observe(t.Context(), web)
		if err != nil || seen.Rollout.State != orchestrator.RolledOut {
			t.Fatalf("with two slots: %+v, %v", seen, err)
		}
	})
}

// A day without a call is played in one, in the order of what happened.
func TestLongSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := simulated.New(simulated.Config{})
		if err := o.Apply(t.Context(), release("crash")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		seen, err := o.Observe(t.Context(), web)
		if err != nil || seen.Rollout.State != orchestrator.Failed || seen.Failed != 3 {
			t.Errorf("got %+v, %v", seen, err)
		}
	})
}

func TestPageTokenIsChecked(t *testing.T) {
	o := simulated.New(simulated.Config{})
	_, err := o.ListNodes(t.Context(), orchestrator.NodeQuery{Next: "first"})
	if !fault.IsInvalid(err) {
		t.Errorf("got %v", err)
	}
}

func TestCancelledContextHasNoEffect(t *testing.T) {
	o := simulated.New(simulated.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Apply(ctx, release("web")); !fault.IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
	if len(o.Names()) != 0 {
		t.Errorf("there is %q", o.Names())
	}
}
