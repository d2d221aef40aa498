// Package built makes what was built the next release of the services that are
// bound to it: what a pipeline made, or an image that was pushed.
//
// It must never know how it became known what was built, or how a release is
// rolled out.
package built

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/store"
)

// Store is the part of the store that is used.
type Store interface {
	intake.Store
	Binding(ctx context.Context, cluster, name string) (*model.Binding, error)
	Cluster(ctx context.Context, name string) (*model.Cluster, error)
	Service(ctx context.Context, cluster, name string) (*model.Service, error)
	Release(ctx context.Context, cluster, service string, number int64) (*model.Release, error)
	Releases(ctx context.Context, cluster, service string, p store.Page) ([]model.Release, string, error)
	Commit(ctx context.Context, writes ...store.Write) error
}

// DefaultTag is the tag that a binding to a repository waits for when it names none.
const DefaultTag = "latest"

// recentMax is how many releases are looked at for one that was built later.
const recentMax = 20

// A Source is what was built, as far as is known before a binding is looked at.
type Source struct {
	// ID is what is handled once for each binding.
	ID    string
	Cause contract.Cause

	// Build finds out the rest for one binding, or says why nothing can be released.
	Build func(ctx context.Context, b contract.BindingSpec) (decide.Build, string, error)
}

// Decision is what was decided for one binding. Operation and Release are those
// that were asked for; they are empty when there is nothing to do.
type Decision struct {
	Binding   string `json:"binding,omitempty"`
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`
	Release   int64  `json:"release,omitempty"`
	Image     string `json:"image,omitempty"`
	Commit    string `json:"commit,omitempty"`
	Reason    string `json:"reason"`
}

// Releaser asks for releases.
type Releaser struct {
	Store Store
	Now   func() time.Time
	NewID func() string
}

// Release asks for a release of one bound service, once for a source. The index that
// led to the binding lags, so it is read again.
func (r Releaser) Release(ctx context.Context, s Source, found model.Binding) (Decision, error) {
	var decision Decision
	err := intake.Settle(func() (err error) {
		decision, err = r.release(ctx, s, found)
		return err
	})
	return decision, err
}

func (r Releaser) release(ctx context.Context, s Source, found model.Binding) (Decision, error) {
	decision := Decision{Binding: found.Cluster + "/" + found.Name}
	refuse := func(format string, args ...any) (Decision, error) {
		decision.Reason = fmt.Sprintf(format, args...)
		return decision, nil
	}
	b, err := r.Store.Binding(ctx, found.Cluster, found.Name)
	if fault.IsNotFound(err) || err == nil && b.Spec != found.Spec {
		return refuse("the binding was changed meanwhile")
	}
	if err != nil {
		return decision, err
	}
	target := contract.Target{Cluster: b.Cluster, Service: b.Spec.Service}
	decision.Service = model.TargetKey(target)
	c, err := r.Store.Cluster(ctx, b.Cluster)
	if err != nil {
		return decision, err
	}
	if c.Status != contract.ClusterReady {
		return refuse("the cluster is %s and takes no changes", c.Status)
	}
	build, problem, err := s.Build(ctx, b.Spec)
	if err != nil {
		return decision, err
	}
	if problem != "" {
		return refuse("nothing is released: %s", problem)
	}
	decision.Image, decision.Commit = build.Pinned, build.Commit
	change, err := r.decide(ctx, target, build, s.Cause)
	if fault.IsNotFound(err) {
		return refuse("the service does not exist, or has no release to go on from")
	}
	if err != nil {
		return decision, err
	}
	if change.Kind == "" {
		return refuse("nothing is released: %s", change.Reason)
	}
	return r.apply(ctx, s, target, change, decision)
}

func (r Releaser) decide(
	ctx context.Context, t contract.Target, b decide.Build, cause contract.Cause,
) (decide.ServiceChange, error) {
	service, err := r.Store.Service(ctx, t.Cluster, t.Service)
	if err != nil {
		return decide.ServiceChange{}, err
	}
	wanted, err := r.Store.Release(ctx, t.Cluster, t.Service, service.Release)
	if err != nil {
		return decide.ServiceChange{}, err
	}
	recent, _, err := r.Store.Releases(ctx, t.Cluster, t.Service, store.Page{Limit: recentMax})
	if err != nil {
		return decide.ServiceChange{}, err
	}
	deploy, err := intake.Open(ctx, r.Store, t, contract.KindDeploy)
	if err != nil {
		return decide.ServiceChange{}, err
	}
	return decide.ReleaseBuild(*service, wanted, recent, b, deploy != nil, cause, r.Now()), nil
}

func (r Releaser) apply(
	ctx context.Context, s Source, t contract.Target, change decide.ServiceChange, d Decision,
) (Decision, error) {
	now := r.Now()
	wish := decide.NewOperation(r.NewID(), change.Kind, t, change.Service.Team,
		change.Service.Generation, s.Cause, now)
	wish.Release = change.Release.Number
	operation, writes, err := intake.Enqueue(ctx, r.Store, wish)
	if err != nil {
		return d, err
	}
	// The mark comes first, so that what was handled before is no Conflict.
	writes = append([]store.Write{
		store.Seen("pipeline", s.ID+"|"+d.Binding, now.Add(intake.Remembered)),
		store.ClusterTakesChanges(t.Cluster),
		store.UpdateService(change.Service),
		store.CreateRelease(*change.Release),
	}, writes...)
	err = r.Store.Commit(ctx, writes...)
	if errors.Is(err, store.ErrSeen) {
		d.Reason = "the event was handled before"
		return d, nil
	}
	d.Operation, d.Release, d.Reason = operation.ID, change.Release.Number, change.Reason
	return d, err
}
