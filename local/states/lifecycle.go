package states

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// A taken name is one that an execution has, or had less than nameLasts ago.
type taken struct {
	Execution string    `json:"execution"`
	Closed    time.Time `json:"closed,omitzero"`
}

// nameLasts is how long a closed execution keeps its name.
const nameLasts = 90 * 24 * time.Hour

// begin makes an execution and drives it as far as it goes at once.
func (s *Server) begin(r *revision, arn, name, inputText string, input any) *execution {
	x := &execution{
		arn: arn, name: name, revision: r, status: running,
		input: input, inputText: inputText, started: s.now(),
		frames: map[int]*frame{}, done: make(chan struct{}),
	}
	s.executions[arn] = x
	s.takeName(r.machineARN, name, &taken{Execution: arn})
	x.root = x.newFrame(nil, r.parsed.Flow, 0, input)
	// The first state's previousEventId is 0 like that of this event.
	x.record(nil, "ExecutionStarted", &details{doc: input, hasDoc: true, role: r.role}, x.started)
	s.announce(x)
	s.deadline(x)
	x.wake(x.root)
	s.drive(x)
	return x
}

func (s *Server) takeName(machine, name string, t *taken) {
	if s.names[machine] == nil {
		s.names[machine] = map[string]*taken{}
	}
	s.names[machine][name] = t
}

// deadline arranges the end of an execution whose machine has a TimeoutSeconds.
func (s *Server) deadline(x *execution) {
	limit := x.revision.parsed.TimeoutSeconds
	if limit == 0 {
		return
	}
	from := x.started
	if !x.redriveAt.IsZero() {
		from = x.redriveAt
	}
	s.agenda.At(x.arn, from.Add(time.Duration(limit)*time.Second), func() {
		s.locked(func() error {
			if x.open() {
				s.end(x, timedOut, causeless(asl.ErrTimeout))
			}
			return nil
		})
	})
}

// end closes the execution: everything that it waited for is cancelled.
func (s *Server) end(x *execution, status string, bad *failure) {
	if !x.open() {
		return
	}
	s.touch(x)
	x.status, x.stopped, x.failure = status, s.now(), bad
	s.drop(x, x.root)
	s.agenda.Cancel(x.arn)
	x.ready = nil
	d := &details{failure: bad}
	kind := map[string]string{
		succeeded: "ExecutionSucceeded", failed: "ExecutionFailed",
		aborted: "ExecutionAborted", timedOut: "ExecutionTimedOut",
	}[status]
	if status == succeeded {
		d = &details{doc: x.output, hasDoc: true}
	}
	switch status {
	case timedOut:
		// DescribeExecution tells of no error: only the event does.
		x.failure = nil
		x.root.prev = 0
	case aborted:
		x.root.prev = 0
	}
	x.record(x.root, kind, d, x.stopped)
	close(x.done)
	s.names[x.revision.machineARN][x.name] = &taken{Execution: x.arn, Closed: x.stopped}
	s.announce(x)
	s.notify(x)
	s.finished = append(s.finished, x)
	s.forget()
	if m := s.machines[x.revision.machineARN]; m != nil && m.deleting {
		s.after(func() { s.retire(m) })
	}
}

// forget drops the oldest closed executions past what is retained.
func (s *Server) forget() {
	for len(s.finished) > s.config.Retain {
		old := s.finished[0]
		s.finished = s.finished[1:]
		if old.open() {
			continue // it was redriven
		}
		delete(s.executions, old.arn)
		s.forgotten = append(s.forgotten, old)
	}
}

// stop aborts an execution. It is nothing for one that is closed.
func (s *Server) stop(arn string, name, cause *string) {
	if x := s.executions[arn]; x != nil && x.open() {
		s.end(x, aborted, &failure{Name: name, Cause: cause})
	}
}

// announce tells of the execution's status once it was saved.
func (s *Server) announce(x *execution) {
	if s.config.Changed == nil {
		return
	}
	s.changes = append(s.changes, x.change())
}

// change is how the execution stands.
func (x *execution) change() StatusChange {
	change := StatusChange{
		ExecutionArn: x.arn, StateMachineArn: x.revision.machineARN, Name: x.name, Status: x.status,
		StartDate: x.started.UnixMilli(), Input: x.inputText, InputDetails: &inclusion{true},
		RedriveCount: x.redriven, RedriveStatus: x.redriveStatus(),
	}
	if !x.open() {
		change.StopDate = new(x.stopped.UnixMilli())
	}
	if x.hasOutput {
		change.Output, change.OutputDetails = new(value.Text(x.output)), &inclusion{true}
	}
	if !x.redriveAt.IsZero() {
		change.RedriveDate = new(x.redriveAt.UnixMilli())
	}
	if reason := x.redriveReason(); reason != "" {
		change.RedriveStatusReason = &reason
	}
	if x.failure != nil {
		change.Error, change.Cause = x.failure.Name, x.failure.Cause
	}
	return change
}

// after notes what is to be done on other executions before the lock is let go.
func (s *Server) after(do func()) { s.pending = append(s.pending, do) }

// hashed is a short name made of a long one.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// mapRunARN names the run of a distributed Map.
func mapRunARN(x *execution, f *frame) string {
	arn := strings.Replace(x.arn, ":execution:", ":mapRun:", 1)
	i := strings.LastIndexByte(arn, ':')
	return arn[:i] + "/" + f.state + ":" + hashed(x.arn+"#"+itoa(f.id)+stamp(f.entered))
}
