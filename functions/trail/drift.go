package trail

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

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
	case look == decide.LookAtNodes && byEKS(c):
		none.Reason = "EKS itself changes a node group, and the sweeper looks at what comes of it; kept for audit"
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

// nodesDrift compares the size of an Auto Scaling group with that of its node pool. A
// cluster on ECS has one of each; of one in EKS the call names the group. The drift of
// nodes is kept in the audit trail only.
func (h *Handler) nodesDrift(ctx context.Context, c event.Call, cluster *model.Cluster) (drift.Answer, error) {
	pool, name := poolOf(c, cluster)
	if pool == nil {
		return drift.Answer{Reason: "the cluster has no nodes to look at; kept for audit"}, nil
	}
	group, err := h.group(ctx, name)
	if err != nil {
		return drift.Answer{}, err
	}
	if group == nil {
		return drift.Answer{Reason: "the Auto Scaling group is gone; kept for audit"}, nil
	}
	target := contract.Target{Cluster: cluster.Name()}
	busy, err := drift.Busy(ctx, h.Store, target)
	if err != nil {
		return drift.Answer{}, err
	}
	size := int(aws.ToInt32(group.DesiredCapacity))
	answer := decide.AnswerDrift(cluster, decide.PoolDrift(*pool, size), "", busy)
	return drift.Nodes(ctx, h.Store, answer, func() model.Operation {
		wish := h.repair(c, target, cluster.Spec.Team, cluster.Generation, answer)
		wish.NodePool = pool.Name
		return wish
	})
}

// byEKS says whether EKS called for itself, as it does while it replaces the nodes of a node
// group, or does what somebody told it.
func byEKS(c event.Call) bool {
	return strings.HasPrefix(c.InvokedBy, "eks") || strings.Contains(c.Who, ":assumed-role/AWSServiceRoleForAmazonEKSNodegroup/")
}

// poolOf is the node pool that a call was about, and its Auto Scaling group; nil for
// none that is told by its group's size.
func poolOf(c event.Call, cluster *model.Cluster) (pool *model.NodePool, group string) {
	if cluster == nil {
		return nil, ""
	}
	named, _ := c.Request[groupParameter].(string)
	for name, group := range decide.PoolGroups(cluster) {
		if cluster.Facts.ECS != nil || group == named {
			return cluster.Pool(name), group
		}
	}
	return nil, ""
}

// groupParameter names the group in most calls of Auto Scaling.
const groupParameter = "autoScalingGroupName"

// Groups of EKS have names of EKS's own, and a tag that says of which cluster they are:
// https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html.
const (
	nodeGroupPrefix = "eks-"
	nodeGroupTag    = "eks:cluster-name"
)

// clusterOfNodes is the cluster in EKS of which a call named the Auto Scaling group of a
// node pool; nil for any other group, and for one of a cluster that is none of ours.
func (h *Handler) clusterOfNodes(ctx context.Context, c event.Call) (*model.Cluster, error) {
	name, _ := c.Request[groupParameter].(string)
	if c.Service != "autoscaling" || !strings.HasPrefix(name, nodeGroupPrefix) {
		return nil, nil
	}
	group, err := h.group(ctx, name)
	if group == nil || err != nil {
		return nil, err
	}
	for _, tag := range group.Tags {
		if aws.ToString(tag.Key) != nodeGroupTag {
			continue
		}
		cluster, err := h.cluster(ctx, decide.ClusterNames(aws.ToString(tag.Value)), "")
		if pool, _ := poolOf(c, cluster); pool == nil {
			return nil, err
		}
		return cluster, err
	}
	return nil, nil
}

// group returns the Auto Scaling group of that name, or nil when it is gone.
func (h *Handler) group(ctx context.Context, name string) (*types.AutoScalingGroup, error) {
	got, err := h.Groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if err != nil {
		return nil, fault.FromAWS(err, "describing Auto Scaling group "+name)
	}
	if len(got.AutoScalingGroups) == 0 {
		return nil, nil
	}
	return &got.AutoScalingGroups[0], nil
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
