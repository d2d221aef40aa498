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

func (h *Handler) createCluster(ctx context.Context, r *request) (answer, error) {
	spec, err := decode[contract.ClusterSpec](r)
	if err != nil {
		return answer{}, err
	}
	if err := problem.Of(problem.Invalid, decide.CheckCluster(spec)); err != nil {
		return answer{}, err
	}
	if h.Checks[spec.Orchestrator] == nil {
		return answer{}, problem.Of(problem.Invalid, []fault.Field{{Pointer: "/orchestrator",
			Detail: fmt.Sprintf("Portolan does not run %s yet", spec.Orchestrator)}})
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		taken, err := h.Store.Cluster(ctx, spec.Name)
		switch {
		case err == nil && taken.Status != contract.ClusterRetired:
			return decision{}, fault.New(fault.Conflict, "cluster %s exists already; choose another name", spec.Name)
		case err != nil && !fault.IsNotFound(err):
			return decision{}, err
		}
		c := decide.NewCluster(spec, h.Now())
		w := wish{kind: contract.KindProvision, target: contract.Target{Cluster: c.Name()}, team: c.Spec.Team,
			generation: c.Generation, reason: "a team asked for the cluster"}
		if decide.Adopted(spec) {
			w.kind, w.reason = contract.KindAdopt, "a team has the cluster already"
		}
		return h.accept(ctx, r, w, store.CreateCluster(c))
	})
}

func (h *Handler) listClusters(ctx context.Context, r *request) (answer, error) {
	clusters, next, err := h.Store.Clusters(ctx, r.page())
	if err != nil {
		return answer{}, err
	}
	return list(clusters, next, clusterView)
}

func (h *Handler) getCluster(ctx context.Context, r *request) (answer, error) {
	c, err := h.Store.Cluster(ctx, r.parameters["cluster"])
	if err != nil {
		return answer{}, err
	}
	return ok(clusterView(*c))
}

func (h *Handler) changeCluster(ctx context.Context, r *request) (answer, error) {
	wanted, err := decode[contract.ClusterChange](r)
	if err != nil {
		return answer{}, err
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		changed, wrong := decide.ChangeCluster(*c, wanted)
		if err := problem.Of(problem.Invalid, wrong); err != nil {
			return decision{}, err
		}
		d := decision{reason: "the cluster is so already"}
		if changed != nil {
			d.writes = []store.Write{store.UpdateCluster(*changed)}
			d.reason = fmt.Sprintf("drift is %s, verbs are %q from now on", changed.Spec.Drift, changed.Spec.Adopted.Verbs)
			c = changed
		}
		d.answer, err = ok(clusterView(*c))
		return d, err
	})
}

func (h *Handler) retireCluster(ctx context.Context, r *request) (answer, error) {
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.Store.Cluster(ctx, r.parameters["cluster"])
		if err != nil {
			return decision{}, err
		}
		switch c.Status {
		case contract.ClusterRetiring:
			o, err := intake.Open(ctx, h.Store, r.target(), contract.KindRetire)
			if err != nil {
				return decision{}, err
			}
			if o != nil {
				a, err := accepted(*o)
				return decision{answer: a, operation: o.ID, reason: "the cluster is being retired already"}, err
			}
			// The retirement before this one ended and left something: once more.
		case contract.ClusterReady, contract.ClusterFailed:
		default:
			return decision{}, h.unchangeable(ctx, c)
		}
		retired := decide.RetireCluster(*c)
		return h.accept(ctx, r, wish{
			kind: contract.KindRetire, target: r.target(), team: c.Spec.Team,
			generation: retired.Generation, reason: "the team wants the cluster no more",
		}, store.UpdateCluster(retired))
	})
}

// changeable returns the cluster that the path names, if it takes changes.
func (h *Handler) changeable(ctx context.Context, r *request) (*model.Cluster, error) {
	c, err := h.Store.Cluster(ctx, r.parameters["cluster"])
	if err != nil {
		return nil, err
	}
	if c.Status != contract.ClusterReady {
		return nil, h.unchangeable(ctx, c)
	}
	return c, nil
}

// unchangeable says why a cluster takes no changes, and which operation to wait
// for.
func (h *Handler) unchangeable(ctx context.Context, c *model.Cluster) error {
	kind, doing := contract.KindProvision, "is still being provisioned"
	if decide.Adopted(c.Spec) {
		kind, doing = contract.KindAdopt, "is still being adopted"
	}
	switch c.Status {
	case contract.ClusterRetired:
		return fault.New(fault.NotFound, "cluster %s was retired", c.Name())
	case contract.ClusterFailed:
		return fault.New(fault.Conflict, "cluster %s has failed (%s); retire it", c.Name(), c.Reason)
	case contract.ClusterRetiring:
		kind, doing = contract.KindRetire, "is being retired"
	}
	o, err := intake.Open(ctx, h.Store, contract.Target{Cluster: c.Name()}, kind)
	if err != nil {
		return err
	}
	if o == nil {
		return fault.New(fault.Conflict, "cluster %s %s", c.Name(), doing)
	}
	return fault.New(fault.Conflict, "cluster %s %s by operation %s", c.Name(), doing, o.ID)
}
