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

// redriveExecution enters the states again in which the execution ended. What
// succeeded within a Parallel or a Map stays as it is.
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
		x.frames = map[int]*frame{}
		x.record(x.root, "ExecutionRedriven", &details{redriven: x.redriven}, x.redriveAt)
		s.names[x.revision.machineARN][x.name] = &taken{Execution: x.arn}
		s.announce(x)
		s.deadline(x)
		s.revive(x, x.root)
		s.drive(x)
		out = &redriveOutput{wire.At(x.redriveAt)}
		return nil
	})
	return out, err
}

// revive lets a frame go on from the state in which it ended: that state is
// entered again, unless it has children to go on with.
func (s *Server) revive(x *execution, f *frame) {
	f.gone, f.task = false, nil
	x.frames[f.id] = f
	g := f.group
	if g == nil || f.phase != forked || len(g.left) == 0 {
		f.phase, f.group = entering, nil
		x.wake(f)
		return
	}
	left := g.left
	g.left, g.frames, g.active = nil, nil, 0
	for index := range g.states {
		child := left[index]
		if child == nil {
			continue
		}
		if g.states[index] == childFailed {
			g.failed--
		}
		g.states[index] = childRunning
		g.frames = append(g.frames, child.id)
		g.active++
		child.prev = f.prev
		s.revive(x, child)
	}
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
