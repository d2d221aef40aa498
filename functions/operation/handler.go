// Package operation writes the ends of operations: the outcome, what it means for
// the target, and the lease given back, in one transaction. That write wakes
// dispatch, which starts the target's next operation.
//
// It must never know how an operation is carried out.
package operation

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/step"
	"portolan/shared/store"
)

// Store is the part of the store that ends operations.
type Store interface {
	step.Store
	Cluster(ctx context.Context, name string) (*model.Cluster, error)
	Service(ctx context.Context, cluster, name string) (*model.Service, error)
	Commit(ctx context.Context, writes ...store.Write) error
}

// Handler handles the step Finish.
type Handler struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger
}

// In is how an operation ended. Left names what a FailedDirty one left behind.
type In struct {
	step.Call
	Status contract.OperationStatus `json:"status"`
	Reason string                   `json:"reason"`
	Left   []string                 `json:"left"`
}

// Out says what was written.
type Out struct {
	Status contract.OperationStatus `json:"status"`
}

// Limits on what an operation keeps of its end.
const (
	reasonMax = 2000
	leftMax   = 100
)

// Handle writes the end. It is Halted when the operation has ended already or
// lost its lease, and a Conflict, to be tried again, when the target changed
// meanwhile.
func (h *Handler) Handle(ctx context.Context, in In) (Out, error) {
	if in.Step != "Finish" {
		return Out{}, in.Unknown("operation", "Finish")
	}
	operation, err := step.Enter(ctx, h.Store, in.Call)
	if err != nil {
		return Out{}, err
	}
	ended := decide.End(*operation, in.Status, shorten(plain(in.Reason)), bound(in.Left), h.Now())
	if !ended.Ended() {
		return Out{}, fault.New(fault.Invalid, "%q is no end of an operation", in.Status)
	}
	writes := append(store.EndOperation(ended), store.ReleaseLease(in.Target, in.Operation, in.Token))
	target, err := h.finishTarget(ctx, ended)
	if err != nil {
		return Out{}, err
	}
	if err := h.Store.Commit(ctx, append(writes, target...)...); err != nil {
		return Out{}, err
	}
	h.Log.InfoContext(ctx, "operation ended", "operation", ended.ID, "kind", ended.Kind,
		"target", in.Target, "status", ended.Status, "reason", ended.Reason, "left", ended.Left)
	return Out{Status: ended.Status}, nil
}

// finishTarget writes what the end means for the operation's target.
func (h *Handler) finishTarget(ctx context.Context, o model.Operation) ([]store.Write, error) {
	switch {
	case o.Target.Policy != "":
		return nil, nil
	case o.Target.Service != "":
		service, err := h.Store.Service(ctx, o.Target.Cluster, o.Target.Service)
		if err != nil {
			return nil, fault.IgnoreNotFound(err)
		}
		return []store.Write{store.UpdateService(decide.FinishService(*service, o))}, nil
	}
	cluster, err := h.Store.Cluster(ctx, o.Target.Cluster)
	if err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	return []store.Write{store.UpdateCluster(decide.FinishCluster(*cluster, o))}, nil
}

// plain makes "Kind: {"errorMessage":"text",…}", which is how a state machine sees
// the error of a function, into "Kind: text".
func plain(reason string) string {
	kind, cause, _ := strings.Cut(reason, ": ")
	var failed struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal([]byte(cause), &failed) != nil || failed.Message == "" {
		return reason
	}
	return kind + ": " + failed.Message
}

func shorten(reason string) string {
	if len(reason) <= reasonMax {
		return reason
	}
	return reason[:reasonMax] + "…"
}

func bound(left []string) []string {
	if len(left) <= leftMax {
		return left
	}
	return append(left[:leftMax:leftMax], "and more")
}
