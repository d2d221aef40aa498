package trail

import (
	"context"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/drift"
	"portolan/shared/event"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/store"
)

// launched asks for a repair where an instance was launched whose engine nobody lets
// into its swarm: one that Auto Scaling launched in the place of one that died. An
// operation that is at work on the cluster lets in whom it finds.
func (h *Handler) launched(ctx context.Context, e event.Launch) (Out, error) {
	out := Out{What: "launch of " + e.Instance, Reason: "the group is of no swarm of ours"}
	cluster, pool, err := h.swarmOf(ctx, e.Group)
	if cluster == nil || err != nil {
		return out, err
	}
	out.Cluster = cluster.Name()
	target := contract.Target{Cluster: cluster.Name()}
	busy, err := drift.Busy(ctx, h.Store, target)
	if err != nil {
		return out, err
	}
	answer, err := drift.Nodes(ctx, h.Store, decide.AnswerLaunch(cluster, e.Instance, busy), func() model.Operation {
		cause := contract.Cause{Source: "trail", Who: e.Group, What: "an instance was launched",
			Why: "its engine is in no swarm yet", EventId: e.ID}
		wish := decide.NewOperation(h.NewID(), contract.KindRepair, target, cluster.Spec.Team, cluster.Generation, cause, h.Now())
		wish.NodePool = pool
		return wish
	})
	if err != nil {
		return out, err
	}
	if len(answer.Writes) > 0 {
		seen := store.Seen("trail", e.ID, h.Now().Add(intake.Remembered))
		if err := h.Store.Commit(ctx, append(answer.Writes, seen)...); err != nil {
			return out, err
		}
	}
	out.Drift, out.Operation, out.Reason = answer.Text, answer.Operation, answer.Reason
	return out, nil
}
