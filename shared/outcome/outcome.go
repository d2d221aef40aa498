// Package outcome writes how operations end, and what becomes of those whose
// execution died: the operation, what its end means for the target, and the lease,
// in one transaction.
//
// It must never know how an operation is carried out.
package outcome

import (
	"context"
	"time"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/store"
)

// Store is the part of the store that is read.
type Store interface {
	Cluster(ctx context.Context, name string) (*model.Cluster, error)
	Service(ctx context.Context, cluster, name string) (*model.Service, error)
	Job(ctx context.Context, cluster, name string) (*model.Job, error)
}

// Writes returns the writes of an end: the operation's, and the target's, which may
// not exist. The caller adds what becomes of the lease. A Conflict on Commit means
// that the target changed meanwhile.
func Writes(ctx context.Context, s Store, ended model.Operation) ([]store.Write, error) {
	writes := store.EndOperation(ended)
	switch {
	case ended.Target.Policy != "":
		return writes, nil
	case ended.Target.Job != "":
		job, err := s.Job(ctx, ended.Target.Cluster, ended.Target.Job)
		if err != nil {
			return writes, fault.IgnoreNotFound(err)
		}
		return append(writes, store.UpdateJob(decide.FinishJob(*job, ended))), nil
	case ended.Target.Service != "":
		service, err := s.Service(ctx, ended.Target.Cluster, ended.Target.Service)
		if err != nil {
			return writes, fault.IgnoreNotFound(err)
		}
		return append(writes, store.UpdateService(decide.FinishService(*service, ended))), nil
	}
	cluster, err := s.Cluster(ctx, ended.Target.Cluster)
	if err != nil {
		return writes, fault.IgnoreNotFound(err)
	}
	return append(writes, store.UpdateCluster(decide.FinishCluster(*cluster, ended))), nil
}

// TakeOver returns what becomes of a running operation whose execution died or
// lost its lease, and the writes that make it so. Whatever the old execution still
// does is behind the fence from then on.
//
// Its Commit is a Conflict when somebody else was faster, or the operation ended
// meanwhile.
func TakeOver(ctx context.Context, s Store, o model.Operation, lease model.Lease, loss decide.Loss,
	now time.Time) (model.Operation, []store.Write, error) {
	cluster, err := s.Cluster(ctx, o.Target.Cluster)
	if fault.IsNotFound(err) {
		cluster, err = nil, nil
	}
	if err != nil {
		return o, nil, err
	}
	next := decide.TakeOver(o, lease.Token+1, loss, decide.Remains(o, cluster), now)
	if next.Ended() {
		_, free := store.TakeLease(lease, "", time.Time{})
		writes, err := Writes(ctx, s, next)
		return next, append([]store.Write{free}, writes...), err
	}
	_, take := store.TakeLease(lease, o.ID, decide.LeaseUntil(next))
	return next, []store.Write{take, store.UpdateTakenOver(next, o.Token)}, nil
}
