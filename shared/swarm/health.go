package swarm

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Health implements orchestrator.Orchestrator. It makes two requests, and one of each
// manager where none of them does what it is asked. A swarm whose managers answer and see
// no leader is unhealthy; managers that do not answer are an error.
func (d *Driver) Health(ctx context.Context, cluster orchestrator.ClusterRef) (orchestrator.Health, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return orchestrator.Health{}, err
	}
	out, err := c.swarm(ctx)
	if err != nil {
		if answering := d.answering(ctx, c); fault.IsUnavailable(err) && answering > 0 {
			return orchestrator.Health{State: orchestrator.Unhealthy, Reason: fmt.Sprintf(
				"%d of %d managers answer, and see no leader: the quorum is lost", answering, len(c.facts.Managers))}, nil
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

// pingDeadline is how long an engine may take to say that it is there.
const pingDeadline = 5 * time.Second

// answering counts the managers whose engines are there. One without a leader lets every
// other request wait for longer than there is time.
func (d *Driver) answering(ctx context.Context, c *connection) (count int) {
	for _, address := range c.facts.Managers {
		one, err := d.dial(ctx, c.cluster, c.facts, []string{address})
		if err != nil {
			continue
		}
		timed, cancel := context.WithTimeout(ctx, pingDeadline)
		_, err = one.client.Ping(timed, client.PingOptions{})
		cancel()
		if err == nil {
			count++
		}
	}
	return count
}
