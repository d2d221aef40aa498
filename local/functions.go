package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/functions/alarm"
	"portolan/functions/api"
	"portolan/functions/autoscale"
	"portolan/functions/dispatch"
	"portolan/functions/node"
	"portolan/functions/operation"
	"portolan/functions/pipeline"
	"portolan/functions/service"
	"portolan/functions/signal"
	"portolan/functions/stack"
	"portolan/functions/survey"
	"portolan/functions/swarm"
	"portolan/functions/sweep"
	"portolan/functions/sweeper"
	"portolan/functions/trail"
	"portolan/functions/upgrade"
	"portolan/local/states"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

// A Builder builds a function's handler from what the function is given.
type Builder func(*environment.Environment) lambda.Handler

// handlers builds each function's handler as its lambda/main.go does.
var handlers = map[string]Builder{
	"AlarmFunction":     of(alarm.New, (*alarm.Handler).Handle),
	"ApiFunction":       of(api.New, (*api.Handler).Handle),
	"AutoscaleFunction": of(autoscale.New, (*autoscale.Handler).Handle),
	"DispatchFunction":  of(dispatch.New, (*dispatch.Handler).Handle),
	"NodeFunction":      of(node.New, (*node.Handler).Handle),
	"OperationFunction": of(operation.New, (*operation.Handler).Handle),
	"PipelineFunction":  of(pipeline.New, (*pipeline.Handler).Handle),
	"ServiceFunction":   of(service.New, (*service.Handler).Handle),
	"SignalFunction":    of(signal.New, (*signal.Handler).Handle),
	"StackFunction":     of(stack.New, (*stack.Handler).Handle),
	"SurveyFunction":    of(survey.New, (*survey.Handler).Handle),
	"SwarmFunction":     of(swarm.New, (*swarm.Handler).Handle),
	"SweeperFunction":   of(sweeper.New, (*sweeper.Handler).Handle),
	"SweepFunction":     of(sweep.New, (*sweep.Handler).Handle),
	"TrailFunction":     of(trail.New, (*trail.Handler).Handle),
	"UpgradeFunction":   of(upgrade.New, (*upgrade.Handler).Handle),
}

func of[H, In, Out any](build func(*environment.Environment) *H,
	handle func(*H, context.Context, In) (Out, error)) Builder {
	return func(env *environment.Environment) lambda.Handler {
		h := build(env)
		return invoked[In, Out](fault.Boundary(func(ctx context.Context, in In) (Out, error) {
			return handle(h, ctx, in)
		}))
	}
}

// invoked is a function as Lambda invokes it, JSON in and JSON out. lambda.NewHandler is
// for an environment with one call at a time: what its Invoke answers is a buffer that it
// has given back already, and another call may be writing into.
type invoked[In, Out any] func(context.Context, In) (Out, error)

// Invoke decodes the payload, runs the function and encodes its answer.
func (f invoked[In, Out]) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var in In
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, err
	}
	out, err := f(ctx, in)
	if err != nil {
		return nil, err
	}
	var answer bytes.Buffer
	encoder := json.NewEncoder(&answer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(answer.Bytes(), []byte("\n")), nil
}

// A runtime runs functions as Lambda does: with a time-out, under a role of their
// own, and with errors named as the Go runtime names them.
type runtime struct {
	functions map[string]*runnable // by name and by ARN
	log       *slog.Logger
}

type runnable struct {
	name    string
	timeout time.Duration
	handler lambda.Handler
}

// newRuntime builds the handlers of all functions of the deployment. around may be
// nil.
func newRuntime(functions []function, config func(role string) aws.Config, base environment.Environment,
	around func(string, *environment.Environment, Builder) lambda.Handler) (*runtime, error) {
	if around == nil {
		around = func(_ string, env *environment.Environment, build Builder) lambda.Handler { return build(env) }
	}
	out := &runtime{functions: map[string]*runnable{}, log: base.Log}
	for _, f := range functions {
		build, ok := handlers[f.logicalID]
		if !ok {
			return nil, fmt.Errorf("template.yaml has a function %s that nothing here runs", f.logicalID)
		}
		env := base
		env.AWS = config(f.logicalID)
		env.Log = base.Log.With("function", f.name)
		env.Variables = func(name string) string { return f.variables[name] }
		made := &runnable{name: f.name, timeout: f.timeout, handler: around(f.logicalID, &env, build)}
		out.functions[f.name], out.functions[f.arn] = made, made
	}
	return out, nil
}

// invoke runs a function and waits for its answer. A function that fails is a
// *states.FunctionError.
func (r *runtime) invoke(ctx context.Context, name string, payload []byte) (answer []byte, err error) {
	f, ok := r.functions[name]
	if !ok {
		return nil, &states.CallError{Name: "Lambda.ResourceNotFoundException",
			Cause: "Function not found: " + name}
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	defer func() {
		if panicked := recover(); panicked != nil {
			err = functionError("Runtime.ExitError", fmt.Sprint("panic: ", panicked))
		}
	}()
	answer, err = f.handler.Invoke(ctx, payload)
	return answer, asFunctionError(err)
}

// asFunctionError names an error as the Go runtime does.
func asFunctionError(err error) error {
	if err == nil {
		return nil
	}
	var named messages.InvokeResponse_Error
	if errors.As(err, &named) {
		return functionError(named.Type, named.Message)
	}
	return functionError(reflect.TypeOf(err).String(), err.Error())
}

func functionError(kind, message string) *states.FunctionError {
	payload, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message})
	if err != nil {
		slog.Error("encoding a function's error", "error", err)
	}
	return &states.FunctionError{Type: kind, Payload: payload}
}
