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

	"portolan/shared/built"
	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/event"
	"portolan/shared/model"
	"portolan/shared/store"
)

// Store is the part of the store that the door uses.
type Store interface {
	built.Store
	BindingsOfPipeline(ctx context.Context, pipeline string, p store.Page) ([]model.Binding, string, error)
	BindingsOfRepository(ctx context.Context, repository string, p store.Page) ([]model.Binding, string, error)
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

// bindingsMax bounds how many services one event releases.
const bindingsMax = 100

// Out holds what was decided: for each binding, or for the event as a whole where
// no binding came into play.
type Out struct {
	Decisions []built.Decision `json:"decisions"`
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
	return h.report(ctx, Out{}, built.Decision{Reason: reason})
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
		if b.Spec.Tag == e.Tag || b.Spec.Tag == "" && e.Tag == built.DefaultTag {
			bindings = append(bindings, b)
		}
	}
	image := decide.Image{Repository: decide.RegistryHost(e.Account, e.Region) + "/" + e.Repository, Digest: e.Digest}
	pushed := decide.Build{Text: image.Repository + ":" + e.Tag, Pinned: image.Pinned(), At: e.Time}
	s := built.Source{
		ID: "image/" + e.ID,
		Cause: contract.Cause{
			Source: "pipeline", What: "an image was pushed to " + e.Repository + ":" + e.Tag,
			Who: repositoryARN(e), Why: "it is " + e.Digest, EventId: e.ID,
		},
		Build: func(context.Context, contract.BindingSpec) (decide.Build, string, error) { return pushed, "", nil },
	}
	return h.all(ctx, s, bindings)
}

// all releases what was built to each bound service.
func (h *Handler) all(ctx context.Context, s built.Source, bindings []model.Binding) (Out, error) {
	if len(bindings) == 0 {
		return h.nothing(ctx, "nobody bound: no binding names the source of "+s.ID), nil
	}
	releaser := built.Releaser{Store: h.Store, Now: h.Now, NewID: h.NewID}
	var out Out
	var failures []error
	for _, b := range bindings {
		decision, err := releaser.Release(ctx, s, b)
		if err != nil {
			failures = append(failures, fmt.Errorf("handling binding %s of cluster %s: %w", b.Name, b.Cluster, err))
			continue
		}
		out = h.report(ctx, out, decision)
	}
	return out, errors.Join(failures...)
}

func (h *Handler) report(ctx context.Context, out Out, d built.Decision) Out {
	h.Log.InfoContext(ctx, "decided", "binding", d.Binding, "target", d.Service, "operation", d.Operation,
		"release", d.Release, "image", d.Image, "commit", d.Commit, "reason", d.Reason)
	out.Decisions = append(out.Decisions, d)
	return out
}
