package cluster

import (
	"encoding/json"
	"net/http"

	"github.com/moby/moby/api/types/swarm"
)

// A service is what keeps its tasks running.
type service struct {
	swarm.Service

	// SpecVersion tells one description from the next.
	SpecVersion, PreviousSpecVersion uint64

	// Restarts are how often tasks of a slot or node were replaced, since the
	// description is what it is.
	Restarts map[string]*restarts
}

func (s *service) job() bool { return s.Spec.Mode.ReplicatedJob != nil || s.Spec.Mode.GlobalJob != nil }

func (s *service) global() bool { return s.Spec.Mode.Global != nil || s.Spec.Mode.GlobalJob != nil }

func (c *Cluster) findService(input string) (*service, error) {
	if s, ok := c.services[input]; ok {
		return s, nil
	}
	return find("service", input, c.services, func(s *service) string { return s.Spec.Name })
}

// CreateService makes a service.
func (c *Cluster) CreateService(spec swarm.ServiceSpec) (id string, err error) {
	spec, err = c.completed(spec)
	if err != nil {
		return "", err
	}
	if err := c.checkPorts(spec, ""); err != nil {
		return "", err
	}
	if err := c.checkReferences(spec); err != nil {
		return "", err
	}
	if err := c.checkIngress(spec); err != nil {
		return "", err
	}
	for _, other := range c.services {
		if other.Spec.Name == spec.Name {
			return "", rpc(alreadyExists, "name conflicts with an existing object: service %s already exists", spec.Name)
		}
	}
	s := &service{Restarts: map[string]*restarts{}}
	s.ID, s.Meta, s.Spec = c.newID(), c.meta(), spec
	if s.job() {
		s.JobStatus = &swarm.JobStatus{LastExecution: c.now()}
	}
	c.services[s.ID] = s
	c.allocate(s)
	c.touch(KindService, s.ID)
	c.emit("service", "create", s.ID, spec.Name)
	c.wake(s.ID)
	return s.ID, nil
}

// UpdateService changes a service, or with rollback goes back to what it was before.
func (c *Cluster) UpdateService(input string, version uint64, spec swarm.ServiceSpec, rollback string) error {
	if rollback != "" && rollback != "none" && rollback != "previous" {
		return Errorf(http.StatusInternalServerError, "unrecognized rollback option %s", rollback)
	}
	spec, err := c.completed(spec)
	if err != nil {
		return err
	}
	s, err := c.findService(input)
	if err != nil {
		return err
	}
	if !same(spec.EndpointSpec, s.Spec.EndpointSpec) && spec.EndpointSpec != nil {
		if err := c.checkPorts(spec, s.ID); err != nil {
			return err
		}
	}
	if err := c.checkReferences(spec); err != nil {
		return err
	}
	if err := c.checkIngress(spec); err != nil {
		return err
	}
	switch {
	case modeOf(spec) != modeOf(s.Spec):
		return rpc(unimplemented, "service mode change is not allowed")
	case spec.Name != s.Spec.Name:
		return rpc(unimplemented, "renaming services is not supported")
	case version != s.Version.Index:
		return errOutOfSequence
	case rollback == "previous" && s.PreviousSpec == nil:
		return rpc(failedPrecondition, "service %s does not have a previous spec", s.ID)
	}
	c.change(s, spec, rollback == "previous")
	return nil
}

func (c *Cluster) change(s *service, spec swarm.ServiceSpec, back bool) {
	was := stateOf(s.UpdateStatus)
	if s.JobStatus != nil {
		s.JobStatus.JobIteration.Index++
		s.JobStatus.LastExecution = c.now()
	}
	if back {
		old := s.Spec
		s.Spec, s.PreviousSpec = *s.PreviousSpec, &old
		s.SpecVersion, s.PreviousSpecVersion = s.PreviousSpecVersion, s.SpecVersion
		s.UpdateStatus = &swarm.UpdateStatus{State: swarm.UpdateStateRollbackStarted, Message: "manually requested rollback",
			StartedAt: pointer(c.now())}
	} else {
		old := s.Spec
		s.PreviousSpec, s.PreviousSpecVersion = &old, s.SpecVersion
		s.Spec, s.SpecVersion = spec, s.Version.Index
		s.UpdateStatus = nil
	}
	c.allocate(s)
	delete(c.updates, s.ID)
	delete(c.updated, s.ID)
	c.serviceChanged(s, was)
}

// serviceChanged gives a service its next version, and tells of it.
func (c *Cluster) serviceChanged(s *service, was string) {
	c.bump(&s.Meta)
	c.touch(KindService, s.ID)
	c.emit("service", "update", s.ID, s.Spec.Name, changes("updatestate", was, stateOf(s.UpdateStatus))...)
	c.wake(s.ID)
}

func stateOf(u *swarm.UpdateStatus) string {
	if u == nil {
		return ""
	}
	return string(u.State)
}

// RemoveService forgets a service at once; its tasks are gone once they have stopped.
func (c *Cluster) RemoveService(input string) error {
	s, err := c.findService(input)
	if err != nil {
		return err
	}
	delete(c.services, s.ID)
	delete(c.updates, s.ID)
	delete(c.updated, s.ID)
	c.touch(KindService, s.ID)
	for _, t := range c.tasksOf(s.ID) {
		c.setDesired(t, swarm.TaskStateRemove)
	}
	c.emit("service", "remove", s.ID, s.Spec.Name)
	c.wake(s.ID)
	return nil
}

// Service returns one service; with defaults, what was left open is filled in.
func (c *Cluster) Service(input string, defaults bool) (swarm.Service, error) {
	s, err := c.findService(input)
	if err != nil {
		return swarm.Service{}, err
	}
	view := s.Service
	if defaults {
		view.Spec = interpolated(view.Spec)
	}
	return view, nil
}

// Services returns those that match, with counts of their tasks where they are asked for.
func (c *Cluster) Services(f Filters, status bool) ([]swarm.Service, error) {
	out := []swarm.Service{}
	if err := f.check("name", "id", "label", "mode", "runtime"); err != nil {
		return nil, err
	}
	var counts map[string]*swarm.ServiceStatus
	if status {
		counts = c.count()
	}
	for _, id := range sortedKeys(c.services) {
		s := c.services[id]
		if !f.prefix("name", s.Spec.Name) || !f.prefix("id", id) || !f.labels("label", s.Spec.Labels) ||
			!f.any("mode", modeOf(s.Spec)) || !f.any("runtime", "container") {
			continue
		}
		view := s.Service
		view.ServiceStatus = counts[id]
		out = append(out, view)
	}
	return out, nil
}

// count counts the tasks of all services.
func (c *Cluster) count() map[string]*swarm.ServiceStatus {
	counts := map[string]*swarm.ServiceStatus{}
	for id, s := range c.services {
		counts[id] = &swarm.ServiceStatus{}
		if r := s.Spec.Mode.Replicated; r != nil {
			counts[id].DesiredTasks = *r.Replicas
		}
		if j := s.Spec.Mode.ReplicatedJob; j != nil {
			counts[id].DesiredTasks = *j.MaxConcurrent
		}
	}
	for _, t := range c.tasks {
		n, ok := counts[t.ServiceID]
		if !ok {
			continue
		}
		s := c.services[t.ServiceID]
		if t.Status.State == swarm.TaskStateRunning && t.wanted() {
			n.RunningTasks++
		}
		if s.global() && t.wanted() && !ended(t.Status.State) {
			n.DesiredTasks++
		}
		if t.Status.State == swarm.TaskStateComplete && t.JobIteration != nil && *t.JobIteration == s.JobStatus.JobIteration {
			n.CompletedTasks++
		}
	}
	return counts
}

func modeOf(spec swarm.ServiceSpec) string {
	switch m := spec.Mode; {
	case m.Global != nil:
		return "global"
	case m.ReplicatedJob != nil:
		return "replicated-job"
	case m.GlobalJob != nil:
		return "global-job"
	}
	return "replicated"
}

// same compares what is sent and answered in JSON.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
