package api

import (
	"context"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/problem"
	"portolan/shared/store"
)

func (h *Handler) listPolicies(ctx context.Context, r *request) (answer, error) {
	if _, err := h.Store.Cluster(ctx, r.parameters["cluster"]); err != nil {
		return answer{}, err
	}
	policies, next, err := h.Store.Policies(ctx, r.parameters["cluster"], r.page())
	if err != nil {
		return answer{}, err
	}
	return list(policies, next, policyView)
}

func (h *Handler) getPolicy(ctx context.Context, r *request) (answer, error) {
	p, err := h.Store.Policy(ctx, r.parameters["cluster"], r.parameters["policy"])
	if err != nil {
		return answer{}, err
	}
	return ok(policyView(*p))
}

func (h *Handler) putPolicy(ctx context.Context, r *request) (answer, error) {
	spec, err := decode[contract.PolicySpec](r)
	if err != nil {
		return answer{}, err
	}
	if err := problem.Of(problem.Invalid, decide.CheckPolicy(spec)); err != nil {
		return answer{}, err
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		if err := h.checkPolicyTarget(ctx, spec, c); err != nil {
			return decision{}, err
		}
		current, err := h.Store.Policy(ctx, c.Name(), r.parameters["policy"])
		if fault.IsNotFound(err) {
			current, err = nil, nil
		}
		if err != nil {
			return decision{}, err
		}
		p, changed := decide.PutPolicy(c, r.parameters["policy"], current, spec)
		return h.applyPolicy(ctx, r, p, changed)
	})
}

func (h *Handler) checkPolicyTarget(ctx context.Context, spec contract.PolicySpec, c *model.Cluster) error {
	var service *model.Service
	if spec.Service != "" {
		var err error
		if service, err = h.serviceOrNone(ctx, c.Name(), spec.Service); err != nil {
			return err
		}
	}
	return problem.Of(problem.Invalid, decide.CheckPolicyTarget(spec, c, service))
}

// applyPolicy writes the policy with an operation that looks at its alarm, which
// may be in ALARM since long before.
func (h *Handler) applyPolicy(ctx context.Context, r *request, p model.Policy, changed bool) (decision, error) {
	a, err := ok(policyView(p))
	if err != nil || !changed {
		return decision{answer: a, reason: "the policy is described so already"}, err
	}
	w := wish{kind: contract.KindAutoscale, target: r.target(), team: p.Team, reason: "the policy is new or was changed"}
	o, queued, err := h.enqueue(ctx, r, w)
	if err != nil {
		return decision{}, err
	}
	writes := append([]store.Write{store.ClusterTakesChanges(p.Cluster), store.PutPolicy(p)}, queued...)
	return decision{answer: a, writes: writes, operation: o.ID, reason: decide.DescribePolicy(p.Spec)}, nil
}

func (h *Handler) deletePolicy(ctx context.Context, r *request) (answer, error) {
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		p, err := h.Store.Policy(ctx, c.Name(), r.parameters["policy"])
		if err != nil {
			return decision{}, err
		}
		return decision{
			answer: gone(), reason: "the team wants the policy no more",
			writes: []store.Write{store.DeletePolicy(p.Cluster, p.Name)},
		}, nil
	})
}

func (h *Handler) listDecisions(ctx context.Context, r *request) (answer, error) {
	cluster, policy := r.parameters["cluster"], r.parameters["policy"]
	day, err := h.day(r)
	if err != nil {
		return answer{}, err
	}
	decisions, next, err := h.Store.Decisions(ctx, cluster, policy, day, r.page())
	if err != nil {
		return answer{}, err
	}
	if len(decisions) == 0 {
		// The decisions of a policy outlive it, but a name that never was is an error.
		if _, err := h.Store.Policy(ctx, cluster, policy); err != nil {
			return answer{}, err
		}
	}
	return list(decisions, next, decisionView)
}

// day is the day that was asked for, or today.
func (h *Handler) day(r *request) (string, error) {
	day, given := r.parameters["day"]
	if !given {
		return store.Day(h.Now()), nil
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return "", problem.Of(problem.Malformed, []fault.Field{{Pointer: "day", Detail: "is no day of the calendar"}})
	}
	return day, nil
}
