package swarm

import (
	"context"
	"slices"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Remove implements orchestrator.Services. The first step takes the service out of the
// load balancer and stops its tasks; when they have ended, the service goes. Each step makes at most four requests of the engines.
func (d *Driver) Remove(ctx context.Context, ref orchestrator.ServiceRef) ([]string, error) {
	facts, err := factsOf(ref.Cluster)
	if err != nil {
		return nil, err
	}
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return nil, err
	}
	s, err := c.service(ctx, ref)
	if err != nil {
		return nil, err
	}
	if s == nil || !isOurs(s, ref) {
		return nil, nil
	}
	// The service goes last: what it had of the load balancer is known by it.
	left := []string{"service " + ref.Name}
	groups, err := d.unroute(ctx, ref, facts, s)
	if err != nil {
		return nil, err
	}
	if !removing(s) {
		return append(left, groups...), c.stop(ctx, s)
	}
	remains, err := c.remains(ctx, ref)
	if err != nil || remains || len(groups) > 0 {
		return append(left, groups...), err
	}
	return left, c.removeService(ctx, s)
}

// stop marks a service and stops its tasks.
func (c *connection) stop(ctx context.Context, s *swarm.Service) error {
	spec := copyOf(s)
	spec.Labels[labelRemoving] = "true"
	if isGlobal(s) {
		spec.TaskTemplate.Placement.Constraints = append(spec.TaskTemplate.Placement.Constraints, removed)
	} else {
		spec.Mode = swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: pointer(uint64(0))}}
	}
	return c.update(ctx, s, spec)
}

func (c *connection) removeService(ctx context.Context, s *swarm.Service) error {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	_, err := c.client.ServiceRemove(ctx, s.ID, client.ServiceRemoveOptions{})
	return fault.IgnoreNotFound(classify(err, "removing service "+s.Spec.Name))
}

// remains says whether a service has tasks that have not ended. Those of nodes that are
// not heard of any more never will.
func (c *connection) remains(ctx context.Context, ref orchestrator.ServiceRef) (bool, error) {
	tasks, err := c.tasksOf(ctx, ref)
	if err != nil {
		return true, err
	}
	left := slices.DeleteFunc(tasks, func(task swarm.Task) bool { return !alive(&task) })
	if len(left) == 0 {
		return false, nil
	}
	nodes, err := c.nodes(ctx)
	if err != nil {
		return true, err
	}
	up := map[string]bool{}
	for i := range nodes {
		up[nodes[i].ID] = nodeState(&nodes[i]) != orchestrator.NodeDown
	}
	return slices.ContainsFunc(left, func(task swarm.Task) bool { return up[task.NodeID] }), nil
}
