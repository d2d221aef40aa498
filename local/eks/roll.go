package eks

import (
	"context"
	"slices"
	"time"
)

func (s *Server) updateNodeGroupVersion(_ context.Context, in *updateInput) (*updateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.repeated(in.Token); ok {
		return shown(u), nil
	}
	g, err := s.findGroup(&nodeGroupInput{in.Cluster, in.Group})
	if err != nil {
		return nil, err
	}
	c, err := s.find(in.Cluster)
	to := in.Version
	if to == "" {
		to = c.Version
	}
	switch {
	case err != nil:
		return nil, err
	case g.Status != active:
		return nil, inUse("Nodegroup %s has status %s", g.Name, g.Status)
	case minor(to) > minor(c.Version):
		return nil, invalid("Requested Nodegroup version %s is newer than the cluster's %s", to, c.Version)
	case minor(to) < minor(g.Version):
		return nil, invalid("Nodegroup cannot be downgraded from %s to %s", g.Version, to)
	}
	g.Status, g.Next = updating, to
	return s.begin(update{Cluster: g.Cluster, Group: g.Name, Token: in.Token, To: to, Due: s.now().Add(updateLook)}, s.groups.With(g))
}

// A rolling is the update of a node group: one node more than is wanted is started, and
// then one after the other of the old ones is cordoned, drained and replaced.
type rolling struct {
	*Server
	update
	group nodeGroup
	nodes []node
}

// roll takes the update of a node group one step on.
func (s *Server) roll(u update) {
	s.mu.Lock()
	g, ok := s.groups.Get(u.Cluster + "/" + u.Group)
	s.mu.Unlock()
	if !ok {
		return
	}
	r := &rolling{Server: s, update: u, group: g, nodes: s.nodes(g)}
	r.Due = s.now().Add(updateLook)
	if r.step() {
		r.Due = time.Time{}
		r.group.Status = active
		r.save()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.keepUpdate(r.update)
}

// step returns whether the update has ended.
func (r *rolling) step() (ended bool) {
	instances, err := r.config.Groups.Instances(r.ctx, r.group.group())
	if err != nil {
		return false
	}
	first := r.Old == nil
	if first {
		r.Old = slices.Clone(instances)
		r.group.Scaling.Desired = len(instances)
		r.save()
	}
	r.Old = slices.DeleteFunc(r.Old, func(id string) bool { return !slices.Contains(instances, id) })
	if len(r.Old) > 0 && len(instances) <= r.group.Scaling.Desired {
		r.resize(r.group.Scaling.Desired + 1)
	}
	if first {
		return false
	}
	switch {
	case r.Draining != "" && slices.Contains(r.Old, r.Draining):
		return r.drainOne(len(r.Old) == 1)
	case len(r.Old) == 0 && r.ready(instances) >= r.group.Scaling.Desired:
		r.resize(r.group.Scaling.Desired)
		r.Status, r.group.Version = successful, r.To
		r.group.ReleaseVersion = r.To + ".2-20261105"
		return true
	case len(r.Old) > 0 && r.ready(instances) > r.group.Scaling.Desired:
		r.Draining, r.Until = r.Old[0], r.now().Add(drainPatience)
	}
	return false
}

// resize makes the Auto Scaling group that large.
func (r *rolling) resize(size int) {
	scaling := r.group.Scaling
	_ = r.config.Groups.ResizeGroup(r.ctx, r.group.group(), scaling.Min, size, max(scaling.Max, size))
}

// save keeps the update and its group.
func (r *rolling) save() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.keepUpdate(r.update, r.groups.With(r.group))
}

// ready counts the nodes of instances that are there.
func (r *rolling) ready(instances []string) (count int) {
	for _, n := range r.nodes {
		if n.ready() && slices.Contains(instances, n.instance()) {
			count++
		}
	}
	return count
}

// drainOne goes on with the node that is drained; the last one is not replaced.
func (r *rolling) drainOne(last bool) (ended bool) {
	for _, n := range r.nodes {
		if n.instance() != r.Draining {
			continue
		}
		if !n.Spec.Unschedulable && r.cordon(r.update.Cluster, n.Name) != nil {
			return false
		}
		left, err := r.drain(r.update.Cluster, n.Name)
		if err != nil || len(left) > 0 && r.now().Before(r.Until) {
			return false
		}
		if len(left) > 0 {
			r.giveUp(n.Name)
			return true
		}
	}
	if r.config.Groups.Terminate(r.ctx, r.Draining, last) == nil {
		r.Draining = ""
	}
	return false
}

// giveUp fails the update on a node whose pods do not go: it takes pods again, and the
// group has its size.
func (r *rolling) giveUp(name string) {
	r.Status = unsuccessful
	r.Errors = []errorDetail{{"PodEvictionFailure", "Reached max retries while trying to evict pods from nodes in node group " + r.group.Name,
		[]string{name}}}
	r.group.Next = r.group.Version
	_ = r.ask(r.update.Cluster, "PATCH", "/api/v1/nodes/"+name, "application/merge-patch+json",
		map[string]any{"spec": map[string]any{"unschedulable": false}}, nil)
}
