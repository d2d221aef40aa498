package states

import (
	"context"

	"portolan/local/wire"
)

// redriveDays is how long after its end an execution can be redriven: 14 days.
const redriveDays = 14

func (x *execution) redriveStatus() string {
	switch x.status {
	case failed, timedOut, aborted:
		return "REDRIVABLE"
	}
	return "NOT_REDRIVABLE"
}

func (x *execution) redriveReason() string {
	switch x.status {
	case running:
		return "Execution is RUNNING and cannot be redriven"
	case succeeded:
		return "Execution is SUCCEEDED and cannot be redriven"
	}
	return ""
}

type redriveOutput struct {
	RedriveDate wire.Time `json:"redriveDate"`
}

// redriveExecution enters the state again in which the execution ended.
func (s *Server) redriveExecution(_ context.Context, in *executionRef) (*redriveOutput, error) {
	var out *redriveOutput
	err := s.locked(func() error {
		x, err := s.findExecution(in.ExecutionArn)
		if err != nil {
			return err
		}
		if x.redriveStatus() != "REDRIVABLE" || s.now().Sub(x.stopped).Hours() > 24*redriveDays {
			reason := x.redriveReason()
			if reason == "" {
				reason = "Execution has exceeded its redrivable period"
			}
			return wire.Errorf("ExecutionNotRedrivable", "The execution cannot be redriven: '%s'", reason)
		}
		if err := s.recall(x); err != nil {
			return err
		}
		x.redriven++
		x.redriveAt = s.now()
		x.status, x.failure, x.about = running, nil, nil
		x.done = make(chan struct{})
		f := x.root
		f.gone, f.phase, f.task, f.group = false, entering, nil, nil
		x.frames = map[int]*frame{f.id: f}
		x.record(f, "ExecutionRedriven", &details{redriven: x.redriven}, x.redriveAt)
		s.names[x.revision.machineARN][x.name] = &taken{Execution: x.arn}
		s.announce(x)
		s.deadline(x)
		x.wake(f)
		s.drive(x)
		out = &redriveOutput{wire.At(x.redriveAt)}
		return nil
	})
	return out, err
}

// recall brings the history back into memory, for more to follow.
func (s *Server) recall(x *execution) error {
	if s.config.Disk == nil {
		return nil
	}
	texts, err := s.events(x)
	if err != nil {
		return err
	}
	x.history = nil
	for i, text := range texts {
		x.history = append(x.history, &event{id: int64(i + 1), raw: text})
	}
	return nil
}
