package api

import (
	"context"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
)

// recoverCluster asks for a new swarm in the place of one that lost its majority.
func (h *Handler) recoverCluster(ctx context.Context, r *request) (answer, error) {
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		if c.Spec.Orchestrator != contract.Swarm || decide.Adopted(c.Spec) {
			return decision{}, fault.New(fault.Conflict, "cluster %s is no swarm that Portolan made: there is nothing to recover", c.Name())
		}
		return h.accept(ctx, r, wish{
			kind: contract.KindRecover, target: r.target(), team: c.Spec.Team, generation: c.Generation,
			reason: "a team asked for a new swarm in the place of one that lost its majority",
		})
	})
}
