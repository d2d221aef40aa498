package decide

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"portolan/shared/orchestrator"
)

func manager(instance string, answers bool) Engine {
	return Engine{Instance: instance, Address: instance + ":2376", Pool: "managers", Answers: answers}
}

func worker(instance string, answers bool) Engine {
	return Engine{Instance: instance, Address: instance + ":2376", Pool: "workers", Answers: answers}
}

func memberOf(instance string, leads bool, state orchestrator.NodeState) orchestrator.Node {
	return orchestrator.Node{ID: "node-" + instance, Instance: instance, Manager: leads, State: state}
}

const (
	up   = orchestrator.NodeReady
	down = orchestrator.NodeDown
)

func TestPlanSwarm(t *testing.T) {
	three := []orchestrator.Node{memberOf("m1", true, up), memberOf("m2", true, up), memberOf("m3", true, up)}
	engines := []Engine{manager("m1", true), manager("m2", true), manager("m3", true)}
	oneDead := []orchestrator.Node{memberOf("m1", true, up), memberOf("m2", true, up), memberOf("m3", true, down)}
	for name, test := range map[string]struct {
		view    SwarmView
		action  SwarmAction
		engines []string // instances
		node    string
	}{
		"nothing is there":    {SwarmView{}, SwarmWait, nil, ""},
		"nothing answers":     {SwarmView{Engines: []Engine{manager("m1", false)}}, SwarmWait, nil, ""},
		"only workers answer": {SwarmView{Engines: []Engine{worker("w1", true), manager("m1", false)}}, SwarmWait, nil, ""},
		"managers answer":     {SwarmView{Engines: []Engine{manager("m2", true), manager("m1", true)}}, SwarmInit, []string{"m1"}, ""},
		"another was chosen": {SwarmView{Initiator: "m2", Engines: []Engine{manager("m1", true), manager("m2", true)}},
			SwarmInit, []string{"m2"}, ""},
		"the chosen one is silent": {SwarmView{Initiator: "m2", Engines: []Engine{manager("m1", true), manager("m2", false)}},
			SwarmWait, nil, ""},
		"the chosen one is gone": {SwarmView{Initiator: "m0", Engines: []Engine{manager("m1", true), manager("m2", false)}},
			SwarmInit, []string{"m1"}, ""},
		"one manager and all workers": {SwarmView{Made: true, Nodes: three[:1],
			Engines: append([]Engine{worker("w1", true), worker("w2", true), worker("w3", false)}, engines...)},
			SwarmJoin, []string{"w1", "w2", "m2"}, ""},
		"not while another is away": {SwarmView{Made: true, Engines: append(engines[:2:2], manager("m3", true), manager("m4", true)),
			Nodes: []orchestrator.Node{memberOf("m1", true, up), memberOf("m2", true, up), memberOf("m3", true, down)}}, SwarmWait, nil, ""},
		"all are there": {SwarmView{Made: true, Nodes: three, Engines: engines}, SwarmDone, nil, ""},
		"one is slow":   {SwarmView{Made: true, Nodes: three[:2], Engines: append(engines[:2:2], manager("m3", false))}, SwarmWait, nil, ""},
		"a worker is gone": {SwarmView{Made: true, Nodes: append(three[:3:3], memberOf("w1", false, down)), Engines: engines},
			SwarmForget, nil, "node-w1"},
		"a manager is gone, and its successor starts": {SwarmView{Made: true, Nodes: oneDead,
			Engines: append(engines[:2:2], manager("m4", false))}, SwarmWait, nil, ""},
		"a manager is gone, and its successor answers": {SwarmView{Made: true, Nodes: oneDead,
			Engines: append(engines[:2:2], manager("m4", true))}, SwarmForget, nil, "node-m3"},
		"a manager is gone, and nobody comes": {SwarmView{Made: true, Nodes: oneDead, Engines: engines[:2]}, SwarmForget, nil, "node-m3"},
		"somebody else's node is down": {SwarmView{Made: true, Engines: engines,
			Nodes: append(three[:3:3], orchestrator.Node{ID: "theirs", State: down})}, SwarmDone, nil, ""},
		"the majority is lost": {SwarmView{Made: true, NoMajority: true, Engines: engines}, SwarmLost, nil, ""},
		"a manager that is still a worker": {SwarmView{Made: true, Engines: engines,
			Nodes: []orchestrator.Node{three[0], three[1], memberOf("m3", false, up)}}, SwarmWait, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			plan := PlanSwarm(test.view)
			var got []string
			for _, e := range plan.Engines {
				got = append(got, e.Instance)
			}
			node := ""
			if len(plan.Nodes) > 0 {
				node = plan.Nodes[0].ID
			}
			if plan.Action != test.action || !slices.Equal(got, test.engines) || node != test.node || plan.Reason == "" {
				t.Errorf("got %s %v %s: %s", plan.Action, got, node, plan.Reason)
			}
		})
	}
}

// A world is a swarm as it would become by what is planned, with machines that die and
// are launched again.
type swarmWorld struct {
	view  SwarmView
	next  int
	inits int
}

func (s *swarmWorld) launch(pool string, answers bool) {
	s.next++
	id := fmt.Sprintf("i%03d", s.next)
	s.view.Engines = append(s.view.Engines, Engine{Instance: id, Address: id, Pool: pool, Answers: answers})
}

// kill ends a machine; its node is down from then on.
func (s *swarmWorld) kill(i int) {
	id := s.view.Engines[i].Instance
	s.view.Engines = slices.Delete(s.view.Engines, i, i+1)
	for n := range s.view.Nodes {
		if s.view.Nodes[n].Instance == id {
			s.view.Nodes[n].State = down
		}
	}
}

func (s *swarmWorld) carryOut(plan SwarmPlan) {
	for _, e := range plan.Engines {
		if plan.Action == SwarmInit {
			s.inits++
			s.view.Made, s.view.Initiator = true, e.Instance
		}
		s.view.Nodes = append(s.view.Nodes, memberOf(e.Instance, e.Manager(), up))
	}
	for _, gone := range plan.Nodes {
		s.view.Nodes = slices.DeleteFunc(s.view.Nodes, func(n orchestrator.Node) bool { return n.ID == gone.ID })
	}
}

// Whatever dies, as long as a majority lives: no plan loses it, the swarm is made once,
// and when all has come to rest there are as many managers as machines for them, all
// reachable, and nobody who is gone.
func TestPlansKeepTheMajority(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &swarmWorld{}
		wanted := rapid.SampledFrom([]int{1, 3, 5, 7}).Draw(t, "managers")
		for range wanted {
			s.launch("managers", false)
		}
		s.launch("workers", true)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s.disturb(t)
			s.step(t)
		}
		for i := range s.view.Engines {
			s.view.Engines[i].Answers = true
		}
		plan := s.step(t)
		for range 60 {
			if plan = s.step(t); plan.Action == SwarmDone {
				break
			}
		}
		if q := quorumOf(s.view.Nodes); plan.Action != SwarmDone || q.Managers != wanted || q.Reachable != wanted || s.inits != 1 {
			t.Fatalf("it comes to rest with %+v of %d managers and %d swarms made: %s: %s", q, wanted, s.inits, plan.Action, plan.Reason)
		}
	})
}

// disturb lets an engine answer, or a machine die and be launched anew, unless a majority
// would die with it.
func (s *swarmWorld) disturb(t *rapid.T) {
	i := rapid.IntRange(0, len(s.view.Engines)-1).Draw(t, "machine")
	if !rapid.Bool().Draw(t, "dies") {
		s.view.Engines[i].Answers = true
		return
	}
	pool, id := s.view.Engines[i].Pool, s.view.Engines[i].Instance
	after := slices.Clone(s.view.Nodes)
	for n := range after {
		if after[n].Instance == id {
			after[n].State = down
		}
	}
	if !s.view.Made || quorumOf(after).Kept() {
		s.kill(i)
		s.launch(pool, false)
	}
}

func (s *swarmWorld) step(t *rapid.T) SwarmPlan {
	plan := PlanSwarm(s.view)
	joins := 0
	for _, e := range plan.Engines {
		if e.Manager() {
			joins++
		}
	}
	if joins > 1 || len(plan.Nodes) > 1 {
		t.Fatalf("%d managers join and %d nodes leave at once", joins, len(plan.Nodes))
	}
	s.carryOut(plan)
	if s.view.Made && !quorumOf(s.view.Nodes).Kept() {
		t.Fatalf("%s lost the majority: %+v", plan.Action, s.view.Nodes)
	}
	return plan
}
