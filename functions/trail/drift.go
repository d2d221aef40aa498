package trail

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/drift"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// drift looks at what a call can have changed. The call itself is only the hint:
// what counts is what runs now, and what is wanted now.
func (h *Handler) drift(
	ctx context.Context, c event.Call, cluster *model.Cluster, service string, by caller,
) (drift.Answer, error) {
	none := drift.Answer{Reason: "kept for audit"}
	look := decide.Suspect(c.Service, c.Name)
	switch {
	case c.Error != "":
		none.Reason = "the call failed and changed nothing; kept for audit"
		return none, nil
	case look == decide.LookAtService && service != "":
		return h.serviceDrift(ctx, c, cluster, service, by)
	case look == decide.LookAtNodes && by.operation == nil:
		return h.nodesDrift(ctx, c, cluster)
	}
	return none, nil
}

func (h *Handler) serviceDrift(
	ctx context.Context, c event.Call, cluster *model.Cluster, name string, by caller,
) (drift.Answer, error) {
	service, err := h.Store.Service(ctx, cluster.Name(), name)
	if fault.IsNotFound(err) {
		return drift.Answer{Reason: "the service is none of ours; kept for audit"}, nil
	}
	if err != nil {
		return drift.Answer{}, err
	}
	// A call of ours is no drift, but may have ended one.
	if by.operation != nil && service.Drift == "" {
		return drift.Answer{Reason: "an operation of ours called; kept for audit"}, nil
	}
	seen, err := h.observe(ctx, cluster, name)
	if err != nil {
		return drift.Answer{}, err
	}
	target := contract.Target{Cluster: cluster.Name(), Service: name}
	busy, err := drift.Busy(ctx, h.Store, target)
	if err != nil {
		return drift.Answer{}, err
	}
	answer := decide.AnswerDrift(cluster, decide.ServiceDrift(service, seen), service.Drift, busy)
	return drift.Service(ctx, h.Store, *service, answer, func() model.Operation {
		return h.repair(c, target, service.Team, service.Generation, answer)
	})
}

// observe returns nil for a service that ECS does not know.
func (h *Handler) observe(
	ctx context.Context, cluster *model.Cluster, service string,
) (*orchestrator.Observation, error) {
	seen, err := h.Services.Observe(ctx, orchestrator.ServiceRef{Cluster: cluster.Ref(), Name: service})
	if fault.IsNotFound(err) {
		return nil, nil
	}
	return &seen, err
}

// nodesDrift compares the size of the cluster's Auto Scaling group with that of its
// node pool; a cluster on ECS has one of each. The drift of nodes is kept in the
// audit trail only.
func (h *Handler) nodesDrift(ctx context.Context, c event.Call, cluster *model.Cluster) (drift.Answer, error) {
	facts := cluster.Facts.ECS
	if facts == nil || facts.AutoScalingGroup == "" || len(cluster.NodePools) != 1 {
		return drift.Answer{Reason: "the cluster has no nodes to look at; kept for audit"}, nil
	}
	got, err := h.Groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{facts.AutoScalingGroup},
	})
	if err != nil {
		return drift.Answer{}, fault.FromAWS(err, "describing Auto Scaling group "+facts.AutoScalingGroup)
	}
	if len(got.AutoScalingGroups) == 0 {
		return drift.Answer{Reason: "the Auto Scaling group is gone; kept for audit"}, nil
	}
	target := contract.Target{Cluster: cluster.Name()}
	busy, err := drift.Busy(ctx, h.Store, target)
	if err != nil {
		return drift.Answer{}, err
	}
	pool := cluster.NodePools[0]
	size := int(aws.ToInt32(got.AutoScalingGroups[0].DesiredCapacity))
	answer := decide.AnswerDrift(cluster, decide.PoolDrift(pool, size), "", busy)
	return drift.Nodes(ctx, h.Store, answer, func() model.Operation {
		wish := h.repair(c, target, cluster.Spec.Team, cluster.Generation, answer)
		wish.NodePool = pool.Name
		return wish
	})
}

func (h *Handler) repair(
	c event.Call, t contract.Target, team string, generation int64, a decide.DriftAnswer,
) model.Operation {
	cause := contract.Cause{
		Source: "trail", What: c.Service + ":" + c.Name + " was called past Portolan",
		Who: c.Who, Why: a.Drift, EventId: c.EventID,
	}
	return decide.NewOperation(h.NewID(), contract.KindRepair, t, team, generation, cause, h.Now())
}
