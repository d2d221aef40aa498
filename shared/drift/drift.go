// Package drift turns what was decided about a drift into what is written: the
// text that tells of it, and the operation that repairs it. Each who finds drift
// answers it alike.
//
// It must never know how drift was found, or how it is repaired.
package drift

import (
	"context"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/store"
)

// An Answer is what is to be written and told about a drift. Operation is the
// repair that was asked for; empty when none was.
type Answer struct {
	Writes    []store.Write
	Text      string
	Operation string
	Reason    string
}

// Service answers the drift of a service. wish makes the repair, when there is to be
// one. Commit the writes together; a Conflict means to look and decide anew.
func Service(
	ctx context.Context, s intake.Store, service model.Service, a decide.DriftAnswer, wish func() model.Operation,
) (Answer, error) {
	out := Answer{Text: a.Drift, Reason: a.Reason}
	if a.Keep {
		service.Drift = a.Drift
		out.Writes = append(out.Writes, store.UpdateService(service))
	}
	return repair(ctx, s, a, wish, out)
}

// Nodes answers the drift of a node pool, which is kept nowhere.
func Nodes(ctx context.Context, s intake.Store, a decide.DriftAnswer, wish func() model.Operation) (Answer, error) {
	return repair(ctx, s, a, wish, Answer{Text: a.Drift, Reason: a.Reason})
}

func repair(
	ctx context.Context, s intake.Store, a decide.DriftAnswer, wish func() model.Operation, out Answer,
) (Answer, error) {
	if !a.Repair {
		return out, nil
	}
	operation, writes, err := intake.Enqueue(ctx, s, wish())
	out.Operation = operation.ID
	out.Writes = append(out.Writes, append(writes, store.ClusterTakesChanges(operation.Target.Cluster))...)
	return out, err
}

// Busy says whether an operation is at work on the target, or waits to be.
func Busy(ctx context.Context, s intake.Store, target contract.Target) (bool, error) {
	queue, err := s.Queue(ctx, model.TargetKey(target))
	return len(queue.Operations) > 0, err
}
