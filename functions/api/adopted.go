package api

import (
	"context"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// surveyCluster asks for another look at what runs on an adopted cluster.
func (h *Handler) surveyCluster(ctx context.Context, r *request) (answer, error) {
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		if !decide.Adopted(c.Spec) {
			return decision{}, notAdopted(c)
		}
		return h.accept(ctx, r, wish{
			kind: contract.KindSurvey, target: r.target(), team: c.Spec.Team,
			generation: c.Generation, reason: "a team asked what runs on the cluster",
		})
	})
}

func notAdopted(c *model.Cluster) error {
	return fault.New(fault.Conflict, "cluster %s is Portolan's own: what runs there are its services", c.Name())
}

// listWorkloads lists what the last survey of a cluster saw.
func (h *Handler) listWorkloads(ctx context.Context, r *request) (answer, error) {
	c, err := h.Store.Cluster(ctx, r.parameters["cluster"])
	if err != nil {
		return answer{}, err
	}
	if !decide.Adopted(c.Spec) {
		return answer{}, notAdopted(c)
	}
	if c.Survey == "" {
		return list(nil, "", workloadView)
	}
	workloads, next, err := h.Store.Workloads(ctx, c.Survey, r.page())
	if err != nil {
		return answer{}, err
	}
	return list(workloads, next, workloadView)
}

func workloadView(w orchestrator.Workload) contract.Workload {
	return contract.Workload{
		Namespace: w.Namespace, Kind: w.Kind, Name: w.Name, Images: w.Images,
		Replicas: w.Replicas, Ready: w.Ready, Managers: w.Managers, Service: w.Service,
	}
}

// putNode drains a node, or lets it take tasks again. Whether there is such a node
// only its orchestrator knows, and the operation says.
func (h *Handler) putNode(ctx context.Context, r *request) (answer, error) {
	wanted, err := decode[contract.NodeChange](r)
	if err != nil {
		return answer{}, err
	}
	w := wish{kind: contract.KindUncordon, target: r.target(), node: r.parameters["node"],
		reason: "the node is to take tasks again"}
	if wanted.Drained {
		w.kind, w.reason = contract.KindDrain, "the node is to be empty"
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		if err := allowed(c, w.kind); err != nil {
			return decision{}, err
		}
		w.team, w.generation = c.Spec.Team, c.Generation
		return h.accept(ctx, r, w)
	})
}

// allowed is a Conflict when an adopted cluster's verbs do not allow a kind of
// operation.
func allowed(c *model.Cluster, kind contract.OperationKind) error {
	if why := decide.Refusal(c, kind); why != "" {
		return fault.New(fault.Conflict, "%s; PATCH the cluster's verbs to allow it", why)
	}
	return nil
}
