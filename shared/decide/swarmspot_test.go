package decide

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

func TestInterruptionsAreWrittenDown(t *testing.T) {
	c := NewCluster(onSwarm(), time.Unix(0, 0))
	if changed, reason := AnswerInterruption(&c, "i-1"); changed != nil || reason != "the cluster is Provisioning" {
		t.Errorf("got %+v, %s", changed, reason)
	}
	c.Status = contract.ClusterReady
	changed, _ := AnswerInterruption(&c, "i-1")
	if changed == nil || !slices.Equal(changed.Facts.Swarm.Interrupted, []string{"i-1"}) || len(c.Facts.Swarm.Interrupted) > 0 {
		t.Fatalf("got %+v", changed)
	}
	if again, _ := AnswerInterruption(changed, "i-1"); again != nil {
		t.Errorf("the same again gave %+v", again)
	}
	for i := range 2 * interruptedMost {
		if more, _ := AnswerInterruption(changed, fmt.Sprint("i-", i)); more != nil {
			changed = more
		}
	}
	if got := len(changed.Facts.Swarm.Interrupted); got != interruptedMost {
		t.Errorf("%d are known", got)
	}
}

func TestInterruptedInstancesGoFirst(t *testing.T) {
	nodes := []orchestrator.Node{memberOf("i-1", false, up), memberOf("i-2", false, up)}
	resize := PoolPlan{Action: PoolResize, Joined: 2, Reason: "one more"}
	for name, test := range map[string]struct {
		interrupted []string
		action      PoolAction
		remove      []NodeID
	}{
		"none":                {nil, PoolResize, nil},
		"one that is gone":    {[]string{"i-0"}, PoolResize, nil},
		"a node":              {[]string{"i-2"}, PoolReplace, []NodeID{{ID: "node-i-2", Instance: "i-2"}}},
		"before it joined":    {[]string{"i-3"}, PoolReplace, []NodeID{{Instance: "i-3"}}},
		"several of the pool": {[]string{"i-2", "i-1"}, PoolReplace, []NodeID{{"node-i-1", "i-1"}, {"node-i-2", "i-2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := PlanInterrupted(resize, []string{"i-1", "i-2", "i-3"}, test.interrupted, nodes)
			if plan.Action != test.action || !slices.Equal(plan.Remove, test.remove) || plan.Joined != 2 || plan.Reason == "" {
				t.Errorf("got %+v", plan)
			}
		})
	}
	if still := StillInterrupted([]string{"i-1", "i-9"}, []string{"i-1", "i-2"}); !slices.Equal(still, []string{"i-1"}) {
		t.Errorf("still there are %v", still)
	}
}
