package sweeper

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/drift"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
)

// Groups looks at Auto Scaling groups.
type Groups interface {
	DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
}

// pool compares the size of a cluster's node pool with what is wanted, and answers
// drift as the door of CloudTrail does that is told of it. A cluster on ECS has one
// pool.
func (l *look) pool(ctx context.Context, c *model.Cluster) error {
	drifted, err := l.poolDrift(ctx, c)
	if err != nil || drifted == "" {
		return err
	}
	return intake.Settle(func() error {
		answer, err := l.answerPool(ctx, contract.Target{Cluster: c.Name()})
		if err != nil || len(answer.Writes) == 0 {
			return err
		}
		if err := l.Store.Commit(ctx, answer.Writes...); err != nil {
			return err
		}
		l.found = append(l.found, Finding{What: "cluster/" + c.Name(),
			Did: "operation " + answer.Operation + " asked for", Why: answer.Reason})
		return nil
	})
}

// poolDrift is empty for a pool as it is wanted, and for a cluster without one.
func (h *Handler) poolDrift(ctx context.Context, c *model.Cluster) (string, error) {
	if c.Facts.Swarm != nil && c.Facts.Swarm.Joined != "" && c.Status == contract.ClusterReady {
		return h.swarmDrift(ctx, c)
	}
	facts := c.Facts.ECS
	if facts == nil || facts.AutoScalingGroup == "" || len(c.NodePools) != 1 {
		return "", nil
	}
	got, err := h.Groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{facts.AutoScalingGroup},
	})
	if err != nil {
		return "", fault.FromAWS(err, "describing Auto Scaling group "+facts.AutoScalingGroup)
	}
	if len(got.AutoScalingGroups) == 0 {
		return "", nil // a retirement is what may have taken it
	}
	return decide.PoolDrift(c.NodePools[0], int(aws.ToInt32(got.AutoScalingGroups[0].DesiredCapacity))), nil
}

func (h *Handler) answerPool(ctx context.Context, target contract.Target) (drift.Answer, error) {
	c, err := h.Store.Cluster(ctx, target.Cluster)
	if err != nil {
		return drift.Answer{}, err
	}
	seen, err := h.poolDrift(ctx, c)
	if err != nil {
		return drift.Answer{}, err
	}
	// Newest first, and then the queue, as for a service.
	last, err := h.newest(ctx, target)
	if err != nil {
		return drift.Answer{}, err
	}
	busy, err := drift.Busy(ctx, h.Store, target)
	if err != nil {
		return drift.Answer{}, err
	}
	a := decide.AnswerFound(c, seen, "", busy, last)
	return drift.Nodes(ctx, h.Store, a, func() model.Operation {
		cause := contract.Cause{Source: "sweeper", Who: "unknown",
			What: "the node pool was changed past Portolan, and no event told of it", Why: a.Drift}
		wish := decide.NewOperation(h.NewID(), contract.KindRepair, target, c.Spec.Team, c.Generation, cause, h.Now())
		if c.Facts.Swarm == nil { // of a swarm all pools are put right
			wish.NodePool = c.NodePools[0].Name
		}
		return wish
	})
}
