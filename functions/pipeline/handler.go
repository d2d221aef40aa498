// Package pipeline is the door for what was built: a CodePipeline execution that
// succeeded, or an image that was pushed to an ECR repository, becomes the next
// release of each service that is bound to it.
//
// It asks CodePipeline and ECR what was built, pins the image by its digest, and
// must never know how a release is rolled out.
package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/store"
)

// Bindings is the part of the store that tells who is bound to a source.
type Bindings interface {
	BindingsOfPipeline(ctx context.Context, pipeline string, p store.Page) ([]model.Binding, string, error)
	BindingsOfRepository(ctx context.Context, repository string, p store.Page) ([]model.Binding, string, error)
	Binding(ctx context.Context, cluster, name string) (*model.Binding, error)
}

// Store is the part of the store that the door uses.
type Store interface {
	intake.Store
	Bindings
	Cluster(ctx context.Context, name string) (*model.Cluster, error)
	Service(ctx context.Context, cluster, name string) (*model.Service, error)
	Release(ctx context.Context, cluster, service string, number int64) (*model.Release, error)
	Releases(ctx context.Context, cluster, service string, p store.Page) ([]model.Release, string, error)
	Commit(ctx context.Context, writes ...store.Write) error
}

// Handler handles executions of pipelines and pushes of images.
type Handler struct {
	Store     Store
	Pipelines Pipelines
	Images    Images
	Now       func() time.Time
	NewID     func() string
	Log       *slog.Logger
}

const (
	// bindingsMax bounds how many services one event releases.
	bindingsMax = 100

	// recentMax is how many releases are looked at for one that was built later.
	recentMax = 20

	// defaultTag is the tag that a binding to a repository waits for when it names
	// none.
	defaultTag = "latest"
)

// Out holds what was decided: for each binding, or for the event as a whole where
// no binding came into play.
type Out struct {
	Decisions []Decision `json:"decisions"`
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

// source is what was built, as far as the event tells. Build finds out the rest
// for one binding, or says why nothing can be released.
type source struct {
	id    string
	cause contract.Cause
	build func(ctx context.Context, b contract.BindingSpec) (decide.Build, string, error)
}

// Handle decides about an event. It is idempotent. The bindings that could not be
// handled are in the error, and the others are not handled again when the event
// comes again.
func (h *Handler) Handle(ctx context.Context, raw json.RawMessage) (Out, error) {
	decoded, err := event.Decode(raw)
	if err != nil {
		return Out{}, err
	}
	switch e := decoded.(type) {
	case event.PipelineExecution:
		return h.execution(ctx, e)
	case event.ImageAction:
		return h.push(ctx, e)
	case event.PipelineAction:
		return h.nothing(ctx, "an action is no execution: nothing to do"), nil
	}
	return h.nothing(ctx, "unknown kind"), nil
}

func (h *Handler) nothing(ctx context.Context, reason string) Out {
	return h.report(ctx, Out{}, Decision{Reason: reason})
}

// push handles an image that was pushed with a tag. Its children of one
// architecture each have none.
func (h *Handler) push(ctx context.Context, e event.ImageAction) (Out, error) {
	if e.Action != "PUSH" || e.Result != "SUCCESS" || e.Tag == "" || e.Digest == "" {
		return h.nothing(ctx, fmt.Sprintf("%s of an image, %s, tag %q: nothing to do", e.Action, e.Result, e.Tag)), nil
	}
	all, _, err := h.Store.BindingsOfRepository(ctx, e.Repository, store.Page{Limit: bindingsMax})
	if err != nil {
		return Out{}, err
	}
	var bindings []model.Binding
	for _, b := range all {
		if b.Spec.Tag == e.Tag || b.Spec.Tag == "" && e.Tag == defaultTag {
			bindings = append(bindings, b)
		}
	}
	image := decide.Image{Repository: registryHost(e.Account, e.Region) + "/" + e.Repository, Digest: e.Digest}
	built := decide.Build{Text: image.Repository + ":" + e.Tag, Pinned: image.Pinned(), At: e.Time}
	s := source{
		id: "image/" + e.ID,
		cause: contract.Cause{
			Source: "pipeline", What: "an image was pushed to " + e.Repository + ":" + e.Tag,
			Who: repositoryARN(e), Why: "it is " + e.Digest, EventId: e.ID,
		},
		build: func(context.Context, contract.BindingSpec) (decide.Build, string, error) { return built, "", nil },
	}
	return h.all(ctx, s, bindings)
}

// all releases what was built to each bound service.
func (h *Handler) all(ctx context.Context, s source, bindings []model.Binding) (Out, error) {
	if len(bindings) == 0 {
		return h.nothing(ctx, "nobody bound: no binding names the source of "+s.id), nil
	}
	var out Out
	var failures []error
	for _, b := range bindings {
		var decision Decision
		err := intake.Settle(func() (err error) {
			decision, err = h.release(ctx, s, b)
			return err
		})
		if err != nil {
			failures = append(failures, fmt.Errorf("handling binding %s of cluster %s: %w", b.Name, b.Cluster, err))
			continue
		}
		out = h.report(ctx, out, decision)
	}
	return out, errors.Join(failures...)
}

// release asks for a release of one bound service. The index that led to the
// binding lags, so it is read again.
func (h *Handler) release(ctx context.Context, s source, found model.Binding) (Decision, error) {
	decision := Decision{Binding: found.Cluster + "/" + found.Name}
	refuse := func(format string, args ...any) (Decision, error) {
		decision.Reason = fmt.Sprintf(format, args...)
		return decision, nil
	}
	b, err := h.Store.Binding(ctx, found.Cluster, found.Name)
	if fault.IsNotFound(err) || err == nil && b.Spec != found.Spec {
		return refuse("the binding was changed meanwhile")
	}
	if err != nil {
		return decision, err
	}
	target := contract.Target{Cluster: b.Cluster, Service: b.Spec.Service}
	decision.Service = model.TargetKey(target)
	c, err := h.Store.Cluster(ctx, b.Cluster)
	if err != nil {
		return decision, err
	}
	if c.Status != contract.ClusterReady {
		return refuse("the cluster is %s and takes no changes", c.Status)
	}
	build, problem, err := s.build(ctx, b.Spec)
	if err != nil {
		return decision, err
	}
	if problem != "" {
		return refuse("nothing is released: %s", problem)
	}
	decision.Image, decision.Commit = build.Pinned, build.Commit
	change, err := h.decide(ctx, target, build, s.cause)
	if fault.IsNotFound(err) {
		return refuse("the service does not exist, or has no release to go on from")
	}
	if err != nil {
		return decision, err
	}
	if change.Kind == "" {
		return refuse("nothing is released: %s", change.Reason)
	}
	return h.apply(ctx, s, target, change, decision)
}

func (h *Handler) decide(
	ctx context.Context, t contract.Target, b decide.Build, cause contract.Cause,
) (decide.ServiceChange, error) {
	service, err := h.Store.Service(ctx, t.Cluster, t.Service)
	if err != nil {
		return decide.ServiceChange{}, err
	}
	wanted, err := h.Store.Release(ctx, t.Cluster, t.Service, service.Release)
	if err != nil {
		return decide.ServiceChange{}, err
	}
	recent, _, err := h.Store.Releases(ctx, t.Cluster, t.Service, store.Page{Limit: recentMax})
	if err != nil {
		return decide.ServiceChange{}, err
	}
	deploy, err := intake.Open(ctx, h.Store, t, contract.KindDeploy)
	if err != nil {
		return decide.ServiceChange{}, err
	}
	return decide.ReleaseBuild(*service, wanted, recent, b, deploy != nil, cause, h.Now()), nil
}

func (h *Handler) apply(
	ctx context.Context, s source, t contract.Target, change decide.ServiceChange, d Decision,
) (Decision, error) {
	now := h.Now()
	wish := decide.NewOperation(h.NewID(), change.Kind, t, change.Service.Team,
		change.Service.Generation, s.cause, now)
	wish.Release = change.Release.Number
	operation, writes, err := intake.Enqueue(ctx, h.Store, wish)
	if err != nil {
		return d, err
	}
	// The mark comes first, so that what was handled before is no Conflict.
	writes = append([]store.Write{
		store.Seen("pipeline", s.id+"|"+d.Binding, now.Add(intake.Remembered)),
		store.ClusterTakesChanges(t.Cluster),
		store.UpdateService(change.Service),
		store.CreateRelease(*change.Release),
	}, writes...)
	err = h.Store.Commit(ctx, writes...)
	if errors.Is(err, store.ErrSeen) {
		d.Reason = "the event was handled before"
		return d, nil
	}
	d.Operation, d.Release, d.Reason = operation.ID, change.Release.Number, change.Reason
	return d, err
}

func (h *Handler) report(ctx context.Context, out Out, d Decision) Out {
	h.Log.InfoContext(ctx, "decided", "binding", d.Binding, "target", d.Service, "operation", d.Operation,
		"release", d.Release, "image", d.Image, "commit", d.Commit, "reason", d.Reason)
	out.Decisions = append(out.Decisions, d)
	return out
}
