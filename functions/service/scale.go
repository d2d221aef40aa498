package service

import (
	"context"
	"fmt"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/step"
	"portolan/shared/store"
)

// scaleDeadline is how long tasks may take to start or to stop.
const scaleDeadline = 15 * time.Minute

// scale asks for the number of tasks that is wanted now.
func (h *Handler) scale(ctx context.Context, w *work) (State, error) {
	if err := w.driver.Scale(ctx, w.ref(), w.service.Replicas); err != nil {
		return State{}, err
	}
	return h.watch(w, State{Release: w.service.Release, Generation: w.service.Generation}, scaleDeadline), nil
}

// observeScale counts the tasks. When another number is wanted by now, it asks for
// that one: one operation converges to the newest generation that it sees.
func (h *Handler) observeScale(ctx context.Context, w *work) (State, error) {
	observation, err := h.observe(ctx, w)
	if err != nil {
		return State{}, err
	}
	if observation.Desired != w.service.Replicas && w.service.Generation > w.State.Generation {
		return h.scale(ctx, w)
	}
	verdict, reason := decide.WatchScale(observation, w.service.Replicas, w.State.Deadline, h.Now())
	if observation.Desired != w.service.Replicas && verdict == decide.Progressing {
		// Somebody changed it by hand meanwhile.
		return h.looked(w, w.State, verdict, reason), w.driver.Scale(ctx, w.ref(), w.service.Replicas)
	}
	out := h.looked(w, w.State, verdict, reason)
	switch verdict {
	case decide.Healthy:
		service := seen(*w.service, observation)
		service.Observed = max(service.Observed, w.State.Generation)
		if service.Status == contract.ServiceUnhealthy && service.Release == service.ReleaseObserved {
			service = healthy(service, w.State.Generation)
		}
		return out, h.write(ctx, w, service)
	case decide.Failed:
		out.Left = []string{serviceName(w.service)}
	}
	return out, nil
}

// remove takes the next step of removing a service.
func (h *Handler) remove(ctx context.Context, w *work) (State, error) {
	left, err := w.driver.Remove(ctx, w.ref())
	if err != nil {
		return State{}, err
	}
	out := w.State
	out.Looks++
	out.Verdict, out.Reason, out.Left = decide.Progressing, fmt.Sprintf("still there: %v", left), left
	if len(left) == 0 {
		out.Verdict, out.Reason = decide.Healthy, "the service is removed"
	}
	return out, nil
}

// servicesMax bounds how many services of a cluster are retired by one operation.
const servicesMax = 2000

// retireServices asks at its first look for the retirement of each service of a
// cluster, by an operation of its own, and that its jobs stop, and then counts those that
// are left.
func (h *Handler) retireServices(ctx context.Context, in In) (State, error) {
	operation, err := step.Enter(ctx, h.Store, in.Call)
	if err != nil {
		return State{}, err
	}
	services, err := h.services(ctx, operation.Target.Cluster)
	if err != nil {
		return State{}, err
	}
	retiring, stuck := 0, []string{}
	for _, service := range services {
		switch {
		case service.Status == contract.ServiceRetired:
			continue
		case service.Status == contract.ServiceRetiring:
			retiring++
		case in.State.Looks > 0:
			stuck = append(stuck, serviceName(&service))
		default:
			if err := h.retireService(ctx, in, operation, service); err != nil {
				return State{}, err
			}
			retiring++
		}
	}
	running, err := h.stopJobs(ctx, in, operation)
	if err != nil {
		return State{}, err
	}
	return retirement(in.State, retiring, running, stuck), nil
}

func retirement(s State, retiring, running int, stuck []string) State {
	s.Looks++
	s.Left = stuck
	switch {
	case retiring > 0:
		s.Verdict, s.Reason = decide.Progressing, fmt.Sprintf("%d services are being retired", retiring)
	case running > 0:
		s.Verdict, s.Reason = decide.Progressing, fmt.Sprintf("%d jobs are being stopped", running)
	case len(stuck) > 0:
		s.Verdict, s.Reason = decide.Failed, fmt.Sprintf("%d services could not be retired", len(stuck))
	default:
		s.Verdict, s.Reason = decide.Healthy, "all services are retired"
	}
	return s
}

func (h *Handler) services(ctx context.Context, cluster string) ([]model.Service, error) {
	var all []model.Service
	page := store.Page{Limit: 100}
	for len(all) < servicesMax {
		services, next, err := h.Store.Services(ctx, cluster, page)
		if err != nil {
			return nil, err
		}
		all = append(all, services...)
		if next == "" {
			return all, nil
		}
		page.Next = next
	}
	return nil, fault.New(fault.Invalid, "cluster %s has more than %d services; retire some of them first", cluster, servicesMax)
}

func (h *Handler) retireService(ctx context.Context, in In, parent *model.Operation, service model.Service) error {
	service.Status = contract.ServiceRetiring
	service.Generation++
	target := contract.Target{Cluster: service.Cluster, Service: service.Name}
	cause := parent.Cause
	cause.Source = "operation"
	child := decide.NewOperation(h.NewID(), contract.KindRetire, target, service.Team, service.Generation, cause, h.Now())
	child.Parent = parent.ID
	_, writes, err := intake.Enqueue(ctx, h.Store, child)
	if err != nil {
		return err
	}
	return h.Store.Commit(ctx, append(writes, in.Fence(), store.UpdateService(service))...)
}
