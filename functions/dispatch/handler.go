// Package dispatch starts the state machine of each operation, once its target's
// lease is free. It is woken by the table's stream: the record that an operation
// was accepted, or that one has ended, is the outbox, and there is no second
// write that could be lost.
//
// It must never know what an operation does.
package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/outcome"
	"portolan/shared/signal"
	"portolan/shared/store"
)

// Store is the part of the store that dispatch uses.
type Store interface {
	outcome.Store
	Queue(ctx context.Context, target string) (store.Queue, error)
	Operation(ctx context.Context, id string) (*model.Operation, error)
	Commit(ctx context.Context, writes ...store.Write) error
}

// Executions starts executions of state machines.
type Executions interface {
	StartExecution(context.Context, *sfn.StartExecutionInput, ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error)
}

// Signals wakes whoever waits for the end of an operation.
type Signals interface {
	Send(ctx context.Context, thing string, s signal.Signal) (woken bool, err error)
}

// Handler handles batches of the table's stream.
type Handler struct {
	Store      Store
	Executions Executions
	Signals    Signals

	// MachinePrefix and the operation's kind make the ARN of its state machine.
	MachinePrefix string
	Now           func() time.Time
	Log           *slog.Logger
}

// A Batch is what Lambda hands over of the table's stream, as far as it is read:
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html.
type Batch struct {
	Records []Record `json:"Records"`
}

// A Record is one change of the table, with the item as it became in DynamoDB's JSON.
type Record struct {
	Change struct {
		SequenceNumber string          `json:"SequenceNumber"`
		NewImage       json.RawMessage `json:"NewImage"`
	} `json:"dynamodb"`
}

// attempts bounds how often dispatch reads a queue again that changes under it.
const attempts = 4

// Handle works through the records in order. The first one that fails is
// reported with all behind it, and so comes again: an operation that cannot be
// dispatched now delays, and is never lost.
func (h *Handler) Handle(ctx context.Context, batch Batch) (events.DynamoDBEventResponse, error) {
	var out events.DynamoDBEventResponse
	for _, record := range batch.Records {
		if err := h.handle(ctx, record.Change.NewImage); err != nil {
			h.Log.ErrorContext(ctx, "a record of the stream has to come again",
				"sequence", record.Change.SequenceNumber, "error", err)
			out.BatchItemFailures = []events.DynamoDBBatchItemFailure{
				{ItemIdentifier: record.Change.SequenceNumber},
			}
			return out, nil
		}
	}
	return out, nil
}

// handle believes what a record shows of its operation only as far as the table confirms:
// the operation may have changed since.
func (h *Handler) handle(ctx context.Context, image json.RawMessage) error {
	operation, isOperation, err := store.OperationOf(image)
	if err != nil || !isOperation {
		return err
	}
	if operation.Ended() && operation.Awaited() {
		status := signal.Signal{Event: "Operation Ended", Status: string(operation.Status)}
		if _, err := h.Signals.Send(ctx, "operation/"+operation.ID, status); err != nil {
			return err
		}
	}
	return h.advance(ctx, operation)
}

// advance sees to it that the oldest operation on the target of one that was shown runs.
func (h *Handler) advance(ctx context.Context, shown model.Operation) error {
	target := model.TargetKey(shown.Target)
	for range attempts {
		operation, err := h.next(ctx, target, shown)
		if fault.IsConflict(err) || fault.IsHalted(err) {
			shown = model.Operation{} // it may be the one that has changed
			continue
		}
		if err != nil || operation == nil {
			return err
		}
		return h.start(ctx, operation)
	}
	return fault.New(fault.Unavailable, "the queue of %s changes faster than it can be read", target)
}

// next returns the operation that has to run now: the holder of the lease, or the
// oldest one that waits, to which it gives the lease. It returns nil when there
// is none.
func (h *Handler) next(ctx context.Context, target string, shown model.Operation) (*model.Operation, error) {
	queue, err := h.Store.Queue(ctx, target)
	if err != nil || len(queue.Operations) == 0 {
		return nil, err
	}
	if queue.Lease.Holder == shown.ID && queue.Lease.Token == shown.Token && !shown.Ended() && !queue.Lease.Free(h.Now()) {
		// Whoever gives the lease anew or ends the operation changes both at once, so what
		// was shown of it before its lease was read still holds.
		return &shown, nil
	}
	if queue.Lease.Holder != "" {
		holder, err := h.Store.Operation(ctx, queue.Lease.Holder)
		switch {
		case fault.IsNotFound(err) || err == nil && holder.Ended():
			// Only a table that was restored has a lease whose operation is over.
		case err != nil:
			return nil, err
		case queue.Lease.Free(h.Now()):
			return h.takeOver(ctx, holder, queue.Lease, decide.Loss{Why: "its lease ran out", Undo: true})
		default:
			// The holder may have been given the lease by a dispatch that died before it
			// started the machine. Starting it again is harmless.
			return holder, nil
		}
	}
	if queue.Operations[0] == shown.ID && shown.Status == contract.OperationPending {
		// What has happened to it since refuses its start.
		return h.give(ctx, queue.Lease, shown)
	}
	return h.first(ctx, queue)
}

// first gives the lease, which nobody holds, to the operation that waits longest.
func (h *Handler) first(ctx context.Context, queue store.Queue) (*model.Operation, error) {
	operation, err := h.Store.Operation(ctx, queue.Operations[0])
	if fault.IsNotFound(err) || err == nil && operation.Ended() {
		err = h.Store.Commit(ctx, store.Unqueue(queue.Lease.Target, queue.Operations[0]))
		if err == nil {
			err = fault.New(fault.Conflict, "operation %s was over and still queued", queue.Operations[0])
		}
	}
	if err != nil {
		return nil, err
	}
	if operation.Status == contract.OperationRunning {
		// Only a table that was restored has an operation that runs without the lease.
		return h.takeOver(ctx, operation, queue.Lease, decide.Loss{Why: "nobody held its lease"})
	}
	return h.give(ctx, queue.Lease, *operation)
}

// give gives the lease to an operation that waits.
func (h *Handler) give(ctx context.Context, lease model.Lease, o model.Operation) (*model.Operation, error) {
	started := decide.Start(o, lease.Token+1, h.Now())
	started.Execution = h.executionARN(&started)
	_, take := store.TakeLease(lease, started.ID, decide.LeaseUntil(started))
	return &started, h.Store.Commit(ctx, take, store.StartOperation(started))
}

func (h *Handler) executionARN(o *model.Operation) string {
	prefix := strings.Replace(h.MachinePrefix, ":stateMachine:", ":execution:", 1)
	return prefix + string(o.Kind) + ":" + o.ExecutionName()
}

// takeOver gives a running operation that lost its lease another attempt, or ends
// it. The end wakes dispatch again.
func (h *Handler) takeOver(ctx context.Context, o *model.Operation, lease model.Lease,
	loss decide.Loss) (*model.Operation, error) {
	next, writes, err := outcome.TakeOver(ctx, h.Store, *o, lease, loss, h.Now())
	if err != nil {
		return nil, err
	}
	if err := h.Store.Commit(ctx, writes...); err != nil {
		return nil, err
	}
	h.Log.WarnContext(ctx, "operation taken over", "operation", o.ID, "kind", o.Kind,
		"target", model.TargetKey(o.Target), "attempt", next.Attempt, "reason", next.Reason)
	return &next, nil
}

// Input is what an operation's state machine starts with.
type Input struct {
	Operation string `json:"operation"`
	Token     int64  `json:"token"`
	Target    string `json:"target"`
	Kind      string `json:"kind"`
	Cluster   string `json:"cluster"`
	Service   string `json:"service,omitempty"`
	Policy    string `json:"policy,omitempty"`
	Job       string `json:"job,omitempty"`
	NodePool  string `json:"nodePool"`
	Node      string `json:"node"`

	// Attempt is 1, or more when the execution takes over from one that died. It undoes
	// what that one did where TakenOver says why.
	Attempt   int    `json:"attempt"`
	TakenOver string `json:"takenOver"`
}

// start starts the operation's state machine under the operation's id and attempt,
// so that a repeat starts nothing twice.
func (h *Handler) start(ctx context.Context, o *model.Operation) error {
	if o.Ended() {
		return nil
	}
	input, err := json.Marshal(Input{
		Operation: o.ID, Token: o.Token, Target: model.TargetKey(o.Target), Kind: string(o.Kind),
		Cluster: o.Target.Cluster, Service: o.Target.Service, Policy: o.Target.Policy, Job: o.Target.Job,
		NodePool: o.NodePool, Node: o.Node, Attempt: o.Attempt, TakenOver: o.TakenOver,
	})
	if err != nil {
		return err
	}
	arn, name, text := h.MachinePrefix+string(o.Kind), o.ExecutionName(), string(input)
	_, err = h.Executions.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &arn, Name: &name, Input: &text,
	})
	var exists *types.ExecutionAlreadyExists
	if errors.As(err, &exists) {
		return nil
	}
	if err != nil {
		return fault.FromAWS(err, "starting the state machine of operation "+o.ID)
	}
	h.Log.InfoContext(ctx, "operation started", "operation", o.ID, "kind", o.Kind,
		"target", model.TargetKey(o.Target), "token", o.Token, "attempt", o.Attempt)
	return nil
}
