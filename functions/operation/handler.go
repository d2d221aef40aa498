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
	"portolan/shared/outcome"
	"portolan/shared/step"
	"portolan/shared/store"
)

// Store is the part of the store that ends operations.
type Store interface {
	step.Store
	outcome.Store
	Policies(ctx context.Context, cluster string, p store.Page) ([]model.Policy, string, error)
	Bindings(ctx context.Context, cluster string, p store.Page) ([]model.Binding, string, error)
	Jobs(ctx context.Context, cluster string, p store.Page) ([]model.Job, string, error)
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
	if clusterIsGone(ended) {
		if err := h.forget(ctx, in, ended); err != nil {
			return Out{}, err
		}
	}
	writes, err := outcome.Writes(ctx, h.Store, ended)
	if err != nil {
		return Out{}, err
	}
	writes = append(writes, store.ReleaseLease(in.Target, in.Operation, in.Token))
	if err := h.Store.Commit(ctx, writes...); err != nil {
		return Out{}, err
	}
	h.Log.InfoContext(ctx, "operation ended", "operation", ended.ID, "kind", ended.Kind,
		"target", in.Target, "status", ended.Status, "reason", ended.Reason, "left", ended.Left)
	return Out{Status: ended.Status}, nil
}

// forgetMax bounds how many pages of policies, of bindings and of jobs are read at a
// cluster's end, and forgetPage how many a page has: a transaction takes a hundred
// writes.
const (
	forgetMax  = 20
	forgetPage = 33
)

// forget deletes the policies, bindings and jobs of a cluster that is no more, so that
// one made again under its name inherits nothing. Nobody adds any: a cluster that
// is not ready takes no changes.
func (h *Handler) forget(ctx context.Context, in In, ended model.Operation) error {
	cluster := ended.Target.Cluster
	for range forgetMax {
		policies, _, err := h.Store.Policies(ctx, cluster, store.Page{Limit: forgetPage})
		if err != nil {
			return err
		}
		bindings, _, err := h.Store.Bindings(ctx, cluster, store.Page{Limit: forgetPage})
		if err != nil {
			return err
		}
		jobs, _, err := h.Store.Jobs(ctx, cluster, store.Page{Limit: forgetPage})
		if err != nil {
			return err
		}
		writes := []store.Write{in.Fence()}
		for _, j := range jobs {
			writes = append(writes, store.DeleteJob(cluster, j.Name))
		}
		for _, p := range policies {
			writes = append(writes, store.DeletePolicy(cluster, p.Name))
		}
		for _, b := range bindings {
			writes = append(writes, store.DeleteBinding(cluster, b.Name))
		}
		if len(writes) == 1 {
			return nil
		}
		if err := h.Store.Commit(ctx, writes...); err != nil {
			return err
		}
	}
	return fault.New(fault.Unavailable, "cluster %s has more policies, bindings and jobs than one call deletes", cluster)
}

// clusterIsGone says whether an end leaves nothing of a cluster but its record.
func clusterIsGone(o model.Operation) bool {
	return o.Kind == contract.KindRetire && o.Status == contract.OperationSucceeded &&
		o.Target.Service == "" && o.Target.Policy == "" && o.Target.Job == ""
}

// plain makes "Kind: {"errorMessage":"text",…}", which is how a state machine sees
// the error of a function, into "Kind: text"; and what it sees of another machine that
// failed, which is a description of its execution, into that one's own cause.
func plain(reason string) string {
	kind, cause, _ := strings.Cut(reason, ": ")
	var failed struct {
		Message   string `json:"errorMessage"`
		Execution string `json:"ExecutionArn"`
		Cause     string `json:"Cause"`
	}
	if json.Unmarshal([]byte(cause), &failed) != nil {
		return reason
	}
	switch {
	case failed.Message != "":
		return kind + ": " + failed.Message
	case failed.Execution != "" && failed.Cause != "" && len(failed.Cause) < len(reason):
		return plain(failed.Cause)
	}
	return reason
}

func shorten(reason string) string {
	if len(reason) <= reasonMax {
		return reason
	}
	return strings.ToValidUTF8(reason[:reasonMax], "") + "…" // never half a letter
}

func bound(left []string) []string {
	if len(left) <= leftMax {
		return left
	}
	return append(left[:leftMax:leftMax], "and more")
}
