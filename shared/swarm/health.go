package swarm

import (
	"context"
	"fmt"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Health implements orchestrator.Orchestrator. It makes two requests. A swarm whose
// managers answer and see no leader is unhealthy; managers that do not answer are an
// error.
func (d *Driver) Health(ctx context.Context, cluster orchestrator.ClusterRef) (orchestrator.Health, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return orchestrator.Health{}, err
	}
	out, err := c.swarm(ctx)
	if err != nil {
		if leaderless(err.Error()) {
			return orchestrator.Health{State: orchestrator.Unhealthy, Reason: "the swarm has no quorum: " + err.Error()}, nil
		}
		return orchestrator.Health{}, err
	}
	if c.facts.SwarmID != "" && out.Swarm.ID != c.facts.SwarmID {
		return orchestrator.Health{}, fault.New(fault.Conflict, "the managers of cluster %s are in another swarm, %s, and not in %s",
			cluster.Name, out.Swarm.ID, c.facts.SwarmID)
	}
	nodes, err := c.nodes(ctx)
	if err != nil {
		return orchestrator.Health{}, err
	}
	health := orchestrator.Health{State: orchestrator.Healthy, NodesRegistered: len(nodes)}
	if quorum := quorumOf(membersOf(nodes)); !quorum.Kept() {
		health.State = orchestrator.Unhealthy
		health.Reason = fmt.Sprintf("%d of %d managers can be reached", quorum.Reachable, quorum.Managers)
	}
	return health, nil
}
