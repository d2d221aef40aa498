// Package signal wakes the task of a state machine that waits for a thing: a
// stack, a service's rollout, the end of an operation. The task's token lies in
// the table, where the state machine put it.
//
// A signal only saves time. Whoever waits looks for itself when none comes.
//
// It must never know what a signal is about.
package signal

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"portolan/shared/fault"
)

// Signal is what the waiting task is told. It is a hint: the task looks at the
// thing itself.
type Signal struct {
	Event  string `json:"event"`
	Status string `json:"status,omitempty"`
}

// Store keeps the tokens of waiting tasks.
type Store interface {
	Wait(ctx context.Context, thing string) (token string, err error)
	ForgetWait(ctx context.Context, thing, token string) error
}

// Tasks completes tasks of state machines.
type Tasks interface {
	SendTaskSuccess(context.Context, *sfn.SendTaskSuccessInput, ...func(*sfn.Options)) (*sfn.SendTaskSuccessOutput, error)
}

// Sender sends signals.
type Sender struct {
	Store Store
	Tasks Tasks
}

// Send wakes the task that waits for the thing, if there is one, and says whether
// there was. It is idempotent.
func (s *Sender) Send(ctx context.Context, thing string, what Signal) (woken bool, err error) {
	token, err := s.Store.Wait(ctx, thing)
	if fault.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	output, err := json.Marshal(what)
	if err != nil {
		return false, err
	}
	text := string(output)
	_, err = s.Tasks.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &token, Output: &text})
	if err != nil && !over(err) {
		return false, fault.FromAWS(err, "waking the task that waits for "+thing)
	}
	return err == nil, s.Store.ForgetWait(ctx, thing, token)
}

// over says whether the task no longer waits.
func over(err error) bool {
	var timedOut *types.TaskTimedOut
	var invalid *types.InvalidToken
	var gone *types.TaskDoesNotExist
	return errors.As(err, &timedOut) || errors.As(err, &invalid) || errors.As(err, &gone)
}
