// Package sweep finds what a cluster left behind: whatever still carries its tag.
//
// It must never delete anything: it names what is left, and people or a further
// retirement take it away.
package sweep

import (
	"context"
	"fmt"
	"log/slog"

	"portolan/shared/leftover"
	"portolan/shared/step"
)

// Handler handles the step FindLeft.
type Handler struct {
	Store     step.Store
	Resources leftover.Resources
	Compute   leftover.Compute
	Log       *slog.Logger
}

// In is a call with the state of the machine.
type In struct {
	step.Call
	State State `json:"state"`
}

// State is what the machine carries on: whether the cluster is gone without a
// trace, and what is left of it, by ARN.
type State struct {
	Clean  bool     `json:"clean"`
	Left   []string `json:"left"`
	Reason string   `json:"reason"`
}

// pagesMax bounds how much is looked for; a page names a hundred resources.
const pagesMax = 10

// Handle looks for what carries the cluster's tag.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	if in.Step != "FindLeft" {
		return State{}, in.Unknown("sweep", "FindLeft")
	}
	cluster, err := in.ClusterTarget()
	if err != nil {
		return State{}, err
	}
	if _, err := step.Enter(ctx, h.Store, in.Call); err != nil {
		return State{}, err
	}
	out := State{Left: []string{}, Reason: in.State.Reason}
	found, all, err := leftover.Find(ctx, h.Resources, h.Compute, leftover.Search{Cluster: cluster, PagesMax: pagesMax})
	if err != nil {
		return State{}, err
	}
	out.Left = append(out.Left, found[cluster]...)
	if !all {
		out.Left = append(out.Left, "whatever else carries the cluster's tag: there was too much to look at")
	}
	out.Clean = len(out.Left) == 0
	if out.Reason == "" {
		out.Reason = fmt.Sprintf("%d resources still carry the cluster's tag", len(out.Left))
	}
	h.Log.InfoContext(ctx, "swept", "operation", in.Operation, "cluster", cluster, "left", out.Left)
	return out, nil
}
