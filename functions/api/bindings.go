package api

import (
	"context"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/problem"
	"portolan/shared/store"
)

func (h *Handler) listBindings(ctx context.Context, r *request) (answer, error) {
	if _, err := h.Store.Cluster(ctx, r.parameters["cluster"]); err != nil {
		return answer{}, err
	}
	bindings, next, err := h.Store.Bindings(ctx, r.parameters["cluster"], r.page())
	if err != nil {
		return answer{}, err
	}
	return list(bindings, next, bindingView)
}

func (h *Handler) getBinding(ctx context.Context, r *request) (answer, error) {
	b, err := h.Store.Binding(ctx, r.parameters["cluster"], r.parameters["binding"])
	if err != nil {
		return answer{}, err
	}
	return ok(bindingView(*b))
}

func (h *Handler) putBinding(ctx context.Context, r *request) (answer, error) {
	spec, err := decode[contract.BindingSpec](r)
	if err != nil {
		return answer{}, err
	}
	if err := problem.Of(problem.Invalid, decide.CheckBinding(spec)); err != nil {
		return answer{}, err
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		service, err := h.serviceOrNone(ctx, c.Name(), spec.Service)
		if err != nil {
			return decision{}, err
		}
		if err := problem.Of(problem.Invalid, decide.CheckBindingTarget(spec, c, service)); err != nil {
			return decision{}, err
		}
		current, err := h.Store.Binding(ctx, c.Name(), r.parameters["binding"])
		if fault.IsNotFound(err) {
			current, err = nil, nil
		}
		if err != nil {
			return decision{}, err
		}
		b, changed := decide.PutBinding(c, r.parameters["binding"], current, spec, h.Now())
		d := decision{reason: "the binding is described so already"}
		if changed {
			d.writes = []store.Write{store.ClusterTakesChanges(c.Name()), store.PutBinding(b)}
			d.reason = "the binding is new or was changed"
		}
		d.answer, err = ok(bindingView(b))
		return d, err
	})
}

func (h *Handler) deleteBinding(ctx context.Context, r *request) (answer, error) {
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		b, err := h.Store.Binding(ctx, c.Name(), r.parameters["binding"])
		if err != nil {
			return decision{}, err
		}
		return decision{
			answer: gone(), reason: "the team wants the binding no more",
			writes: []store.Write{store.DeleteBinding(b.Cluster, b.Name)},
		}, nil
	})
}
