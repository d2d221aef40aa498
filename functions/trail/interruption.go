package trail

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/store"
)

// interrupted asks for a repair where EC2 takes an instance of a swarm back, which takes
// it out through the gate. The event names no group, so Auto Scaling is asked.
func (h *Handler) interrupted(ctx context.Context, e event.Interruption) (Out, error) {
	out := Out{What: "interruption of " + e.Instance, Reason: "the instance is in no swarm of ours"}
	found, err := h.Groups.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{e.Instance}})
	if err != nil {
		return out, fault.FromAWS(err, "looking for the group of instance "+e.Instance)
	}
	if len(found.AutoScalingInstances) == 0 {
		return out, nil
	}
	group := aws.ToString(found.AutoScalingInstances[0].AutoScalingGroupName)
	cluster, pool, err := h.swarmOf(ctx, group)
	if cluster == nil || err != nil {
		return out, err
	}
	out.Cluster = cluster.Name()
	changed, reason := decide.AnswerInterruption(cluster, e.Instance)
	if out.Reason = reason; changed == nil {
		return out, nil
	}
	target := contract.Target{Cluster: cluster.Name()}
	cause := contract.Cause{Source: "trail", Who: e.Source, What: "a Spot instance is taken back", Why: reason, EventId: e.ID}
	wish := decide.NewOperation(h.NewID(), contract.KindRepair, target, cluster.Spec.Team, cluster.Generation, cause, h.Now())
	wish.NodePool = pool
	operation, writes, err := intake.Enqueue(ctx, h.Store, wish)
	if err != nil {
		return out, err
	}
	out.Operation = operation.ID
	seen := store.Seen("trail", e.ID, h.Now().Add(intake.Remembered))
	return out, h.Store.Commit(ctx, append(writes, store.UpdateCluster(*changed), seen)...)
}

// swarmOf is the swarm of ours that an Auto Scaling group is of, and its node pool; nil
// when it is of none.
func (h *Handler) swarmOf(ctx context.Context, group string) (*model.Cluster, string, error) {
	name, pool, ok := decide.PoolOfSwarmGroup(group)
	if !ok {
		return nil, "", nil
	}
	cluster, err := h.Store.Cluster(ctx, name)
	if fault.IsNotFound(err) {
		return nil, "", nil
	}
	if err != nil || cluster.Facts.Swarm == nil || cluster.Facts.Swarm.AutoScalingGroups[pool] != group {
		return nil, "", err
	}
	return cluster, pool, nil
}
