package decide

import (
	"cmp"
	"fmt"
	"slices"

	"portolan/shared/orchestrator"
)

// A SwarmAction is what brings the engines of a swarm's groups nearer to being its
// nodes.
type SwarmAction string

// SwarmInit makes the swarm on the one engine that was chosen, SwarmJoin lets engines
// in, SwarmForget removes nodes whose machines are gone, SwarmReplace takes one out that
// is down while its machine lives, SwarmWait looks again, SwarmLost is the end of a swarm
// without a majority, and SwarmDone that nothing is left to do.
const (
	SwarmInit    SwarmAction = "Init"
	SwarmJoin    SwarmAction = "Join"
	SwarmForget  SwarmAction = "Forget"
	SwarmReplace SwarmAction = "Replace"
	SwarmWait    SwarmAction = "Wait"
	SwarmLost    SwarmAction = "Lost"
	SwarmDone    SwarmAction = "Done"
)

// An Engine is an instance of a swarm's groups whose engine may answer.
type Engine struct {
	Instance string `json:"instance"`
	Address  string `json:"address"`
	Pool     string `json:"pool"`
	Zone     string `json:"zone,omitempty"`

	// Answers is true when the engine was reached. Node is its id in a swarm that it is
	// in, and Leads is true when it is a manager there.
	Answers bool   `json:"answers"`
	Node    string `json:"node,omitempty"`
	Leads   bool   `json:"leads,omitempty"`
}

// Manager says whether the engine is meant to be a manager.
func (e Engine) Manager() bool { return e.Pool == orchestrator.SwarmManagersPool }

// A SwarmView is what is known of a swarm and its machines. Made is true once the swarm
// was made; then Nodes are those that it knows, unless NoMajority says that nobody could
// be asked. Coming is how many managers their group has still to launch.
type SwarmView struct {
	Made       bool
	NoMajority bool
	Initiator  string
	Engines    []Engine
	Nodes      []orchestrator.Node
	Coming     int
}

// A SwarmPlan is what to do next, and why. Of Init and Join, Engines are those that it
// is done with; of Forget and Replace, Nodes. Down are the nodes that are down, or cannot
// be reached, while their machines live.
type SwarmPlan struct {
	Action  SwarmAction
	Engines []Engine
	Nodes   []orchestrator.Node
	Down    []DownNode
	Joined  int
	Reason  string
}

// A DownNode is a node whose machine lives, in the pool of that name.
type DownNode struct {
	orchestrator.Node
	Pool string
}

// joinMost bounds how many workers one step lets in.
const joinMost = 20

// PlanSwarm decides the next thing to do with the engines of a swarm's groups.
//
// One engine makes the swarm, and which one is decided once: another takes its place only
// while there is no swarm and the first is gone. Managers join one at a time, for each
// that joins changes the majority, and only while all that are there can be reached. A
// manager whose machine is gone is forgotten as soon as another machine is there to take
// its place, and before that one joins: a manager that fails while it joins then costs no
// majority that the dead one had weakened already.
func PlanSwarm(v SwarmView) SwarmPlan {
	if !v.Made {
		return planInit(v)
	}
	if v.NoMajority {
		return SwarmPlan{Action: SwarmLost, Reason: "no majority of the managers can be reached; " +
			"`portolan cluster recover` makes a swarm of what is left"}
	}
	byInstance := map[string]orchestrator.Node{}
	for _, node := range v.Nodes {
		if node.Instance != "" {
			byInstance[node.Instance] = node
		}
	}
	plan := SwarmPlan{}
	var waiting, silent []Engine
	for _, e := range v.Engines {
		node, known := byInstance[e.Instance]
		switch {
		case known && heardOf(node) && node.Manager == e.Manager():
			plan.Joined++
		case known:
			silent = append(silent, e) // on its way: down for a moment, or its role is changing
			if !heardOf(node) {
				plan.Down = append(plan.Down, DownNode{node, e.Pool})
			}
		case e.Answers:
			waiting = append(waiting, e)
		default:
			silent = append(silent, e)
		}
	}
	return planJoins(v, plan, waiting, silent)
}

// planInit decides about a swarm that is not there yet.
func planInit(v SwarmView) SwarmPlan {
	var candidates []Engine
	for _, e := range v.Engines {
		if !e.Manager() {
			continue
		}
		if e.Instance == v.Initiator {
			if !e.Answers {
				return SwarmPlan{Action: SwarmWait, Reason: "the engine that makes the swarm does not answer yet"}
			}
			return SwarmPlan{Action: SwarmInit, Engines: []Engine{e}, Reason: "one engine makes the swarm"}
		}
		if e.Answers {
			candidates = append(candidates, e)
		}
	}
	if len(candidates) == 0 {
		return SwarmPlan{Action: SwarmWait, Reason: "no manager's engine answers yet"}
	}
	first := slices.MinFunc(candidates, func(a, b Engine) int { return cmp.Compare(a.Instance, b.Instance) })
	return SwarmPlan{Action: SwarmInit, Engines: []Engine{first}, Reason: "one engine makes the swarm"}
}

func planJoins(v SwarmView, plan SwarmPlan, waiting, silent []Engine) SwarmPlan {
	dead := deadNodes(v)
	quorum := quorumOf(v.Nodes)
	newManager := slices.ContainsFunc(waiting, Engine.Manager)
	for _, node := range dead {
		// A dead manager is a vote that is missing, and leaves as its successor comes.
		if node.Manager && !newManager && quorum.Managers%2 == 1 && anyManager(silent) {
			continue
		}
		if node.Manager && quorum.Managers == 1 {
			continue
		}
		plan.Action, plan.Nodes = SwarmForget, []orchestrator.Node{node}
		plan.Reason = fmt.Sprintf("the machine of node %s is gone", node.ID)
		return plan
	}
	if joins := joinable(waiting, quorum); len(joins) > 0 {
		plan.Action, plan.Engines = SwarmJoin, joins
		plan.Reason = fmt.Sprintf("%d engines answer and are let in", len(joins))
		return plan
	}
	if left := len(waiting) + len(silent) + v.Coming; left > 0 {
		plan.Action = SwarmWait
		plan.Reason = fmt.Sprintf("%d of %d nodes have joined; the others do not answer yet", plan.Joined, plan.Joined+left)
		return plan
	}
	plan.Action, plan.Reason = SwarmDone, fmt.Sprintf("%d nodes have joined", plan.Joined)
	if quorum.Reachable < quorum.Managers {
		plan.Action = SwarmWait
		plan.Reason = fmt.Sprintf("%d of %d managers can be reached", quorum.Reachable, quorum.Managers)
	}
	return plan
}

// joinable picks who is let in: one manager, and only while all managers can be reached,
// and so many workers.
func joinable(waiting []Engine, quorum orchestrator.Quorum) []Engine {
	var joins []Engine
	for _, e := range waiting {
		if e.Manager() && quorum.Reachable == quorum.Managers && !anyManager(joins) || !e.Manager() && len(joins) < joinMost {
			joins = append(joins, e)
		}
	}
	return joins
}

func anyManager(engines []Engine) bool { return slices.ContainsFunc(engines, Engine.Manager) }

// deadNodes are the nodes that are down and whose machine is in no group any more. A
// node of no machine of ours is none of our business.
func deadNodes(v SwarmView) []orchestrator.Node {
	var dead []orchestrator.Node
	for _, node := range v.Nodes {
		gone := node.Instance != "" && node.State == orchestrator.NodeDown &&
			!slices.ContainsFunc(v.Engines, func(e Engine) bool { return e.Instance == node.Instance })
		if gone {
			dead = append(dead, node)
		}
	}
	return dead
}

func quorumOf(nodes []orchestrator.Node) orchestrator.Quorum {
	var q orchestrator.Quorum
	for _, node := range nodes {
		if !node.Manager {
			continue
		}
		q.Managers++
		if heardOf(node) {
			q.Reachable++
		}
	}
	return q
}

// heardOf says whether a node is there, for the swarm as for its managers.
func heardOf(node orchestrator.Node) bool {
	return node.State != orchestrator.NodeDown && !node.Unreachable
}
