package decide_test

import (
	"fmt"
	"slices"
	"testing"

	"portolan/shared/decide"
	"portolan/shared/orchestrator"
)

func TestPlanPool(t *testing.T) {
	node := func(instance string, tasks int) orchestrator.Node {
		return orchestrator.Node{ID: "n-" + instance, Instance: instance, State: orchestrator.NodeReady, Tasks: tasks}
	}
	down := node("c", 0)
	down.State = orchestrator.NodeDown
	tests := []struct {
		name             string
		wanted, capacity int
		instances        []string
		nodes            []orchestrator.Node
		action           decide.PoolAction
		joined           int
		remove           []string
	}{
		{"empty and wanted so", 0, 0, nil, nil, decide.PoolDone, 0, nil},
		{"as wanted", 2, 2, []string{"a", "b"}, []orchestrator.Node{node("a", 1), node("b", 1)}, decide.PoolDone, 2, nil},
		{"grows", 3, 2, []string{"a", "b"}, []orchestrator.Node{node("a", 1), node("b", 1)}, decide.PoolResize, 2, nil},
		{"grows from nothing", 2, 0, nil, nil, decide.PoolResize, 0, nil},
		{"waits for the last", 2, 2, []string{"a", "b"}, []orchestrator.Node{node("a", 1)}, decide.PoolWait, 1, nil},
		{"waits for instances", 2, 2, nil, nil, decide.PoolWait, 0, nil},
		{"a node that is down has not joined", 1, 1, []string{"c"}, []orchestrator.Node{down}, decide.PoolWait, 0, nil},
		{"the emptiest goes", 1, 2, []string{"a", "b"}, []orchestrator.Node{node("a", 3), node("b", 1)}, decide.PoolShrink, 2, []string{"b"}},
		{"a dead one goes first", 2, 3, []string{"a", "b", "c"}, []orchestrator.Node{node("a", 0), node("b", 1), down},
			decide.PoolShrink, 2, []string{"c"}},
		{"one that never joined goes first", 1, 2, []string{"a", "x"}, []orchestrator.Node{node("a", 0)}, decide.PoolShrink, 1, []string{"x"}},
		{"ties go by name", 0, 2, []string{"b", "a"}, []orchestrator.Node{node("a", 1), node("b", 1)}, decide.PoolShrink, 2, []string{"a", "b"}},
		{"too many although told less", 1, 1, []string{"a", "b"}, []orchestrator.Node{node("a", 1), node("b", 2)}, decide.PoolShrink, 2, []string{"a"}},
	}
	for _, test := range tests {
		plan := decide.PlanPool(test.wanted, test.capacity, test.instances, test.nodes)
		var remove []string
		for _, id := range plan.Remove {
			remove = append(remove, id.Instance)
		}
		if plan.Action != test.action || plan.Joined != test.joined || !slices.Equal(remove, test.remove) || plan.Reason == "" {
			t.Errorf("%s: got %+v", test.name, plan)
		}
	}
}

// What one plan does not take out, the next one does.
func TestPlanPoolTakesOutSoManyAtOnce(t *testing.T) {
	var instances []string
	for i := range 50 {
		instances = append(instances, fmt.Sprintf("i-%02d", i))
	}
	plans := 0
	for ; len(instances) > 0; plans++ {
		plan := decide.PlanPool(0, len(instances), instances, nil)
		if len(plan.Remove) == 0 || len(plan.Remove) > 20 {
			t.Fatalf("%d are taken out at once", len(plan.Remove))
		}
		for _, id := range plan.Remove {
			instances = slices.DeleteFunc(instances, func(each string) bool { return each == id.Instance })
		}
	}
	if plans != 3 {
		t.Errorf("it took %d plans", plans)
	}
}
