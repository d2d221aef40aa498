// Package intake turns a wish into one transaction: the change of desired state,
// the operation that carries it out, and the mark of the event that asked.
//
// Desired state is level-triggered: while an operation of the same kind waits for
// its turn on the target, a further wish raises its generation and needs no
// operation of its own.
//
// It must never know what is wished, or call anything but the store.
package intake

import (
	"context"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/store"
)

// Store is the part of the store that intake reads.
type Store interface {
	Queue(ctx context.Context, target string) (store.Queue, error)
	Operation(ctx context.Context, id string) (*model.Operation, error)
}

// joinedMax bounds how many causes of further wishes an operation remembers.
const joinedMax = 10

// Enqueue returns the operation that will carry out the wish, and the writes that
// queue it. That is o itself, or one of its kind which waits already and takes
// over o's generation, release, deadline and, up to ten of them, cause.
//
// Commit the writes together with the change of desired state. A Conflict means
// that the waiting operation started, or took over another wish, meanwhile: load
// everything again and decide anew.
func Enqueue(ctx context.Context, s Store, o model.Operation) (model.Operation, []store.Write, error) {
	queue, err := s.Queue(ctx, model.TargetKey(o.Target))
	if err != nil {
		return o, nil, err
	}
	for _, id := range queue.Operations {
		waiting, err := s.Operation(ctx, id)
		if err != nil {
			return o, nil, err
		}
		if !joins(waiting, &o) {
			continue
		}
		waiting.Generation = max(waiting.Generation, o.Generation)
		waiting.Release = max(waiting.Release, o.Release)
		waiting.Deadline = o.Deadline
		waiting.Wishes++
		if len(waiting.Joined) < joinedMax {
			waiting.Joined = append(waiting.Joined, o.Cause)
		}
		return *waiting, []store.Write{store.JoinOperation(*waiting)}, nil
	}
	return o, store.CreateOperation(o), nil
}

// Open returns the operation of a kind that was not yet carried out on a target, or
// nil.
func Open(ctx context.Context, s Store, t contract.Target, kind contract.OperationKind) (*model.Operation, error) {
	queue, err := s.Queue(ctx, model.TargetKey(t))
	if err != nil {
		return nil, err
	}
	for _, id := range queue.Operations {
		o, err := s.Operation(ctx, id)
		if err != nil {
			return nil, err
		}
		if o.Kind == kind && !o.Ended() {
			return o, nil
		}
	}
	return nil, nil
}

// joins says whether a wish can be left to an operation that waits. One with
// somebody waiting for its end stays as it is.
func joins(waiting, wish *model.Operation) bool {
	return waiting.Status == contract.OperationPending && waiting.Kind == wish.Kind &&
		waiting.NodePool == wish.NodePool && waiting.Parent == wish.Parent
}
