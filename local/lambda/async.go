package lambda

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/states"
)

// AsyncConfig is what asynchronous invocations are made of.
//
// Invoke runs a function by its ARN and waits for its answer. A function that fails
// is a *states.FunctionError; any other error is trouble of Lambda's own.
//
// DeadLetter takes an event that a function could not handle, with the function's
// last error.
type AsyncConfig struct {
	Clock      *clock.Clock
	Disk       *disk.Disk
	Invoke     func(ctx context.Context, arn string, payload []byte) ([]byte, error)
	DeadLetter func(arn string, payload, failure []byte) error
}

// An Async makes asynchronous invocations: an event that it took is given to its
// function at least once, and again while the function fails, also by the process
// that comes after this one.
type Async struct {
	config AsyncConfig
	agenda *agenda.Agenda
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu     sync.Mutex
	last   uint64
	closed bool
}

// An invocation is an event on its way to a function.
type invocation struct {
	Function string    `json:"function"`
	Payload  []byte    `json:"payload"`
	Since    time.Time `json:"since"`
	Due      time.Time `json:"due"`

	// Failures counts the errors of the function, Refusals those of Lambda itself;
	// Failure is the last of the function's.
	Failures int    `json:"failures,omitempty"`
	Refusals int    `json:"refusals,omitempty"`
	Failure  []byte `json:"failure,omitempty"`

	key string
}

const (
	asyncBucket = "lambda/invocations"

	// ageMax is how old an event may get before Lambda gives it up.
	ageMax = 6 * time.Hour

	// Trouble of Lambda's own is waited out, at first so long, and at most so long.
	refusalFirst   = time.Second
	refusalLongest = 5 * time.Minute
)

// pauses are those before Lambda's second and third attempt at a function that
// fails.
var pauses = []time.Duration{time.Minute, 2 * time.Minute}

// NewAsync goes on with the invocations on disk.
func NewAsync(config AsyncConfig) (*Async, error) {
	a := &Async{config: config, agenda: agenda.New(config.Clock)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	err := disk.LoadJSON(config.Disk, asyncBucket, func(key string, i *invocation) {
		i.key = key
		if n, err := strconv.ParseUint(key, 10, 64); err == nil {
			a.last = max(a.last, n)
		}
		a.later(i)
	})
	if err != nil {
		return nil, fmt.Errorf("loading asynchronous invocations: %w", err)
	}
	return a, nil
}

// Close stops where it is. What was taken goes on after a restart from the same
// disk.
func (a *Async) Close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.agenda.Close()
	a.cancel()
	a.work.Wait()
}

// Take takes an event, as the API and other services hand it over: once it returns
// nil, the event is on disk.
func (a *Async) Take(function string, payload []byte) error {
	i := a.invocation(function, payload)
	if err := a.keep(i); err != nil {
		return err
	}
	a.start(i)
	return nil
}

// Run takes an event too, and returns after the first attempt, so that events keep
// their order unless one fails. When it returns an error, the event was not taken.
func (a *Async) Run(ctx context.Context, function string, payload []byte) error {
	i := a.invocation(function, payload)
	_, err := a.config.Invoke(ctx, function, payload)
	failed, ok := errors.AsType[*states.FunctionError](err)
	if !ok || ctx.Err() != nil {
		return err
	}
	return a.failed(i, failed)
}

func (a *Async) invocation(function string, payload []byte) *invocation {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	now := a.config.Clock.Now()
	return &invocation{Function: function, Payload: payload, Since: now, Due: now, key: fmt.Sprintf("%020d", a.last)}
}

func (a *Async) keep(i *invocation) error {
	return a.config.Disk.Update(func(tx *disk.Tx) error { return tx.PutJSON(asyncBucket, i.key, i) })
}

// forget is told to nobody when the disk refuses it: at least once allows to do it
// once more.
func (a *Async) forget(i *invocation) {
	_ = a.config.Disk.Update(func(tx *disk.Tx) error { return tx.Delete(asyncBucket, []byte(i.key)) })
}

func (a *Async) later(i *invocation) { a.agenda.At(i.key, i.Due, func() { a.start(i) }) }

func (a *Async) start(i *invocation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.work.Go(func() { a.attempt(i) })
	}
}

func (a *Async) attempt(i *invocation) {
	_, err := a.config.Invoke(a.ctx, i.Function, i.Payload)
	failed, isFunctions := errors.AsType[*states.FunctionError](err)
	switch {
	case err == nil:
		a.forget(i)
	case a.ctx.Err() != nil:
		// Closing: it stays on disk.
	case isFunctions:
		_ = a.failed(i, failed)
	default:
		_ = a.refused(i, err)
	}
}

// failed notes that the function failed.
func (a *Async) failed(i *invocation, failed *states.FunctionError) error {
	i.Failure = failed.Payload
	if i.Failures >= len(pauses) {
		return a.giveUp(i)
	}
	i.Failures++
	return a.again(i, pauses[i.Failures-1])
}

// refused notes that Lambda itself could not run the function.
func (a *Async) refused(i *invocation, err error) error {
	if len(i.Failure) == 0 {
		i.Failure = []byte(err.Error())
	}
	i.Refusals++
	return a.again(i, min(refusalFirst<<min(i.Refusals-1, 16), refusalLongest))
}

func (a *Async) again(i *invocation, pause time.Duration) error {
	i.Due = a.config.Clock.Now().Add(pause)
	if i.Due.Sub(i.Since) > ageMax {
		return a.giveUp(i)
	}
	err := a.keep(i)
	// What the disk refuses still holds in memory.
	a.later(i)
	return err
}

// giveUp hands the event to the function's dead-letter queue, before it forgets it.
func (a *Async) giveUp(i *invocation) error {
	if err := a.config.DeadLetter(i.Function, i.Payload, i.Failure); err != nil {
		return err
	}
	a.forget(i)
	return nil
}
