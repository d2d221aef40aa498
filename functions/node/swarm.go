package node

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

// planSwarm plans the pool of a swarm that the step names. Where all nodes have to go it
// plans one pool after the other, the managers' last: they hold the swarm together.
func (h *Handler) planSwarm(ctx context.Context, w *work) (State, error) {
	groups, err := w.swarmGroups(ctx)
	if err != nil {
		return State{}, err
	}
	nodes, err := w.nodes(ctx)
	if w.Empty && (fault.IsUnavailable(err) || fault.IsNotFound(err)) {
		// A swarm without a majority, or that was never made, knows nothing of its nodes.
		nodes, err = nil, nil
	}
	if fault.IsUnavailable(err) {
		err = fault.Wrap(fault.Unavailable, err, "no manager can be asked, and if no majority of them comes back, "+
			"`portolan cluster recover` makes a swarm of what is left")
	}
	if err != nil {
		return State{}, err
	}
	var out State
	for _, pool := range w.swarmPools() {
		var joined int
		if out, joined = w.planSwarmPool(pool, groups, nodes); out.Action != decide.PoolDone {
			return out, nil
		}
		w.NodePool = pool
		if err := h.recordSize(ctx, w, joined); err != nil {
			return State{}, err
		}
	}
	if out.Action == "" {
		out = State{Looks: w.State.Looks + 1, Action: decide.PoolDone, Reason: "there are no nodes to plan"}
	}
	return out, h.recordJoined(ctx, w, groups, nodes)
}

// recordJoined keeps which instances there are once all are nodes, so that the sweeper
// sees when that is so no more, and forgets those that EC2 took back.
func (h *Handler) recordJoined(ctx context.Context, w *work, groups map[string]types.AutoScalingGroup, nodes []orchestrator.Node) error {
	var instances []string
	for _, group := range groups {
		instances = append(instances, live(&group)...)
	}
	facts, before := *w.cluster.Facts.Swarm, w.cluster.Facts.Swarm
	facts.Interrupted = decide.StillInterrupted(before.Interrupted, instances)
	joined := !slices.ContainsFunc(instances, func(instance string) bool {
		return !slices.ContainsFunc(nodes, func(n orchestrator.Node) bool { return n.Instance == instance })
	})
	if joined {
		facts.Joined = decide.JoinedDigest(instances)
	}
	if w.Empty || facts.Joined == before.Joined && len(facts.Interrupted) == len(before.Interrupted) {
		return nil
	}
	w.cluster.Facts.Swarm = &facts
	return h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*w.cluster))
}

// swarmPools are the pools that the step plans, in their order.
func (w *work) swarmPools() []string {
	known := w.cluster.Facts.Swarm.AutoScalingGroups
	var pools []string
	switch {
	case w.NodePool != "":
		pools = []string{w.NodePool}
	default:
		for _, pool := range w.cluster.NodePools {
			pools = append(pools, pool.Name)
		}
		slices.Reverse(pools) // the managers' is the first
	}
	return slices.DeleteFunc(pools, func(pool string) bool { return known[pool] == "" })
}

// swarmGroups are the Auto Scaling groups of the swarm that are there, by name.
func (w *work) swarmGroups(ctx context.Context) (map[string]types.AutoScalingGroup, error) {
	names := slices.Sorted(maps.Values(w.cluster.Facts.Swarm.AutoScalingGroups))
	groups := map[string]types.AutoScalingGroup{}
	if len(names) == 0 {
		return groups, nil
	}
	out, err := w.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names})
	if err != nil {
		return nil, fault.FromAWS(err, "looking at the Auto Scaling groups of cluster "+w.cluster.Name())
	}
	for _, group := range out.AutoScalingGroups {
		groups[aws.ToString(group.AutoScalingGroupName)] = group
	}
	return groups, nil
}

func (w *work) planSwarmPool(pool string, groups map[string]types.AutoScalingGroup, nodes []orchestrator.Node) (out State, joined int) {
	out = State{Looks: w.State.Looks + 1, Group: w.cluster.Facts.Swarm.AutoScalingGroups[pool]}
	group, found := groups[out.Group]
	if !found {
		out.Action, out.Reason = decide.PoolDone, "the Auto Scaling group is gone"
		return out, 0
	}
	if !w.Empty {
		out.Desired = w.cluster.Pool(pool).Size
	}
	if pool == orchestrator.SwarmManagersPool {
		out.Maximum = decide.ManagersCapacityMax(out.Desired)
	}
	var everywhere []string
	for _, each := range groups {
		everywhere = append(everywhere, live(&each)...)
	}
	instances := live(&group)
	plan := decide.PlanPool(out.Desired, int(aws.ToInt32(group.DesiredCapacity)), instances, nodes)
	if !w.Empty {
		plan = decide.PlanSwarmPool(plan, instances, everywhere, nodes, int(aws.ToInt32(group.MaxSize)), out.Maximum)
		plan = decide.PlanInterrupted(plan, instances, w.cluster.Facts.Swarm.Interrupted, nodes)
	}
	out.Shrink = plan.Action == decide.PoolShrink
	out.Action, out.Remove, out.Reason = plan.Action, plan.Remove, plan.Reason
	return out, plan.Joined
}
