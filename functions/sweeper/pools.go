package sweeper

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/drift"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
)

// NodeGroups looks at the managed node groups of clusters in EKS.
type NodeGroups interface {
	DescribeNodegroup(context.Context, *eks.DescribeNodegroupInput, ...func(*eks.Options)) (*eks.DescribeNodegroupOutput, error)
}

// pool compares the sizes of a cluster's node pools with what is wanted, and answers
// drift as the door of CloudTrail does that is told of it. A cluster on ECS has one
// pool, and one in EKS may have several, each of which has a repair of its own.
func (l *look) pool(ctx context.Context, c *model.Cluster) error {
	asked := repairs{}
	for {
		seen, err := l.poolDrift(ctx, c, asked, l.describeAhead)
		if err != nil || seen == (poolSight{}) {
			return err
		}
		before := len(asked)
		err = intake.Settle(func() error { return l.repairPool(ctx, c.Name(), asked) })
		if err != nil || len(asked) == before {
			return err
		}
	}
}

// repairs are the operations that one look asked for, by node pool.
type repairs map[string]string

func (l *look) repairPool(ctx context.Context, cluster string, asked repairs) error {
	pool, answer, err := l.answerPool(ctx, contract.Target{Cluster: cluster}, asked)
	if err != nil || len(answer.Writes) == 0 {
		return err
	}
	if err := l.Store.Commit(ctx, answer.Writes...); err != nil {
		return err
	}
	asked[pool] = answer.Operation
	l.found = append(l.found, Finding{What: "cluster/" + cluster,
		Did: "operation " + answer.Operation + " asked for", Why: answer.Reason})
	return nil
}

// A poolSight is what is wrong with a cluster's node pools: drift is of a size, and down
// are nodes that nobody took away. It is empty when nothing is.
type poolSight struct{ pool, drift, down string }

// poolDrift returns the first pool that is not as it is wanted and whose repair was not
// asked for; of a swarm, all of them are put right, and the pool is empty.
func (h *Handler) poolDrift(ctx context.Context, c *model.Cluster, asked repairs, describe describer) (poolSight, error) {
	if _, all := asked[""]; all {
		return poolSight{}, nil
	}
	if swarm := c.Facts.Swarm; swarm != nil {
		if swarm.Joined == "" || c.Status != contract.ClusterReady {
			return poolSight{}, nil
		}
		return h.swarmDrift(ctx, c, describe)
	}
	seen, err := describe(ctx, groupsOf(c))
	if err != nil {
		return poolSight{}, err
	}
	for _, pool := range c.NodePools {
		group, there := seen[decide.PoolGroups(c)[pool.Name]] // a retirement may have taken it
		if !there || asked[pool.Name] != "" {
			continue
		}
		size := int(aws.ToInt32(group.DesiredCapacity))
		if decide.PoolDrift(pool, size) == "" {
			continue
		}
		resting, err := h.rests(ctx, c, pool.Name)
		if err != nil || resting {
			return poolSight{pool: pool.Name, drift: decide.PoolDrift(pool, size)}, err
		}
	}
	return poolSight{}, nil
}

// rests says whether nobody but the control plane changes a pool's size right now. EKS
// itself starts more nodes while it updates a node group, and takes them away in the end.
func (h *Handler) rests(ctx context.Context, c *model.Cluster, pool string) (bool, error) {
	facts := c.Facts.Kubernetes
	if facts == nil {
		return true, nil
	}
	out, err := h.NodeGroups.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &facts.EKSCluster, NodegroupName: &pool})
	if err != nil {
		return false, fault.IgnoreNotFound(fault.FromAWS(err, "looking at node group "+pool+" of "+facts.EKSCluster))
	}
	return out.Nodegroup.Status == types.NodegroupStatusActive || out.Nodegroup.Status == types.NodegroupStatusDegraded, nil
}

func (h *Handler) answerPool(ctx context.Context, target contract.Target, asked repairs) (pool string, answer drift.Answer, err error) {
	c, err := h.Store.Cluster(ctx, target.Cluster)
	if err != nil {
		return "", answer, err
	}
	seen, err := h.poolDrift(ctx, c, asked, h.describeGroups)
	if err != nil {
		return "", answer, err
	}
	// Newest first, and then the queue, as for a service.
	last, err := h.newest(ctx, target)
	if err != nil {
		return "", answer, err
	}
	queue, err := h.Store.Queue(ctx, model.TargetKey(target))
	if err != nil {
		return "", answer, err
	}
	ours := slices.Collect(maps.Values(asked))
	busy := slices.ContainsFunc(queue.Operations, func(id string) bool { return !slices.Contains(ours, id) })
	a, what := decide.AnswerFound(c, seen.drift, "", busy, last), "the node pool was changed past Portolan, and no event told of it"
	if seen.down != "" {
		a, what = decide.AnswerDown(c, seen.down, busy, last), "the engines of instances that run are not heard of"
	}
	answer, err = drift.Nodes(ctx, h.Store, a, func() model.Operation {
		cause := contract.Cause{Source: "sweeper", Who: "unknown", What: what, Why: a.Drift}
		wish := decide.NewOperation(h.NewID(), contract.KindRepair, target, c.Spec.Team, c.Generation, cause, h.Now())
		wish.NodePool = seen.pool
		return wish
	})
	return seen.pool, answer, err
}
