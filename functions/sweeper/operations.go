package sweeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/outcome"
	"portolan/shared/store"
)

// Limits on the operations that one run looks at; the next run goes on behind
// them.
const (
	pagesMax = 3
	pageSize = 100
)

// operations looks at the open operations, oldest first, from where the last run
// came to, and returns where it came to. agenda is its first page, and next the one behind.
func (h *Handler) operations(ctx context.Context, agenda store.Agenda, next string) (string, []Finding, error) {
	var found []Finding
	var failures []error
	read := func(next string) (after string) {
		var err error
		if agenda, after, err = h.Store.Agenda(ctx, store.Page{Limit: pageSize, Next: next}); err != nil {
			failures = append(failures, err)
			return "" // it may be the place that is not there any more
		}
		return after
	}
	if agenda.Cursor.Next != "" {
		next = read(agenda.Cursor.Next)
	}
	for page := 1; ; page++ {
		for _, each := range agenda.Operations {
			did, err := h.operation(ctx, each)
			if err != nil {
				failures = append(failures, fmt.Errorf("looking at operation %s: %w", each.Operation, err))
			}
			found = append(found, did...)
		}
		if next == "" || page == pagesMax {
			return next, found, errors.Join(failures...)
		}
		next = read(next)
	}
}

// operation looks at one operation that the index calls open. The index lags, so
// the operation is read.
func (h *Handler) operation(ctx context.Context, open store.Open) ([]Finding, error) {
	queue, err := h.Store.Queue(ctx, open.Target)
	if err != nil {
		return nil, err
	}
	o, err := h.Store.Operation(ctx, open.Operation)
	switch {
	case fault.IsNotFound(err) || err == nil && o.Ended():
		return h.unqueue(ctx, queue, open)
	case err != nil:
		return nil, err
	case o.Status == contract.OperationPending:
		return h.waiting(ctx, queue, o)
	}
	return h.running(ctx, queue, o)
}

// unqueue removes the mark of an operation that is over. Only a table that was
// restored has such marks.
func (h *Handler) unqueue(ctx context.Context, queue store.Queue, open store.Open) ([]Finding, error) {
	if !slices.Contains(queue.Operations, open.Operation) {
		return nil, nil
	}
	err := h.Store.Commit(ctx, store.Unqueue(open.Target, open.Operation))
	return finding(open.Operation, "taken from its queue", "it is over"), err
}

// waiting wakes dispatch for an operation that is first in its queue and was not
// started.
func (h *Handler) waiting(ctx context.Context, queue store.Queue, o *model.Operation) ([]Finding, error) {
	first := len(queue.Operations) > 0 && queue.Operations[0] == o.ID
	if !first {
		return nil, nil
	}
	if queue.Lease.Holder != "" {
		holder, err := h.Store.Operation(ctx, queue.Lease.Holder)
		if err != nil && !fault.IsNotFound(err) || err == nil && !holder.Ended() {
			return nil, err // it is its turn yet, and it is looked at by itself
		}
	}
	return h.wake(ctx, o, "nobody started it")
}

// lost says whether dispatch had time enough to start an operation.
func (h *Handler) lost(o *model.Operation) bool {
	last := o.CreatedAt
	for _, t := range []time.Time{o.StartedAt, o.WokenAt} {
		if t.After(last) {
			last = t
		}
	}
	return h.Now().Sub(last) >= patience
}

// running sees to it that an execution works for a running operation, and none
// past its deadline.
func (h *Handler) running(ctx context.Context, queue store.Queue, o *model.Operation) ([]Finding, error) {
	if queue.Lease.Holder != o.ID {
		return h.leaseless(ctx, queue, o)
	}
	arn := h.ExecutionPrefix + string(o.Kind) + ":" + o.ExecutionName()
	execution, err := h.Executions.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	late := !h.Now().Before(o.Deadline)
	var none *types.ExecutionDoesNotExist
	switch {
	case errors.As(err, &none) && late:
		return h.takeOver(ctx, o, decide.Loss{Why: "its execution never started", Undo: true})
	case errors.As(err, &none):
		return h.wake(ctx, o, "its execution was never started")
	case err != nil:
		return nil, fault.FromAWS(err, "looking at execution "+arn)
	case execution.Status == types.ExecutionStatusRunning && !late:
		return nil, nil
	case execution.Status == types.ExecutionStatusRunning:
		_, err := h.Executions.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &arn,
			Error: aws.String("Halted"), Cause: aws.String("The operation's deadline has passed.")})
		if err != nil {
			return nil, fault.FromAWS(err, "stopping execution "+arn)
		}
		return h.takeOver(ctx, o, decide.Loss{Why: "its execution still ran, and was stopped", Undo: true})
	}
	return h.takeOver(ctx, o, loss(string(execution.Status), aws.ToString(execution.Cause)))
}

// leaseless wakes dispatch for a running operation that lost its lease and is the
// next in its queue: dispatch takes it over.
func (h *Handler) leaseless(ctx context.Context, queue store.Queue, o *model.Operation) ([]Finding, error) {
	if queue.Lease.Holder != "" || len(queue.Operations) == 0 || queue.Operations[0] != o.ID {
		return nil, nil
	}
	return h.wake(ctx, o, "nobody holds its lease")
}

// wake touches an operation, so that the stream tells dispatch of it.
func (h *Handler) wake(ctx context.Context, o *model.Operation, why string) ([]Finding, error) {
	if !h.lost(o) {
		return nil, nil
	}
	err := h.Store.Commit(ctx, store.WakeOperation(o.ID, h.Now()))
	if fault.IsHalted(err) {
		return nil, nil // it ended meanwhile
	}
	return finding(o.ID, "dispatch woken", why), err
}

// causeMax bounds what is kept of an execution's cause.
const causeMax = 300

// loss is what an execution that is over means for an operation that is not. Only a
// table that was restored does not know of an execution that succeeded.
func loss(status, cause string) decide.Loss {
	text := "its execution ended as " + status + " without the operation's end"
	if cause != "" {
		text += ": " + cause[:min(len(cause), causeMax)]
	}
	return decide.Loss{Why: text, Undo: status != string(types.ExecutionStatusSucceeded)}
}

// died takes an operation over at once when its execution died. Executions of
// others, and those that wrote the end of their operation, are none of its
// business.
func (h *Handler) died(ctx context.Context, in In) ([]Finding, error) {
	id := model.OperationOfExecution(in.Detail.Name)
	o, err := h.Store.Operation(ctx, id)
	if err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	if o.Status != contract.OperationRunning || o.ExecutionName() != in.Detail.Name {
		return nil, nil
	}
	return h.takeOver(ctx, o, loss(in.Detail.Status, in.Detail.Cause))
}

// takeOver gives an operation another attempt or its end, unless it got on since it
// was seen.
func (h *Handler) takeOver(ctx context.Context, seen *model.Operation, loss decide.Loss) ([]Finding, error) {
	var did []Finding
	err := intake.Settle(func() error {
		did = nil
		queue, err := h.Store.Queue(ctx, model.TargetKey(seen.Target))
		if err != nil {
			return err
		}
		o, err := h.Store.Operation(ctx, seen.ID)
		if err != nil {
			return err
		}
		if o.Ended() || o.Attempt != seen.Attempt || queue.Lease.Holder != o.ID {
			return nil
		}
		next, writes, err := outcome.TakeOver(ctx, h.Store, *o, queue.Lease, loss, h.Now())
		if err != nil {
			return err
		}
		what := fmt.Sprintf("taken over by attempt %d", next.Attempt)
		if next.Ended() {
			what = "ended as " + string(next.Status)
		}
		did = finding(o.ID, what, loss.Why)
		return h.Store.Commit(ctx, writes...)
	})
	if fault.IsHalted(err) {
		return nil, nil // it ended meanwhile
	}
	if err != nil {
		return nil, err
	}
	return did, nil
}

func finding(operation, did, why string) []Finding {
	return []Finding{{What: "operation " + operation, Did: did, Why: why}}
}
