package api

import (
	"context"
	"fmt"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/problem"
	"portolan/shared/store"
)

func (h *Handler) upgradeCluster(ctx context.Context, r *request) (answer, error) {
	wanted, err := decode[contract.ClusterVersion](r)
	if err != nil {
		return answer{}, err
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		upgraded, wrong := decide.UpgradeCluster(*c, wanted.Version)
		if err := problem.Of(problem.Invalid, wrong); err != nil {
			return decision{}, err
		}
		if upgraded == nil {
			a, err := ok(clusterView(*c))
			return decision{answer: a, reason: "the cluster has this version already"}, err
		}
		return h.accept(ctx, r, wish{
			kind: contract.KindUpgrade, target: r.target(), team: c.Spec.Team, generation: upgraded.Generation,
			reason: fmt.Sprintf("the cluster is to have version %s instead of %s", wanted.Version, decide.VersionOf(c)),
		}, store.UpdateCluster(*upgraded))
	})
}
