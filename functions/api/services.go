package api

import (
	"context"
	"fmt"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/problem"
	"portolan/shared/store"
)

func (h *Handler) listServices(ctx context.Context, r *request) (answer, error) {
	if _, err := h.Store.Cluster(ctx, r.parameters["cluster"]); err != nil {
		return answer{}, err
	}
	services, next, err := h.Store.Services(ctx, r.parameters["cluster"], r.page())
	if err != nil {
		return answer{}, err
	}
	there := services[:0]
	for _, v := range services {
		if v.Status != contract.ServiceRetired {
			there = append(there, v)
		}
	}
	return list(there, next, serviceView)
}

func (h *Handler) getService(ctx context.Context, r *request) (answer, error) {
	v, err := h.Store.Service(ctx, r.parameters["cluster"], r.parameters["service"])
	if err != nil {
		return answer{}, err
	}
	release, err := h.wanted(ctx, v)
	if err != nil {
		return answer{}, err
	}
	return ok(describedView(*v, release))
}

// wanted returns the release that is wanted of a service, or nil before the first.
func (h *Handler) wanted(ctx context.Context, v *model.Service) (*model.Release, error) {
	if v == nil || v.Release == 0 {
		return nil, nil
	}
	return h.Store.Release(ctx, v.Cluster, v.Name, v.Release)
}

// serviceOrNone returns a service, or nil when there is none of that name.
func (h *Handler) serviceOrNone(ctx context.Context, cluster, name string) (*model.Service, error) {
	v, err := h.Store.Service(ctx, cluster, name)
	if err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	return v, nil
}

func (h *Handler) putService(ctx context.Context, r *request) (answer, error) {
	spec, err := decode[contract.ServiceSpec](r)
	if err != nil {
		return answer{}, err
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		if err := h.check(r.parameters["service"], spec, c); err != nil {
			return decision{}, err
		}
		name := r.parameters["service"]
		current, err := h.serviceOrNone(ctx, c.Name(), name)
		if err != nil {
			return decision{}, err
		}
		newest, err := h.wanted(ctx, current)
		if err != nil {
			return decision{}, err
		}
		if current != nil && current.Status == contract.ServiceRetiring {
			return decision{}, h.retiring(ctx, r)
		}
		if err := problem.Of(problem.Invalid, decide.CheckMove(current, spec)); err != nil {
			return decision{}, err
		}
		busy, err := h.busy(ctx, r, current)
		if err != nil {
			return decision{}, err
		}
		change := decide.PutService(c, name, current, newest, spec, busy, r.cause("the description is new"), h.Now())
		if err := allowed(c, change.Kind); err != nil {
			return decision{}, err
		}
		return h.applyService(ctx, r, change, current, newest)
	})
}

// busy says whether operations are on their way to what is wanted of a service. There
// are none to look for when it is as it is wanted.
func (h *Handler) busy(ctx context.Context, r *request, current *model.Service) (bool, error) {
	if current == nil || decide.AsWanted(current) {
		return false, nil
	}
	queue, err := h.Store.Queue(ctx, model.TargetKey(r.target()))
	return len(queue.Operations) > 0, err
}

// check refuses what no orchestrator can do, and what the cluster's cannot.
func (h *Handler) check(name string, spec contract.ServiceSpec, c *model.Cluster) error {
	check := h.Checks[c.Spec.Orchestrator]
	if check == nil {
		return fmt.Errorf("there is no check of services for the orchestrator %q", c.Spec.Orchestrator)
	}
	return problem.Of(problem.Invalid, append(decide.CheckService(spec), check(name, spec, c)...))
}

// applyService turns a change of a service into writes.
func (h *Handler) applyService(ctx context.Context, r *request, change decide.ServiceChange,
	current *model.Service, newest *model.Release) (decision, error) {
	if change.Kind == "" {
		a, err := ok(describedView(change.Service, newest))
		return decision{answer: a, reason: change.Reason}, err
	}
	writes := []store.Write{store.ClusterTakesChanges(change.Service.Cluster)}
	if current == nil {
		writes = append(writes, store.CreateService(change.Service))
	} else {
		writes = append(writes, store.UpdateService(change.Service))
	}
	w := wish{
		kind: change.Kind, target: r.target(), team: change.Service.Team,
		generation: change.Service.Generation, reason: change.Reason,
	}
	if change.Release != nil {
		writes = append(writes, store.CreateRelease(*change.Release))
		w.release = change.Release.Number
	}
	return h.accept(ctx, r, w, writes...)
}

// retiring says that a service takes no changes, and which operation to wait for.
func (h *Handler) retiring(ctx context.Context, r *request) error {
	o, err := intake.Open(ctx, h.Store, r.target(), contract.KindRetire)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("service %s of cluster %s is being retired", r.target().Service, r.target().Cluster)
	if o != nil {
		text += " by operation " + o.ID
	}
	return fault.New(fault.Conflict, "%s", text)
}

func (h *Handler) retireService(ctx context.Context, r *request) (answer, error) {
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		if err := allowed(c, contract.KindDeploy); err != nil {
			return decision{}, err // what deploys a service removes it
		}
		v, err := h.Store.Service(ctx, c.Name(), r.parameters["service"])
		if err != nil {
			return decision{}, err
		}
		switch v.Status {
		case contract.ServiceRetired:
			return decision{}, fault.New(fault.NotFound, "service %s of cluster %s was retired", v.Name, c.Name())
		case contract.ServiceRetiring:
			o, err := intake.Open(ctx, h.Store, r.target(), contract.KindRetire)
			if err != nil {
				return decision{}, err
			}
			if o != nil {
				a, err := accepted(*o)
				return decision{answer: a, operation: o.ID, reason: "the service is being retired already"}, err
			}
			// The retirement before this one ended and left something: once more.
		}
		retired := decide.RetireService(*v)
		return h.accept(ctx, r, wish{
			kind: contract.KindRetire, target: r.target(), team: v.Team,
			generation: retired.Generation, reason: "the team wants the service no more",
		}, store.ClusterTakesChanges(c.Name()), store.UpdateService(retired))
	})
}

func (h *Handler) listReleases(ctx context.Context, r *request) (answer, error) {
	cluster, service := r.parameters["cluster"], r.parameters["service"]
	if _, err := h.Store.Service(ctx, cluster, service); err != nil {
		return answer{}, err
	}
	releases, next, err := h.Store.Releases(ctx, cluster, service, r.page())
	if err != nil {
		return answer{}, err
	}
	return list(releases, next, releaseView)
}
