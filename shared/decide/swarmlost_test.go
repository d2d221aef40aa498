package decide

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

func TestNodesThatAreDownForTooLongAreReplaced(t *testing.T) {
	start := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	engines := []Engine{manager("m1", true), manager("m2", true), manager("m3", false), worker("w1", false)}
	nodes := []orchestrator.Node{memberOf("m1", true, up), memberOf("m2", true, up), memberOf("m3", true, down), memberOf("w1", false, down)}
	unreachable := memberOf("m3", true, up)
	unreachable.Unreachable = true
	alive := []orchestrator.Node{nodes[0], nodes[1], memberOf("m3", true, up), memberOf("w1", false, up)}
	lost := []orchestrator.Node{nodes[0], memberOf("m2", true, down), nodes[2]}
	for name, test := range map[string]struct {
		view   SwarmView
		since  map[string]time.Time
		action SwarmAction
		node   string
		words  string
	}{
		"seen first": {SwarmView{Made: true, Engines: engines, Nodes: nodes}, nil, SwarmWait, "", "2 of 4"},
		"a moment": {SwarmView{Made: true, Engines: engines, Nodes: nodes},
			map[string]time.Time{"node-m3": start.Add(-DownMost + time.Second)}, SwarmWait, "", "2 of 4"},
		"a manager first": {SwarmView{Made: true, Engines: engines, Nodes: nodes},
			map[string]time.Time{"node-m3": start.Add(-DownMost), "node-w1": start.Add(-2 * DownMost)}, SwarmReplace, "node-m3", "instance m3 runs"},
		"a worker": {SwarmView{Made: true, Engines: engines, Nodes: nodes},
			map[string]time.Time{"node-w1": start.Add(-DownMost)}, SwarmReplace, "node-w1", "instance w1 runs"},
		"one that the managers do not reach": {SwarmView{Made: true, Engines: engines[:3], Nodes: []orchestrator.Node{nodes[0], nodes[1], unreachable}},
			map[string]time.Time{"node-m3": start.Add(-DownMost)}, SwarmReplace, "node-m3", ""},
		"back again": {SwarmView{Made: true, Engines: engines, Nodes: alive},
			map[string]time.Time{"node-m3": start.Add(-DownMost)}, SwarmDone, "", ""},
		"its machine is gone": {SwarmView{Made: true, Engines: engines[:2], Nodes: nodes[:3]},
			map[string]time.Time{"node-m3": start.Add(-DownMost)}, SwarmForget, "node-m3", ""},
		"its successor is launched": {SwarmView{Made: true, Engines: engines[:2], Nodes: nodes[:2], Coming: 1}, nil, SwarmWait, "", "2 of 3"},
		"no majority": {SwarmView{Made: true, Engines: engines[:3], Nodes: lost},
			map[string]time.Time{"node-m3": start.Add(-DownMost)}, SwarmLost, "", "portolan cluster recover"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := PlanSwarm(test.view)
			plan = ReplaceDown(plan, test.view.Nodes, KeepDown(plan, test.since, start), start)
			node := ""
			if len(plan.Nodes) > 0 {
				node = plan.Nodes[0].ID
			}
			if plan.Action != test.action || node != test.node || !strings.Contains(plan.Reason, test.words) {
				t.Errorf("got %s %s: %s", plan.Action, node, plan.Reason)
			}
		})
	}
}

// However many managers are down, and for however long: one goes only while a majority
// holds, and a majority is left.
func TestReplacementsKeepTheMajority(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(0, 0)
		var view SwarmView
		since := map[string]time.Time{}
		reachable := 0
		count := rapid.IntRange(1, 7).Draw(t, "managers")
		for i := range count {
			state := rapid.SampledFrom([]orchestrator.NodeState{up, down}).Draw(t, "state")
			if state == up {
				reachable++
			}
			node := memberOf(fmt.Sprint("m", i), true, state)
			view.Nodes, view.Engines = append(view.Nodes, node), append(view.Engines, manager(node.Instance, state == up))
			since[node.ID] = start.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
		}
		view.Made = true
		plan := PlanSwarm(view)
		plan = ReplaceDown(plan, view.Nodes, KeepDown(plan, since, start), start)
		if plan.Action != SwarmReplace {
			return
		}
		gone := plan.Nodes[0]
		if len(plan.Nodes) != 1 || gone.State != down || 2*reachable <= count || 2*reachable <= count-1 {
			t.Fatalf("%+v go, and %d of %d managers can be reached", plan.Nodes, reachable, count)
		}
	})
}

func TestSinceWhenNodesAreDownIsBounded(t *testing.T) {
	start := time.Unix(1000, 0)
	plan := SwarmPlan{Down: []DownNode{{Node: memberOf("m1", true, down), Pool: "managers"}}}
	for i := range 2 * downKnown {
		plan.Down = append(plan.Down, DownNode{Node: memberOf(fmt.Sprintf("a%02d", i), false, down), Pool: "workers"})
	}
	kept := KeepDown(plan, map[string]time.Time{"node-a03": time.Unix(1, 0), "node-gone": time.Unix(1, 0)}, start)
	if _, managers := kept["node-m1"]; len(kept) != downKnown || !managers || !kept["node-a03"].Equal(time.Unix(1, 0)) {
		t.Errorf("kept is %v", kept)
	}
}

func TestNodesDown(t *testing.T) {
	nodes := []orchestrator.Node{memberOf("i-2", true, down), memberOf("i-1", false, down), memberOf("i-3", false, up), memberOf("i-4", false, down)}
	if said := NodesDown(nodes, []string{"i-1", "i-2", "i-3"}); said != "2 nodes are down though their instances run, such as i-1" {
		t.Errorf("got %q", said)
	}
	if said := NodesDown(nodes, []string{"i-3"}); said != "" {
		t.Errorf("got %q", said)
	}
}

// A team that wishes only to be told of what somebody changed gets its nodes replaced all
// the same, unless the attempt before ended dirty.
func TestAnswerDown(t *testing.T) {
	c := NewCluster(onSwarm(), time.Unix(0, 0))
	c.Status, c.Spec.Drift = contract.ClusterReady, contract.Report
	if answer := AnswerDown(&c, "it is down", false, nil); !answer.Repair || answer.Reason != "it is down" {
		t.Errorf("got %+v", answer)
	}
	if c.Spec.Drift != contract.Report {
		t.Error("the cluster's setting was changed")
	}
	if AnswerDown(&c, "it is down", true, nil).Repair {
		t.Error("a repair is asked for beside an operation")
	}
	if AnswerDown(&c, "it is down", false, &model.Operation{Status: contract.OperationFailedDirty}).Repair {
		t.Error("what ended dirty is tried again and again")
	}
}
