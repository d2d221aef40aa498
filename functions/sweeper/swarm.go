package sweeper

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// Nodes looks at the nodes of a cluster.
type Nodes interface {
	ListNodes(ctx context.Context, query orchestrator.NodeQuery) (orchestrator.NodePage, error)
}

// nodesMost bounds how many nodes of a swarm are looked at.
const nodesMost = 2000

// swarmDrift is not empty where the instances of a swarm's groups are no longer those
// that were let in, as when an event of a launch was lost, and where one of them runs
// without its engine, of which no event tells.
func (h *Handler) swarmDrift(ctx context.Context, c *model.Cluster, describe describer) (poolSight, error) {
	names := groupsOf(c)
	seen, err := describe(ctx, names)
	if err != nil {
		return poolSight{}, err
	}
	if len(seen) < len(names) {
		return poolSight{}, nil // a retirement is what may have taken one
	}
	for _, pool := range c.NodePools {
		group, there := seen[c.Facts.Swarm.AutoScalingGroups[pool.Name]]
		if !there {
			continue
		}
		if drift := decide.PoolDrift(pool, int(aws.ToInt32(group.DesiredCapacity))); drift != "" {
			return poolSight{drift: drift}, nil
		}
	}
	var instances []string
	for _, name := range names {
		group := seen[name]
		for _, instance := range group.Instances {
			instances = append(instances, aws.ToString(instance.InstanceId))
		}
	}
	if decide.JoinedDigest(instances) != c.Facts.Swarm.Joined {
		return poolSight{drift: "the swarm's groups have other instances than were let in"}, nil
	}
	return h.nodesDown(ctx, c, instances)
}

// nodesDown sees the nodes of a swarm that are down while their instances run.
func (h *Handler) nodesDown(ctx context.Context, c *model.Cluster, instances []string) (poolSight, error) {
	var all []orchestrator.Node
	query := orchestrator.NodeQuery{Cluster: c.Ref()}
	for len(all) < nodesMost {
		page, err := h.Swarms.ListNodes(ctx, query)
		if err != nil {
			return poolSight{}, err
		}
		all = append(all, page.Nodes...)
		if query.Next = page.Next; query.Next == "" {
			break
		}
	}
	return poolSight{down: decide.NodesDown(all, instances)}, nil
}
