package simulated_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/simulated"
)

// Whatever is asked for in whatever order, no node holds more than fits, no
// rollout ends but well or with a reason, errors have the kinds of the contract,
// and what is removed leaves nothing.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, 0)
		o := simulated.New(simulated.Config{
			Now: func() time.Time { return now }, Nodes: 3, Slots: 4,
		})
		number := int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				number++
				release := release(rapid.SampledFrom(
					[]string{"web", "crash", "pull-fail", "unhealthy"}).Draw(t, "image"))
				release.Number = number
				release.Replicas = rapid.IntRange(0, 15).Draw(t, "replicas")
				lowest := rapid.IntRange(0, 100).Draw(t, "lowest")
				release.Spec.Rollout = contract.Rollout{
					HealthyPercentMin: &lowest,
					HealthyPercentMax: rapid.IntRange(100, 200).Draw(t, "highest"),
				}
				expect(t, o.Apply(t.Context(), release), fault.Conflict)
			},
			"scale": func(t *rapid.T) {
				replicas := rapid.IntRange(0, 15).Draw(t, "replicas")
				expect(t, o.Scale(t.Context(), web, replicas), fault.NotFound, fault.Conflict)
			},
			"remove": func(t *rapid.T) {
				_, err := o.Remove(t.Context(), web)
				expect(t, err)
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second)
			},
			"node": func(t *rapid.T) {
				page, err := o.ListNodes(t.Context(), orchestrator.NodeQuery{})
				expect(t, err)
				if len(page.Nodes) == 0 {
					o.AddNode()
					return
				}
				node := rapid.SampledFrom(page.Nodes).Draw(t, "node")
				changeNode(t, o, node)
			},
			"": func(t *rapid.T) { check(t, o) },
		})
		for range 10 {
			left, err := o.Remove(t.Context(), web)
			expect(t, err)
			if len(left) == 0 {
				break
			}
			now = now.Add(time.Minute)
		}
		if names := o.Names(); len(names) > 0 {
			t.Fatalf("left behind: %q", names)
		}
	})
}

func changeNode(t *rapid.T, o *simulated.Orchestrator, node orchestrator.Node) {
	ref := orchestrator.NodeRef{ID: node.ID}
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0:
		expect(t, o.Cordon(t.Context(), ref))
	case 1:
		expect(t, o.Uncordon(t.Context(), ref))
	case 2:
		expect(t, o.Drain(t.Context(), ref))
	case 3:
		expect(t, o.Leave(t.Context(), ref), fault.Conflict)
	case 4:
		o.KillNode(node.ID)
	case 5:
		o.AddNode()
	}
}

func expect(t *rapid.T, err error, allowed ...fault.Kind) {
	t.Helper()
	for _, kind := range allowed {
		if fault.KindOf(err) == kind {
			return
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *rapid.T, o *simulated.Orchestrator) {
	page, err := o.ListNodes(t.Context(), orchestrator.NodeQuery{})
	expect(t, err)
	for _, node := range page.Nodes {
		if node.Tasks > 4 || node.State == orchestrator.NodeDown && node.Tasks > 0 {
			t.Fatalf("got node %+v", node)
		}
	}
	seen, err := o.Observe(t.Context(), web)
	if fault.IsNotFound(err) {
		return
	}
	expect(t, err)
	if seen.Rollout.State == orchestrator.Failed && seen.Rollout.Reason == "" {
		t.Fatalf("failed without a reason: %+v", seen)
	}
	if seen.Rollout.State == orchestrator.RolledOut && seen.InEffect != seen.Rollout.Release {
		t.Fatalf("rolled out, and not in effect: %+v", seen)
	}
}
