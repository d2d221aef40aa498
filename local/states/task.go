package states

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// A task is one attempt at a Task.
type task struct {
	id       int
	resource *resource
	payload  any
	token    string
	child    string // the execution that it waits for
	deadline time.Time
	interval time.Duration // of heartbeats; 0 is none
	beat     time.Time     // when the next is due
	cancel   context.CancelFunc
	// submitted is that the effect was had, and the rest is up to others.
	submitted bool
}

func itoa(n int) string { return strconv.Itoa(n) }

// startTask makes an attempt: the effect itself starts once that was saved.
func (s *Server) startTask(x *execution, f *frame, st *asl.State) error {
	r, ok := parseResource(st.Resource)
	if !ok {
		return &asl.Failure{Name: asl.ErrRuntime,
			Cause: fmt.Sprintf("The resource '%s' is not supported by the embedded Step Functions", st.Resource)}
	}
	x.nextTask++
	t := &task{id: x.nextTask, resource: r}
	if r.pattern == patternToken {
		t.token = newToken(x, f, t, s.config.NewID())
	}
	f.task = t
	payload, err := s.effective(x, f, st)
	if err != nil {
		return err
	}
	if value.Size(payload, maxPayload) > maxPayload {
		return tooLarge(st.Name, true)
	}
	t.payload = payload
	if err := s.limits(x, f, st, t); err != nil {
		return err
	}
	f.phase = working
	s.recordStart(x, f, t)
	s.rearm(x, f)
	s.launch(x, f)
	return nil
}

// limits computes how long the attempt may take.
func (s *Server) limits(x *execution, f *frame, st *asl.State, t *task) error {
	scope := s.scope(x, f, f.input)
	timeout, heartbeat := st.TimeoutSeconds, st.HeartbeatSeconds
	var err error
	if timeout, err = limit(timeout, st.TimeoutPath, scope, "TimeoutSecondsPath"); err != nil {
		return err
	}
	if heartbeat, err = limit(heartbeat, st.HeartbeatPath, scope, "HeartbeatSecondsPath"); err != nil {
		return err
	}
	now := s.now()
	if timeout > 0 {
		t.deadline = now.Add(time.Duration(timeout) * time.Second)
	}
	if heartbeat > 0 {
		t.interval = time.Duration(heartbeat) * time.Second
		t.beat = now.Add(t.interval)
	}
	return nil
}

func limit(literal int64, path *asl.Expr, scope *asl.Scope, field string) (int64, error) {
	if path == nil {
		return literal, nil
	}
	v, err := path.Eval(scope, field)
	if err != nil {
		return 0, err
	}
	n, err := seconds(v, path, field)
	if err == nil && n == 0 {
		err = &asl.Failure{Name: asl.ErrRuntime,
			Cause: fmt.Sprintf("The %s parameter must be a positive integer: %s == 0", field, path)}
	}
	return n, err
}

func (s *Server) recordStart(x *execution, f *frame, t *task) {
	d := &details{resource: t.resource, doc: t.payload, hasDoc: true, region: s.config.Region}
	if !t.deadline.IsZero() {
		d.timeout = int64(t.deadline.Sub(s.now()).Round(time.Second) / time.Second)
	}
	d.heartbeat = int64(t.interval / time.Second)
	x.record(f, t.resource.event("Scheduled"), d, s.now())
	x.record(f, t.resource.event("Started"), &details{resource: t.resource}, s.now())
}

// rearm sets the alarm to the task's deadline or next heartbeat.
func (s *Server) rearm(x *execution, f *frame) {
	due := f.task.deadline
	if beat := f.task.beat; !beat.IsZero() && (due.IsZero() || beat.Before(due)) {
		due = beat
	}
	if f.due = due; !due.IsZero() {
		s.alarm(x, f, due)
	}
}

func (s *Server) taskTimedOut(x *execution, f *frame) {
	t := f.task
	bad := causeless(asl.ErrTimeout)
	if !t.beat.IsZero() && !t.beat.After(s.now()) && (t.deadline.IsZero() || t.beat.Before(t.deadline)) {
		bad = causeless(asl.ErrHeartbeat)
	}
	x.record(f, t.resource.event("TimedOut"), &details{resource: t.resource, failure: bad}, s.now())
	s.failed(x, f, bad)
}

// dropTask lets go of the frame's attempt: what is in flight is cancelled, and
// an execution that was waited for is stopped.
func (s *Server) dropTask(f *frame) {
	t := f.task
	if t == nil || f.phase != working {
		return
	}
	if t.cancel != nil {
		t.cancel()
		t.cancel = nil
	}
	if t.child != "" {
		child := t.child
		t.child = ""
		s.after(func() { s.stop(child, nil, nil) })
	}
}

// launch notes the effect of the frame's task.
func (s *Server) launch(x *execution, f *frame) {
	ctx, cancel := context.WithCancel(s.ctx)
	t, frame := f.task, f.id
	t.cancel = cancel
	role := x.revision.role
	arn := x.arn
	s.spawn(func() {
		defer cancel()
		result, err := s.run(ctx, arn, t, role)
		if s.ctx.Err() != nil {
			return // the server was closed: the task starts again with the next
		}
		s.locked(func() error {
			x := s.executions[arn]
			if x == nil || !x.open() {
				return nil
			}
			if f := x.frames[frame]; f != nil && f.task == t && f.phase == working {
				s.answered(x, f, result, err)
				s.drive(x)
			}
			return nil
		})
	})
}

// run has the effect of a task. It holds no lock.
func (s *Server) run(ctx context.Context, execution string, t *task, role string) (any, error) {
	r := t.resource
	switch {
	case r.function != "":
		return s.invoke(ctx, r.function, value.Append(nil, t.payload))
	case r.kind == "lambda" && r.action == "invoke":
		return s.invokeService(ctx, t.payload)
	case r.kind == "states" && r.action == "startExecution":
		return s.startNested(execution, t)
	}
	if r.pattern == patternSync || r.pattern == patternSync2 {
		return nil, &CallError{asl.ErrRuntime, fmt.Sprintf(
			"The embedded Step Functions cannot wait for %s %s: it has .%s for states:startExecution alone",
			r.service, r.action, r.pattern)}
	}
	out, err := s.config.Tasks.Call(ctx, r.kind, r.action, value.Append(nil, t.payload), role)
	if err != nil {
		return nil, err
	}
	return value.Parse(out)
}

// answered takes what the effect came to. A task with a token goes on waiting,
// and so does one that waits for an execution's end.
func (s *Server) answered(x *execution, f *frame, result any, err error) {
	t := f.task
	t.cancel = nil
	if err != nil {
		s.taskFailed(x, f, toFailure(err))
		return
	}
	if t.resource.pattern == "" {
		s.taskSucceeded(x, f, result)
		return
	}
	t.submitted = true
	x.record(f, "TaskSubmitted", &details{resource: t.resource, doc: result, hasDoc: true}, s.now())
	if t.resource.pattern != patternToken {
		s.follow(x, f, result)
	}
}

func toFailure(err error) *failure {
	if e, ok := errors.AsType[*CallError](err); ok {
		return fail(e.Name, e.Cause)
	}
	if e, ok := errors.AsType[*FunctionError](err); ok {
		name := e.Type
		if name == "" {
			name = "Lambda.Unknown"
		}
		return fail(name, string(e.Payload))
	}
	return fail(asl.ErrTaskFailed, err.Error())
}

func (s *Server) taskSucceeded(x *execution, f *frame, result any) {
	t := f.task
	if value.Size(result, maxPayload) > maxPayload {
		s.taskFailed(x, f, tooLarge(t.resource.title(), false))
		return
	}
	x.record(f, t.resource.event("Succeeded"), &details{resource: t.resource, doc: result, hasDoc: true}, s.now())
	s.settled(x, f)
	if err := s.complete(x, f, f.flow.States[f.state], result); err != nil {
		s.failed(x, f, f.problem(err))
	}
}

func (s *Server) taskFailed(x *execution, f *frame, bad *failure) {
	x.record(f, f.task.resource.event("Failed"), &details{resource: f.task.resource, failure: bad}, s.now())
	s.settled(x, f)
	s.failed(x, f, bad)
}

// settled forgets what the attempt was waiting for.
func (s *Server) settled(x *execution, f *frame) {
	s.agenda.Cancel(x.key(f))
	t := f.task
	t.child = ""
	if t.cancel != nil {
		t.cancel()
		t.cancel = nil
	}
}

// newToken makes a token that leads back to its task.
func newToken(x *execution, f *frame, t *task, id string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Join(
		[]string{"AQ", x.arn, itoa(f.id), itoa(t.id), id}, "|")))
}

// MachineOf returns the ARN of the state machine whose execution waits with a task
// token; empty for what is no token.
func MachineOf(token string) string {
	execution, _, ok := readToken(token)
	if !ok {
		return ""
	}
	machine := strings.Replace(execution, ":execution:", ":stateMachine:", 1)
	return machine[:strings.LastIndexByte(machine, ':')]
}

// readToken returns the execution and the frame of a token; it is false for what
// is no token.
func readToken(token string) (arn string, frame int, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(token)
	parts := strings.Split(string(raw), "|")
	if err != nil || len(parts) != 5 || parts[0] != "AQ" {
		return "", 0, false
	}
	frame, err = strconv.Atoi(parts[2])
	return parts[1], frame, err == nil
}
