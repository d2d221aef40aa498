package states

import (
	"errors"
	"fmt"
	"time"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// maxPayload is the most bytes of any input, output or result.
const maxPayload = 256 * 1024

// drive runs the execution until every frame waits for something, or it ended.
// The lock is held: nothing in here waits.
func (s *Server) drive(x *execution) {
	s.touch(x)
	for len(x.ready) > 0 && x.open() {
		f := x.ready[0]
		x.ready = x.ready[1:]
		if f.gone {
			continue
		}
		s.step(x, f)
		if x.overflown && x.open() {
			s.end(x, failed, fail(asl.ErrRuntime,
				fmt.Sprintf("The execution reached the maximum number of history events (%d).", maxEvents)))
		}
	}
	x.ready = nil
}

// step enters the frame's state, and leaves it too where nothing has to be
// waited for.
func (s *Server) step(x *execution, f *frame) {
	st := f.flow.States[f.state]
	if f.phase == entering {
		f.entered = s.now()
		f.enterID = x.record(f, st.Type+"StateEntered", &details{name: st.Name, doc: f.input, hasDoc: true}, f.entered)
		f.retried, f.retries, f.task, f.group = nil, 0, nil, nil
	}
	if err := s.perform(x, f, st); err != nil {
		s.failed(x, f, f.problem(err))
	}
}

// perform does the work of a state. Its error is a *asl.Failure or a *failure.
func (s *Server) perform(x *execution, f *frame, st *asl.State) error {
	switch st.Type {
	case "Pass":
		return s.pass(x, f, st)
	case "Choice":
		return s.choose(x, f, st)
	case "Succeed":
		return s.succeed(x, f, st)
	case "Fail":
		return s.failing(x, f, st)
	case "Wait":
		return s.wait(x, f, st)
	case "Task":
		return s.startTask(x, f, st)
	case "Parallel":
		return s.startParallel(x, f, st)
	}
	return s.startMap(x, f, st)
}

func (f *failure) Error() string { return f.name() + ": " + f.cause() }

// problem puts what went wrong within a state into AWS's words: they name the
// state and the event at which it was entered.
func (f *frame) problem(err error) *failure {
	if known, ok := errors.AsType[*failure](err); ok {
		return known
	}
	bad, ok := errors.AsType[*asl.Failure](err)
	if !ok {
		return fail(asl.ErrRuntime, err.Error())
	}
	if bad.Name == asl.ErrPathConflict {
		return fail(bad.Name, bad.Cause)
	}
	known := fail(bad.Name, fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). %s",
		f.state, f.enterID, bad.Cause))
	known.Final = bad.Name == asl.ErrRuntime
	return known
}

// tooLarge is the failure of a result past the quota. What a state itself made
// too large cannot be caught; what a task returned can.
func tooLarge(of string, final bool) *failure {
	bad := fail(asl.ErrDataLimit, fmt.Sprintf("The state/task '%s' returned a result "+
		"with a size exceeding the maximum number of bytes service limit.", of))
	bad.Final = final
	return bad
}

// effective is the state's input after InputPath and Parameters.
func (s *Server) effective(x *execution, f *frame, st *asl.State) (any, error) {
	scope := s.scope(x, f, f.input)
	input, err := st.InputPath.Apply(scope)
	if err != nil || st.Parameters == nil {
		return input, err
	}
	scope.Input = input
	return st.Parameters.Eval(scope)
}

func (s *Server) pass(x *execution, f *frame, st *asl.State) error {
	result, err := s.effective(x, f, st)
	if err != nil {
		return err
	}
	if st.HasResult {
		result = st.Result
	}
	return s.complete(x, f, st, result)
}

// complete takes a result through ResultSelector, Assign, ResultPath and
// OutputPath, and leaves the state.
func (s *Server) complete(x *execution, f *frame, st *asl.State, result any) error {
	scope := s.scope(x, f, result)
	var err error
	if st.ResultSelector != nil {
		if result, err = st.ResultSelector.Eval(scope); err != nil {
			return err
		}
		scope.Input = result
	}
	assigned, err := assignment(st.Assign, scope)
	if err != nil {
		return err
	}
	output, err := st.ResultPath.Put(f.input, result)
	if err != nil {
		return err
	}
	scope.Input = output
	if output, err = st.OutputPath.Apply(scope); err != nil {
		return err
	}
	return s.leave(x, f, st, output, assigned, st.Next)
}

// assignment computes variables. All of them see the values from before.
func assignment(template *asl.Template, scope *asl.Scope) (*value.Object, error) {
	if template == nil {
		return nil, nil
	}
	v, err := template.Eval(scope)
	if err != nil {
		return nil, err
	}
	assigned, ok := v.(*value.Object)
	if !ok || assigned.Len() == 0 {
		return nil, nil
	}
	if value.Size(assigned, maxPayload) > maxPayload {
		return nil, &failure{Name: new(asl.ErrDataLimit), Final: true,
			Cause: new("The size of the assigned variables exceeds the maximum number of bytes service limit.")}
	}
	return assigned, nil
}

// leave ends the state: the frame goes on with the next one, or is done.
func (s *Server) leave(x *execution, f *frame, st *asl.State, output any, assigned *value.Object, next string) error {
	if value.Size(output, maxPayload) > maxPayload {
		return tooLarge(st.Name, true)
	}
	if assigned != nil {
		f.assign(assigned)
	}
	x.record(f, st.Type+"StateExited", &details{name: st.Name, doc: output, hasDoc: true, assigned: assigned}, s.now())
	f.phase, f.task, f.group = entering, nil, nil
	f.input = output
	if next == "" {
		s.returned(x, f, output)
		return nil
	}
	f.state = next
	x.wake(f)
	return nil
}

func (s *Server) succeed(x *execution, f *frame, st *asl.State) error {
	output, err := s.through(x, f, st)
	if err != nil {
		return err
	}
	return s.leave(x, f, st, output, nil, "")
}

// through is the output of a state that only passes its input on.
func (s *Server) through(x *execution, f *frame, st *asl.State) (any, error) {
	scope := s.scope(x, f, f.input)
	input, err := st.InputPath.Apply(scope)
	if err != nil {
		return nil, err
	}
	scope.Input = input
	return st.OutputPath.Apply(scope)
}

func (s *Server) choose(x *execution, f *frame, st *asl.State) error {
	scope := s.scope(x, f, f.input)
	input, err := st.InputPath.Apply(scope)
	if err != nil {
		return err
	}
	scope.Input = input
	next, assign := st.Default, st.Assign
	for i := range st.Choices {
		rule := &st.Choices[i]
		holds, err := rule.Holds(scope)
		if err != nil {
			return err
		}
		if holds {
			next, assign = rule.Next, rule.Assign
			break
		}
	}
	if next == "" {
		return &asl.Failure{Name: asl.ErrNoChoice,
			Cause: "Failed to transition out of the state. The state does not point to a next state."}
	}
	assigned, err := assignment(assign, scope)
	if err != nil {
		return err
	}
	output, err := st.OutputPath.Apply(scope)
	if err != nil {
		return err
	}
	return s.leave(x, f, st, output, assigned, next)
}

func (s *Server) failing(x *execution, f *frame, st *asl.State) error {
	scope := s.scope(x, f, f.input)
	name, err := text(st.Error, st.ErrorPath, scope, "ErrorPath")
	if err != nil {
		return err
	}
	cause, err := text(st.Cause, st.CausePath, scope, "CausePath")
	if err != nil {
		return err
	}
	return &failure{Name: name, Cause: cause}
}

// text is a field that is written out, or the string that its Path form finds.
func text(literal *string, path *asl.Expr, scope *asl.Scope, field string) (*string, error) {
	if path == nil {
		return literal, nil
	}
	v, err := path.Eval(scope, field)
	if err != nil {
		return nil, err
	}
	found, ok := v.(string)
	if !ok {
		return nil, &asl.Failure{Name: asl.ErrRuntime,
			Cause: fmt.Sprintf("The %s field does not reference a string value: %s == %s", field, path, value.Text(v))}
	}
	return &found, nil
}

func (s *Server) wait(x *execution, f *frame, st *asl.State) error {
	if f.phase == waiting {
		return s.waited(x, f, st)
	}
	scope := s.scope(x, f, f.input)
	input, err := st.InputPath.Apply(scope)
	if err != nil {
		return err
	}
	scope.Input = input
	if f.due, err = f.until(st, scope); err != nil {
		return err
	}
	f.phase = waiting
	s.alarm(x, f, f.due)
	return nil
}

func (f *frame) until(st *asl.State, scope *asl.Scope) (time.Time, error) {
	switch {
	case st.Seconds != nil:
		return f.entered.Add(time.Duration(*st.Seconds) * time.Second), nil
	case st.SecondsPath != nil:
		v, err := st.SecondsPath.Eval(scope, "SecondsPath")
		if err != nil {
			return time.Time{}, err
		}
		n, err := seconds(v, st.SecondsPath, "SecondsPath")
		return f.entered.Add(time.Duration(n) * time.Second), err
	case st.TimestampPath != nil:
		v, err := st.TimestampPath.Eval(scope, "TimestampPath")
		if err != nil {
			return time.Time{}, err
		}
		written, _ := v.(string)
		t, err := asl.ParseTimestamp(written)
		if err != nil {
			return t, &asl.Failure{Name: asl.ErrRuntime, Cause: fmt.Sprintf("The TimestampPath parameter "+
				"does not reference a valid ISO-8601 extended offset date-time format string: %s == %s",
				st.TimestampPath, plain(v))}
		}
		return t, nil
	}
	return asl.ParseTimestamp(st.Timestamp)
}

// seconds reads a duration that a path found.
func seconds(v any, path *asl.Expr, field string) (int64, error) {
	n, _ := v.(value.Number)
	whole, ok := n.Int()
	problem := ""
	switch {
	case !ok:
		problem = fmt.Sprintf("The %s parameter cannot be parsed as a long value: %s == %s", field, path, plain(v))
	case whole < 0:
		problem = fmt.Sprintf("The %s parameter references a negative value: %s == %d", field, path, whole)
	case whole > asl.MaxSeconds:
		problem = fmt.Sprintf("The %s parameter references a value greater than the maximum of %d: %s == %d",
			field, asl.MaxSeconds, path, whole)
	default:
		return whole, nil
	}
	return 0, &asl.Failure{Name: asl.ErrRuntime, Cause: problem}
}

// plain is a document as AWS puts it into a message: a string has no quotes.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return value.Text(v)
}

func (s *Server) waited(x *execution, f *frame, st *asl.State) error {
	scope := s.scope(x, f, f.input)
	input, err := st.InputPath.Apply(scope)
	if err != nil {
		return err
	}
	scope.Input = input
	assigned, err := assignment(st.Assign, scope)
	if err != nil {
		return err
	}
	output, err := st.OutputPath.Apply(scope)
	if err != nil {
		return err
	}
	return s.leave(x, f, st, output, assigned, st.Next)
}
