package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/problem"
	"portolan/shared/store"
)

const (
	// attempts bounds how often a change is decided anew because somebody else was
	// faster.
	attempts = 3

	// keptFor is how long an answer is kept under its idempotency key.
	keptFor = 24 * time.Hour

	keyHeader = "Idempotency-Key"
)

// A decision is what a request leads to. Without writes nothing changes.
type decision struct {
	answer    answer
	writes    []store.Write
	operation string // id of the operation that carries it out; may be empty
	reason    string
}

// change decides, and writes what was decided together with the answer under the
// request's key. decide is called again when what it loaded was changed meanwhile. A
// request that was answered before is answered so again: its answer is looked for where
// nothing is written, since what it has done itself may be what is in the way, and the
// write is refused where there is one.
func (h *Handler) change(ctx context.Context, r *request,
	decide func(context.Context) (decision, error)) (answer, error) {
	for range attempts {
		d, err := decide(ctx)
		if err != nil || len(d.writes) == 0 {
			if before, err := h.replay(ctx, r); before != nil || err != nil {
				return value(before), err
			}
		}
		if err != nil {
			return answer{}, err
		}
		if len(d.writes) > 0 {
			err = h.Store.Commit(ctx, append(h.kept(r, d.answer), d.writes...)...)
		}
		switch {
		case err == nil:
			h.Log.InfoContext(ctx, "decided", "request", r.id, "what", r.operation.ID, "target", model.TargetKey(r.target()),
				"caller", r.caller, "operation", d.operation, "reason", d.reason)
			return d.answer, nil
		case errors.Is(err, store.ErrSeen):
			before, err := h.replay(ctx, r)
			return value(before), err
		case !fault.IsConflict(err):
			return answer{}, err
		}
	}
	return answer{}, problem.New(problem.Unavailable, "others change the same thing at this moment; try again")
}

func value(a *answer) answer {
	if a == nil {
		return answer{}
	}
	return *a
}

// kept are the writes that keep an answer under the request's key, if it has one.
func (h *Handler) kept(r *request, a answer) []store.Write {
	key := r.parameters[keyHeader]
	if key == "" {
		return nil
	}
	return []store.Write{store.Answered(r.caller, key, store.Answer{
		Request: r.sum(), Status: a.status, Location: a.headers["Location"], Body: a.body,
	}, h.Now().Add(keptFor))}
}

// sum tells this request from others.
func (r *request) sum() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s", r.operation.Method, r.path, r.body))
	return hex.EncodeToString(sum[:])
}

// replay returns what the request was answered before, or nil.
func (h *Handler) replay(ctx context.Context, r *request) (*answer, error) {
	key := r.parameters[keyHeader]
	if key == "" {
		return nil, nil
	}
	before, err := h.Store.Answer(ctx, r.caller, key)
	if fault.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if before.Request != r.sum() {
		return nil, problem.Of(problem.Invalid, []fault.Field{{Pointer: keyHeader,
			Detail: "was used for another request; choose a new key for each change"}})
	}
	a := answer{status: before.Status, body: before.Body}
	if before.Status != http.StatusNoContent {
		a.headers = map[string]string{"Content-Type": "application/json"}
	}
	if before.Location != "" {
		a.headers["Location"] = before.Location
	}
	return &a, nil
}

// A wish is what an operation is asked for.
type wish struct {
	kind       contract.OperationKind
	target     contract.Target
	team       string
	generation int64
	release    int64
	nodePool   string
	node       string
	reason     string
}

// accept turns a wish into a decision: the operation is queued with the writes.
func (h *Handler) accept(ctx context.Context, r *request, w wish, writes ...store.Write) (decision, error) {
	o, queued, err := h.enqueue(ctx, r, w)
	if err != nil {
		return decision{}, err
	}
	a, err := accepted(o)
	return decision{answer: a, writes: append(writes, queued...), operation: o.ID, reason: w.reason}, err
}

func (h *Handler) enqueue(ctx context.Context, r *request, w wish) (model.Operation, []store.Write, error) {
	o := decide.NewOperation(h.NewID(), w.kind, w.target, w.team, w.generation, r.cause(w.reason), h.Now())
	o.Release, o.NodePool, o.Node = w.release, w.nodePool, w.node
	return intake.Enqueue(ctx, h.Store, o)
}

// cause is the request as the cause of an operation.
func (r *request) cause(why string) contract.Cause {
	return contract.Cause{Who: r.caller, What: r.operation.ID, Why: why, Source: "api", EventId: r.id}
}
