package states

import (
	"errors"
	"fmt"

	"portolan/local/states/asl"
	"portolan/local/states/value"
	"portolan/local/wire"
)

// startNested is the integration states:startExecution. Without a name the
// execution's is made of its parent and task, so that a task that is started
// again after a restart starts nothing twice.
func (s *Server) startNested(parent string, t *task) (any, error) {
	p, _ := t.payload.(*value.Object)
	if p == nil {
		p = value.NewObject(0)
	}
	machine, _ := p.Get("StateMachineArn")
	arn, _ := machine.(string)
	name, _ := p.Get("Name")
	called, _ := name.(string)
	if called == "" {
		called = nestedName(parent, t.id)
	}
	input, ok := p.Get("Input")
	if !ok {
		input = value.NewObject(0)
	}
	written, isText := input.(string)
	if !isText {
		written = value.Text(input)
	}
	x, err := s.Start(arn, called, written)
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return nil, &CallError{"StepFunctions." + exception(refused.Code), fmt.Sprintf(
			"%s (Service: AWSStepFunctions; Status Code: 400; Error Code: %s; Request ID: %s; Proxy: null)",
			refused.Message, refused.Code, s.newID())}
	}
	if err != nil {
		return nil, err
	}
	return value.Members("ExecutionArn", x.ExecutionArn, "StartDate", milliseconds(x.StartDate)), nil
}

// exception is an error's code as the Java SDK names its class.
func exception(code string) string {
	const suffix = "Exception"
	if len(code) >= len(suffix) && code[len(code)-len(suffix):] == suffix {
		return code
	}
	return code + suffix
}

func nestedName(parent string, id int) string {
	return fmt.Sprintf("%s-%d", hashed(parent), id)
}

func (s *Server) newID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.NewID()
}

// follow lets a task wait for the execution that it started.
func (s *Server) follow(x *execution, f *frame, started any) {
	o, _ := started.(*value.Object)
	if o == nil {
		return
	}
	v, _ := o.Get("ExecutionArn")
	arn, _ := v.(string)
	child := s.executions[arn]
	if child == nil {
		s.taskFailed(x, f, fail(asl.ErrTaskFailed, "The execution is gone: "+arn))
		return
	}
	f.task.child = arn
	child.waiters = append(child.waiters, waiter{x.arn, f.id, f.task.id})
	s.touch(child)
	if !child.open() {
		s.notify(child)
	}
}

// notify ends the tasks that waited for the execution.
func (s *Server) notify(child *execution) {
	waiters := child.waiters
	child.waiters = nil
	for _, w := range waiters {
		s.after(func() {
			x := s.executions[w.Execution]
			if x == nil || !x.open() {
				return
			}
			if f := x.frames[w.Frame]; f != nil && f.task != nil && f.task.id == w.Task && f.phase == working {
				s.childEnded(x, f, child)
				s.drive(x)
			}
		})
	}
}

func (s *Server) childEnded(x *execution, f *frame, child *execution) {
	described := child.describeNested(f.task.resource.pattern == patternSync2)
	if child.status == succeeded {
		s.taskSucceeded(x, f, described)
		return
	}
	s.taskFailed(x, f, fail(asl.ErrTaskFailed, value.Text(described)))
}

// describeNested is DescribeExecution in the words of the integration. With
// sync:2 input and output are documents and not text.
func (x *execution) describeNested(documents bool) *value.Object {
	doc := func(v any) any {
		if documents {
			return v
		}
		return value.Text(v)
	}
	included := value.Members("Included", true)
	o := value.Members("ExecutionArn", x.arn)
	if x.failure != nil {
		if x.failure.Cause != nil {
			o.Set("Cause", *x.failure.Cause)
		}
		if x.failure.Name != nil {
			o.Set("Error", *x.failure.Name)
		}
	}
	o.Set("Input", doc(x.input))
	o.Set("InputDetails", included)
	o.Set("Name", x.name)
	if x.hasOutput {
		o.Set("Output", doc(x.output))
		o.Set("OutputDetails", included)
	}
	o.Set("RedriveCount", value.Whole(x.redriven))
	o.Set("RedriveStatus", x.redriveStatus())
	o.Set("StartDate", milliseconds(x.started))
	o.Set("StateMachineArn", x.revision.machineARN)
	o.Set("Status", x.status)
	o.Set("StopDate", milliseconds(x.stopped))
	return o
}
