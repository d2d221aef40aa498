package simulated

import (
	"context"
	"slices"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// service is a service with the release that was applied last (target) and the
// one that was last rolled out (effective; number 0 before the first).
type service struct {
	name      string
	desired   int
	target    orchestrator.Release
	effective orchestrator.Release
	state     orchestrator.RolloutState
	reason    string
	starved   string
	failed    int
	removing  bool
	tasks     []*task
}

func (s *service) global() bool { return s.target.Spec.Mode == contract.Global }

// active is the release that tasks are started of.
func (s *service) active() orchestrator.Release {
	if s.state == orchestrator.Failed {
		return s.effective
	}
	return s.target
}

func (o *Orchestrator) find(name string) *service {
	for _, s := range o.services {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (o *Orchestrator) existing(name string) (*service, error) {
	if s := o.find(name); s != nil {
		return s, nil
	}
	return nil, fault.New(fault.NotFound, "there is no service %q", name)
}

// Apply implements orchestrator.Services.
func (o *Orchestrator) Apply(ctx context.Context, release orchestrator.Release) error {
	return o.do(ctx, "Apply", func() error {
		s := o.find(release.Service.Name)
		if s == nil {
			s = &service{name: release.Service.Name}
			o.services = append(o.services, s)
			s.begin(release)
			return nil
		}
		if s.removing {
			return fault.New(fault.Conflict, "service %q is being removed", s.name)
		}
		retried := s.state == orchestrator.Failed && s.target.Operation != release.Operation
		if s.target.Number != release.Number || s.target.Image != release.Image || retried {
			s.begin(release)
		}
		s.desired = release.Replicas
		return nil
	})
}

func (s *service) begin(release orchestrator.Release) {
	s.target, s.desired = release, release.Replicas
	s.state, s.reason, s.starved, s.failed = orchestrator.InProgress, "", "", 0
}

// Observe implements orchestrator.Services.
func (o *Orchestrator) Observe(
	ctx context.Context, ref orchestrator.ServiceRef,
) (orchestrator.Observation, error) {
	var seen orchestrator.Observation
	err := o.do(ctx, "Observe", func() error {
		s, err := o.existing(ref.Name)
		if err != nil {
			return err
		}
		seen = orchestrator.Observation{
			Desired: o.wanted(s), Failed: s.failed, InEffect: s.effective.Number,
			Rollout: orchestrator.Rollout{
				Release: s.target.Number, State: s.state, Reason: s.why(),
			},
		}
		if !s.global() {
			seen.Desired = s.desired
		}
		if s.target.Number == 0 {
			seen.Foreign = s.target.Image
		}
		for _, t := range s.tasks {
			switch t.state {
			case orchestrator.TaskPending:
				seen.Pending++
			case orchestrator.TaskRunning, orchestrator.TaskStopping:
				seen.Running++
			}
		}
		return nil
	})
	return seen, err
}

// Scale implements orchestrator.Services.
func (o *Orchestrator) Scale(
	ctx context.Context, ref orchestrator.ServiceRef, replicas int,
) error {
	return o.do(ctx, "Scale", func() error {
		s, err := o.existing(ref.Name)
		switch {
		case err != nil:
			return err
		case s.removing:
			return fault.New(fault.Conflict, "service %q is being removed", s.name)
		case s.global():
			return fault.New(fault.Conflict, "service %q runs on each node once", s.name)
		case replicas < 0:
			return fault.New(fault.Invalid, "%d is no number of tasks", replicas)
		}
		s.desired = replicas
		return nil
	})
}

// Remove implements orchestrator.Services.
func (o *Orchestrator) Remove(
	ctx context.Context, ref orchestrator.ServiceRef,
) (left []string, err error) {
	err = o.do(ctx, "Remove", func() error {
		s := o.find(ref.Name)
		if s == nil {
			return nil
		}
		if !s.removing {
			s.removing, s.desired = true, 0
			o.schedule()
		}
		for _, t := range s.tasks {
			if t.state != orchestrator.TaskStopped {
				left = append(left, t.id)
			}
		}
		if len(left) > 0 {
			left = append(left, s.name)
			return nil
		}
		o.services = slices.DeleteFunc(o.services, func(x *service) bool { return x == s })
		return nil
	})
	return left, err
}

// Tasks implements orchestrator.Tasks.
func (o *Orchestrator) Tasks(
	ctx context.Context, query orchestrator.TaskQuery,
) (orchestrator.TaskPage, error) {
	var result orchestrator.TaskPage
	err := o.do(ctx, "Tasks", func() error {
		s := o.find(query.Service.Name)
		if s == nil {
			return nil
		}
		var tasks []orchestrator.Task
		for _, t := range s.tasks {
			if query.Stopped != t.lives() {
				tasks = append(tasks, t.seen(s.name))
			}
		}
		var err error
		result.Tasks, result.Next, err = page(tasks, query.Limit, query.Next)
		return err
	})
	return result, err
}

func (t *task) seen(service string) orchestrator.Task {
	return orchestrator.Task{
		ID: t.id, Service: service, Node: t.node.id, Release: t.release, Image: t.image,
		Role: t.role, State: t.state, Healthy: t.healthy, Reason: t.reason,
		StartedAt: t.startedAt, StoppedAt: t.stopped,
	}
}

// Names returns the names of all services that exist, in the order of creation.
func (o *Orchestrator) Names() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	for _, s := range o.services {
		names = append(names, s.name)
	}
	return names
}

// ChangeByHand runs another image in place of the release, as somebody does who
// goes past Portolan. It panics when there is no such service.
func (o *Orchestrator) ChangeByHand(name, image string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.catchUp()
	s := o.find(name)
	release := s.target
	release.Number, release.Image = 0, image
	release.Replicas = s.desired
	s.begin(release)
	o.catchUp()
}
