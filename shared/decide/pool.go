package decide

import (
	"cmp"
	"fmt"
	"slices"

	"portolan/shared/orchestrator"
)

// A PoolAction is what brings a node pool nearer to its size.
type PoolAction string

// PoolResize sets the group's capacity, PoolShrink takes nodes out through the gate,
// PoolReplace takes some out whose group launches others, PoolJoin lets the engines of a
// swarm in, PoolWait looks again, and PoolDone is the end.
const (
	PoolResize  PoolAction = "Resize"
	PoolShrink  PoolAction = "Shrink"
	PoolReplace PoolAction = "Replace"
	PoolJoin    PoolAction = "Join"
	PoolWait    PoolAction = "Wait"
	PoolDone    PoolAction = "Done"
)

// NodeID names a node: the orchestrator's id, empty when it never joined, and the
// instance.
type NodeID struct {
	ID       string `json:"id"`
	Instance string `json:"instance"`
}

// A PoolPlan is what to do about a pool, and why. Joined counts the nodes that
// can take tasks.
type PoolPlan struct {
	Action PoolAction
	Remove []NodeID
	Joined int
	Reason string
}

// removeMost bounds how many nodes one plan takes out. What is left over is
// planned again.
const removeMost = 20

// PlanPool decides how a pool gets from what is there to the wanted size. capacity
// is what its group was told to have, instances are those of the group that are
// not on their way out, and nodes are what the orchestrator knows.
//
// The nodes to take out are those that hurt least: first the ones that never
// joined or are down, then those with the fewest tasks.
func PlanPool(wanted, capacity int, instances []string, nodes []orchestrator.Node) PoolPlan {
	byInstance := map[string]orchestrator.Node{}
	for _, node := range nodes {
		byInstance[node.Instance] = node
	}
	joined := 0
	for _, instance := range instances {
		if node, ok := byInstance[instance]; ok && node.State != orchestrator.NodeDown {
			joined++
		}
	}
	plan := PoolPlan{Joined: joined}
	switch excess := len(instances) - wanted; {
	case excess > 0:
		plan.Action, plan.Remove = PoolShrink, leastHarm(min(excess, removeMost), instances, byInstance)
		plan.Reason = fmt.Sprintf("%d nodes are %d too many", len(instances), excess)
	case capacity != wanted:
		plan.Action, plan.Reason = PoolResize, fmt.Sprintf("the group has a capacity of %d and not %d", capacity, wanted)
	case joined < wanted:
		plan.Action, plan.Reason = PoolWait, fmt.Sprintf("%d of %d nodes have joined", joined, wanted)
	default:
		plan.Action, plan.Reason = PoolDone, fmt.Sprintf("%d nodes have joined", joined)
	}
	return plan
}

func leastHarm(count int, instances []string, nodes map[string]orchestrator.Node) []NodeID {
	order := slices.Clone(instances)
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(harm(nodes[a]), harm(nodes[b])), cmp.Compare(a, b))
	})
	remove := make([]NodeID, 0, count)
	for _, instance := range order[:count] {
		remove = append(remove, NodeID{ID: nodes[instance].ID, Instance: instance})
	}
	return remove
}

// harm orders nodes by what their loss would cost.
func harm(n orchestrator.Node) int {
	if n.ID == "" || n.State == orchestrator.NodeDown {
		return -1
	}
	return n.Tasks
}

// PlanSwarmPool is PlanPool for a pool of a swarm, whose engines do not join by
// themselves, and whose managers' group has a limit of its own: maximum is the group's,
// and limit what it should be, or 0 for a pool of workers. everywhere are the instances
// of all the swarm's groups.
func PlanSwarmPool(plan PoolPlan, instances, everywhere []string, nodes []orchestrator.Node, maximum, limit int) PoolPlan {
	switch plan.Action {
	case PoolDone, PoolWait:
	default:
		return plan
	}
	gone := slices.ContainsFunc(nodes, func(n orchestrator.Node) bool {
		return n.Instance != "" && n.State == orchestrator.NodeDown && !slices.Contains(everywhere, n.Instance)
	})
	switch {
	case limit != 0 && maximum != limit:
		plan.Action, plan.Reason = PoolResize, fmt.Sprintf("the group may have %d instances and not %d", maximum, limit)
	case len(instances) > plan.Joined:
		plan.Action, plan.Reason = PoolJoin, fmt.Sprintf("%d of %d engines are in the swarm", plan.Joined, len(instances))
	case gone:
		plan.Action, plan.Reason = PoolJoin, "the swarm knows nodes whose machines are gone"
	}
	return plan
}
