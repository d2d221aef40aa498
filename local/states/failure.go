package states

import (
	"math"
	"time"

	"portolan/local/states/asl"
)

// failed takes an error that a state came to: it is tried again, or caught, or
// goes up to the parent.
func (s *Server) failed(x *execution, f *frame, bad *failure) {
	s.disarm(x, f)
	if bad.Final {
		s.end(x, failed, bad)
		return
	}
	st := f.flow.States[f.state]
	if s.retry(x, f, st, bad) {
		return
	}
	if st.Type == "Parallel" || st.Type == "Map" {
		s.groupFailed(x, f, st, bad)
	}
	for i := range st.Catch {
		if asl.Matches(st.Catch[i].ErrorEquals, bad.name()) {
			if err := s.catch(x, f, st, &st.Catch[i], bad); err != nil {
				problem := f.problem(err)
				problem.Final = true
				s.failed(x, f, problem)
			}
			return
		}
	}
	if f.parent == nil {
		s.end(x, failed, bad)
		return
	}
	s.childFailed(x, f, bad)
}

// retry arranges another attempt, where a Retrier takes the error and has some
// left.
func (s *Server) retry(x *execution, f *frame, st *asl.State, bad *failure) bool {
	for i := range st.Retry {
		r := &st.Retry[i]
		if !asl.Matches(r.ErrorEquals, bad.name()) {
			continue
		}
		if f.retried == nil {
			f.retried = make([]int64, len(st.Retry))
		}
		if f.retried[i] >= r.MaxAttempts {
			return false
		}
		f.due = s.now().Add(s.delay(r, f.retried[i]))
		f.retried[i]++
		f.retries++
		f.phase, f.task, f.group = retrying, nil, nil
		s.alarm(x, f, f.due)
		return true
	}
	return false
}

// delay is how long to wait before the attempt after so many others.
func (s *Server) delay(r *asl.Retrier, before int64) time.Duration {
	seconds := float64(r.IntervalSeconds) * math.Pow(r.BackoffRate, float64(before))
	longest := float64(asl.MaxSeconds)
	if r.MaxDelaySeconds > 0 {
		longest = float64(r.MaxDelaySeconds)
	}
	seconds = min(seconds, longest)
	if r.FullJitter {
		seconds *= s.config.Rand.Float64()
	}
	return time.Duration(seconds * float64(time.Second))
}

// catch leaves the state by a Catcher's way.
func (s *Server) catch(x *execution, f *frame, st *asl.State, c *asl.Catcher, bad *failure) error {
	result := bad.output()
	assigned, err := assignment(c.Assign, s.scope(x, f, result))
	if err != nil {
		return err
	}
	output, err := c.ResultPath.Put(f.input, result)
	if err != nil {
		return err
	}
	return s.leave(x, f, st, output, assigned, c.Next)
}

// alarm wakes the frame when it is due.
func (s *Server) alarm(x *execution, f *frame, due time.Time) {
	id := f.id
	s.agenda.At(x.key(f), due, func() {
		s.locked(func() error {
			if f := x.frames[id]; f != nil && x.open() {
				s.rang(x, f)
				s.drive(x)
			}
			return nil
		})
	})
}

// rang handles the time that a frame was waiting for. An alarm that was put off
// or is for what is over finds nothing to do.
func (s *Server) rang(x *execution, f *frame) {
	if f.due.After(s.now()) {
		return
	}
	switch f.phase {
	case waiting, retrying:
		x.wake(f)
	case working:
		s.taskTimedOut(x, f)
	}
}

// key names the frame in the agenda.
func (x *execution) key(f *frame) string { return x.arn + "#" + itoa(f.id) }

func (s *Server) disarm(x *execution, f *frame) {
	switch f.phase {
	case waiting, retrying, working:
		s.agenda.Cancel(x.key(f))
	}
	s.dropTask(f)
}

// drop removes the frame and all below it: what they wait for is cancelled.
func (s *Server) drop(x *execution, f *frame) {
	for _, child := range x.children(f) {
		s.drop(x, child)
	}
	s.disarm(x, f)
	f.gone = true
	delete(x.frames, f.id)
}

// children are the frame's, in the order of their start.
func (x *execution) children(f *frame) []*frame {
	if f.group == nil {
		return nil
	}
	var found []*frame
	for _, id := range f.group.frames {
		if child := x.frames[id]; child != nil {
			found = append(found, child)
		}
	}
	return found
}
