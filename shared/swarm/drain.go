package swarm

import (
	"context"
	"slices"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// movesMax bounds how many services one call of Drain or Uncordon changes.
const movesMax = 40

// Drain implements orchestrator.Nodes. It makes two requests to look and at most two to
// change the node, one for the services with tasks there, and at most 40 to move them.
//
// A swarm that is told to drain a node stops its tasks first and replaces them
// afterwards. So the node is only paused at first, and each service that replaces tasks
// before they stop is told to keep away from it, which the swarm does as in any rollout
// of the service: its other tasks stay. When none of these is left, the node is drained
// and what else is there stops. A service that finds no other node keeps its task, and
// the node its state: the caller has the deadline.
func (d *Driver) Drain(ctx context.Context, ref orchestrator.NodeRef) error {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	node, err := c.node(ctx, ref.ID)
	if err != nil || node.Spec.Availability == swarm.NodeAvailabilityDrain {
		return err
	}
	if err := d.balance(ctx, ref.Cluster, node.Spec.Labels[LabelInstance], false); err != nil {
		return err
	}
	on, err := c.tasksOn(ctx, ref.ID)
	if err != nil {
		return err
	}
	moving, err := c.moving(ctx, on)
	if err != nil {
		return err
	}
	if len(moving) == 0 || nodeState(&node) == orchestrator.NodeDown {
		return c.changeNode(ctx, &node, func(spec *swarm.NodeSpec) {
			spec.Availability = swarm.NodeAvailabilityDrain
			delete(spec.Labels, labelDraining)
		})
	}
	err = c.changeNode(ctx, &node, func(spec *swarm.NodeSpec) {
		spec.Availability = swarm.NodeAvailabilityPause
		spec.Labels[labelDraining] = "true"
	})
	if err != nil {
		return err
	}
	for i := range moving[:min(len(moving), movesMax)] {
		if err := c.keepAway(ctx, &moving[i], ref.ID); err != nil {
			return err
		}
	}
	return nil
}

// moving are the services of Portolan's that have tasks among these and replace them
// before they stop.
func (c *connection) moving(ctx context.Context, on []swarm.Task) ([]swarm.Service, error) {
	var ids []string
	for i := range on {
		if wantedOn(&on[i]) && on[i].ServiceID != "" {
			ids = append(ids, on[i].ServiceID)
		}
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil, nil
	}
	all, err := c.services(ctx, client.Filters{}.Add("label", labelCluster+"="+c.cluster.Name))
	return slices.DeleteFunc(all, func(s swarm.Service) bool {
		surges := s.Spec.UpdateConfig != nil && s.Spec.UpdateConfig.Order == swarm.UpdateOrderStartFirst
		return !surges || s.Spec.Mode.Replicated == nil || removing(&s) || !slices.Contains(ids, s.ID)
	}), err
}

// keepAway moves the tasks of a service away from a node, and tries it anew where the
// swarm has given it up.
func (c *connection) keepAway(ctx context.Context, s *swarm.Service, node string) error {
	return c.changeService(ctx, s, func(s *swarm.Service) error { return c.keepAwayAsRead(ctx, s, node) })
}

// changeService changes a service. One that the swarm itself changed since it was read, as it
// does for some moments after another manager leads, is read again.
func (c *connection) changeService(ctx context.Context, s *swarm.Service, change func(*swarm.Service) error) error {
	ref := orchestrator.ServiceRef{Cluster: c.cluster, Name: s.Spec.Name}
	return untilInSequence(func(again bool) (err error) {
		if again {
			if s, err = c.service(ctx, ref); err != nil || s == nil {
				return err
			}
		}
		return change(s)
	})
}

func (c *connection) keepAwayAsRead(ctx context.Context, s *swarm.Service, node string) error {
	away := drained + node
	spec, err := c.remembering(ctx, orchestrator.ServiceRef{Cluster: c.cluster, Name: s.Spec.Name}, s)
	if err != nil {
		return err
	}
	constraints := &spec.TaskTemplate.Placement.Constraints
	if slices.Contains(*constraints, away) && updateState(s) != swarm.UpdateStatePaused {
		return nil
	}
	if !slices.Contains(*constraints, away) {
		*constraints = append(*constraints, away)
	}
	return fault.IgnoreNotFound(c.update(ctx, s, spec))
}

// Uncordon implements orchestrator.Nodes. It makes two requests for the node, one to find
// the services that keep away from it, and one for each of these, 40 at most.
func (d *Driver) Uncordon(ctx context.Context, ref orchestrator.NodeRef) error {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	node, err := c.node(ctx, ref.ID)
	if err != nil {
		return err
	}
	if err := c.letBack(ctx, ref.ID); err != nil {
		return err
	}
	err = c.changeNode(ctx, &node, func(spec *swarm.NodeSpec) {
		spec.Availability = swarm.NodeAvailabilityActive
		delete(spec.Labels, labelDraining)
	})
	if err != nil {
		return err
	}
	return d.balance(ctx, ref.Cluster, node.Spec.Labels[LabelInstance], true)
}

// letBack takes back keepAway. No task moves: those that run fit as well as before.
func (c *connection) letBack(ctx context.Context, node string) error {
	all, err := c.services(ctx, client.Filters{}.Add("label", labelCluster+"="+c.cluster.Name))
	if err != nil {
		return err
	}
	away, changes := drained+node, 0
	for i := range all {
		s := &all[i]
		if placement := s.Spec.TaskTemplate.Placement; placement == nil || !slices.Contains(placement.Constraints, away) {
			continue
		}
		if changes++; changes > movesMax {
			return fault.New(fault.Unavailable, "more than %d services keep away from node %q: try again for the rest", movesMax, node)
		}
		if err := c.changeService(ctx, s, func(s *swarm.Service) error { return c.letBackAsRead(ctx, s, away) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) letBackAsRead(ctx context.Context, s *swarm.Service, away string) error {
	spec, err := c.remembering(ctx, orchestrator.ServiceRef{Cluster: c.cluster, Name: s.Spec.Name}, s)
	if err != nil {
		return err
	}
	constraints := &spec.TaskTemplate.Placement.Constraints
	*constraints = slices.DeleteFunc(*constraints, func(one string) bool { return one == away })
	return fault.IgnoreNotFound(c.update(ctx, s, spec))
}
