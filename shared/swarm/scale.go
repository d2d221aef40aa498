package swarm

import (
	"context"

	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Scale implements orchestrator.Services. It makes two requests to look and one to change
// the number of tasks. Since the swarm forgets with every change how the last update
// ended, it is written down beside.
func (d *Driver) Scale(ctx context.Context, ref orchestrator.ServiceRef, replicas int) error {
	if replicas < 0 {
		return fault.New(fault.Invalid, "a service has 0 tasks or more, not %d", replicas)
	}
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	s, err := c.ours(ctx, ref)
	switch {
	case err != nil:
		return err
	case isGlobal(s):
		return fault.New(fault.Conflict, "service %q is in global mode: it has one task on each node", ref.Name)
	case removing(s):
		return fault.New(fault.Conflict, "service %q is being removed", ref.Name)
	case replicasOf(s) == replicas:
		return nil
	}
	spec, err := c.remembering(ctx, ref, s)
	if err != nil {
		return err
	}
	spec.Mode = swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: pointer(uint64(replicas))}}
	return c.update(ctx, s, spec)
}

// remembering is the description of a service with what is known of its rollout.
func (c *connection) remembering(ctx context.Context, ref orchestrator.ServiceRef, s *swarm.Service) (swarm.ServiceSpec, error) {
	spec := copyOf(s)
	if spec.Labels[labelRolledOut] == spec.Labels[labelRelease] {
		return spec, nil
	}
	tasks, err := c.tasksOf(ctx, ref)
	if err != nil {
		return spec, err
	}
	seen := observation(s, tasks, c.driver.config.Now())
	if seen.Foreign == "" && seen.InEffect == seen.Rollout.Release {
		spec.Labels[labelRolledOut] = spec.Labels[labelRelease]
	}
	return spec, nil
}
