package decide

import (
	"fmt"
	"slices"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// interruptedMost bounds how many instances are known at a time that EC2 takes back. What
// is beyond that dies unprepared, as it does where the notice is lost.
const interruptedMost = 100

// AnswerInterruption decides what is done about an instance of a swarm that EC2 takes back
// in two minutes: it is written down, and a repair takes it out through the gate. Whatever
// else is at work on the cluster and plans the pool sees it, too. The cluster that is
// returned is nil when nothing is done.
func AnswerInterruption(c *model.Cluster, instance string) (*model.Cluster, string) {
	facts := *c.Facts.Swarm
	switch {
	case c.Status != contract.ClusterReady:
		return nil, fmt.Sprintf("the cluster is %s", c.Status)
	case slices.Contains(facts.Interrupted, instance):
		return nil, "instance " + instance + " is on its way out already"
	case len(facts.Interrupted) >= interruptedMost:
		return nil, fmt.Sprintf("%d instances are on their way out already", interruptedMost)
	}
	facts.Interrupted = append(slices.Clone(facts.Interrupted), instance)
	changed := *c
	changed.Facts.Swarm = &facts
	return &changed, "EC2 takes instance " + instance + " back: it leaves before that, and its group launches another"
}

// PlanInterrupted puts the instances of a pool first that EC2 takes back: they are drained
// while they still run. Their group launches others in their place.
func PlanInterrupted(plan PoolPlan, instances, interrupted []string, nodes []orchestrator.Node) PoolPlan {
	byInstance := map[string]orchestrator.Node{}
	for _, node := range nodes {
		byInstance[node.Instance] = node
	}
	var remove []NodeID
	for _, instance := range instances {
		if slices.Contains(interrupted, instance) && len(remove) < removeMost {
			remove = append(remove, NodeID{ID: byInstance[instance].ID, Instance: instance})
		}
	}
	if len(remove) == 0 {
		return plan
	}
	plan.Action, plan.Remove = PoolReplace, remove
	plan.Reason = fmt.Sprintf("EC2 takes %d instances back, such as %s", len(remove), remove[0].Instance)
	return plan
}

// StillInterrupted are the instances that EC2 takes back and that are there still.
func StillInterrupted(interrupted, instances []string) []string {
	var still []string
	for _, instance := range interrupted {
		if slices.Contains(instances, instance) {
			still = append(still, instance)
		}
	}
	return still
}
