package states

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// load reads everything back and lets executions go on where they stood.
func (s *Server) load() error {
	if s.config.Disk == nil {
		return nil
	}
	revisions, err := s.loadRevisions()
	if err != nil {
		return fmt.Errorf("reading state machines: %w", err)
	}
	if err := s.loadMachines(revisions); err != nil {
		return fmt.Errorf("reading state machines: %w", err)
	}
	if err := s.loadNames(); err != nil {
		return fmt.Errorf("reading execution names: %w", err)
	}
	return s.locked(func() error { return s.loadExecutions(revisions) })
}

func (s *Server) loadRevisions() (map[string]*revision, error) {
	revisions := map[string]*revision{}
	return revisions, each(s, revisionsBucket, func(_ string, saved *savedRevision) error {
		// The dialect may have narrowed since: what once was valid still runs.
		parsed, diagnostics := asl.Parse(saved.Definition, asl.Dialect{DistributedMap: true})
		if parsed == nil {
			return fmt.Errorf("%s: %s", saved.MachineARN, asl.Explain(diagnostics))
		}
		revisions[saved.ID] = &revision{saved.ID, saved.MachineARN, saved.Name, saved.Kind,
			saved.Role, saved.Definition, saved.Updated, parsed}
		return nil
	})
}

func (s *Server) loadMachines(revisions map[string]*revision) error {
	err := each(s, machinesBucket, func(_ string, saved *savedMachine) error {
		m := &machine{saved.ARN, saved.Name, saved.Kind, saved.Created, revisions[saved.Revision],
			saved.Tags, saved.Logging, saved.Tracing, saved.Deleting}
		if m.revision == nil {
			return fmt.Errorf("%s has no definition", m.arn)
		}
		s.machines[m.arn] = m
		s.order = append(s.order, m)
		return nil
	})
	slices.SortStableFunc(s.order, func(a, b *machine) int { return a.created.Compare(b.created) })
	return err
}

func (s *Server) loadNames() error {
	return each(s, namesBucket, func(key string, saved *taken) error {
		machine, name, _ := strings.Cut(key, "|")
		s.takeName(machine, name, saved)
		return nil
	})
}

func (s *Server) loadExecutions(revisions map[string]*revision) error {
	var all []*execution
	err := each(s, executionsBucket, func(_ string, saved *savedExecution) error {
		r := revisions[saved.Revision]
		if r == nil {
			return fmt.Errorf("%s has no definition", saved.ARN)
		}
		x, err := saved.restore(r)
		if err != nil {
			return fmt.Errorf("%s: %w", saved.ARN, err)
		}
		s.executions[x.arn] = x
		s.takeName(r.machineARN, x.name, &taken{Execution: x.arn, Closed: x.stopped})
		all = append(all, x)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading executions: %w", err)
	}
	slices.SortFunc(all, func(a, b *execution) int {
		return cmp.Or(a.stopped.Compare(b.stopped), a.started.Compare(b.started), strings.Compare(a.arn, b.arn))
	})
	for _, x := range all {
		if x.open() {
			s.resume(x)
		} else {
			s.finished = append(s.finished, x)
		}
	}
	return nil
}

func each[T any](s *Server, bucket string, fn func(key string, v *T) error) error {
	return s.config.Disk.Load(bucket, func(k, text []byte) error {
		v := new(T)
		if err := json.Unmarshal(text, v); err != nil {
			return err
		}
		return fn(string(k), v)
	})
}

// resume arms what the execution waits for. A task that was in flight is started
// again, and an execution that was waited for may have ended meanwhile.
func (s *Server) resume(x *execution) {
	s.deadline(x)
	ids := make([]int, 0, len(x.frames))
	for id := range x.frames {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		f := x.frames[id]
		switch f.phase {
		case entering:
			x.wake(f)
		case waiting, retrying:
			s.alarm(x, f, f.due)
		case working:
			s.rearm(x, f)
			if !f.task.submitted {
				s.launch(x, f)
			} else if child := s.executions[f.task.child]; child != nil && !child.open() {
				child.waiters = append(child.waiters, waiter{x.arn, f.id, f.task.id})
				s.notify(child)
			}
		}
	}
	s.drive(x)
}

func (saved *savedExecution) restore(r *revision) (*execution, error) {
	x := &execution{
		arn: saved.ARN, name: saved.Name, revision: r, status: saved.Status, inputText: saved.Input,
		failure: saved.Failure, started: saved.Started, stopped: saved.Stopped,
		redriven: saved.Redriven, redriveAt: saved.RedriveAt,
		nextFrame: saved.NextFrame, nextTask: saved.NextTask,
		lastEvent: saved.LastEvent, onDisk: saved.LastEvent, waiters: saved.Waiters,
		frames: map[int]*frame{}, done: make(chan struct{}),
	}
	if !x.open() {
		close(x.done)
	}
	var err error
	if x.input, err = value.ParseString(saved.Input); err != nil {
		return nil, err
	}
	if saved.Output != nil {
		x.hasOutput = true
		if x.output, err = value.Parse(saved.Output); err != nil {
			return nil, err
		}
	}
	for i := range saved.Frames {
		f, err := saved.Frames[i].restore(x)
		if err != nil {
			return nil, err
		}
		if f.parent == nil {
			x.root = f
		} else if !x.open() {
			f.parent.group.leave(f)
		}
		x.frames[f.id] = f
	}
	if x.open() && x.root == nil {
		return nil, fmt.Errorf("it runs and has no frame")
	}
	if !x.open() {
		x.frames = map[int]*frame{} // what is left of it hangs at its root
	}
	return x, nil
}

func (saved *savedFrame) restore(x *execution) (*frame, error) {
	f := &frame{
		id: saved.ID, parent: x.frames[saved.Parent], flow: x.revision.parsed.Flow, index: saved.Index,
		quiet: saved.Quiet, state: saved.State, mapped: saved.Item != nil, phase: saved.Phase,
		entered: saved.Entered, enterID: saved.EnterID, prev: saved.Prev, due: saved.Due,
		retried: saved.Retried, retries: saved.Retries,
	}
	if f.parent != nil {
		f.flow = f.parent.flow.States[f.parent.state].Inner(f.index)
	}
	if f.flow == nil || f.flow.States[f.state] == nil {
		return nil, fmt.Errorf("the definition has no state %q", f.state)
	}
	var d decoding
	f.input = d.document(saved.Input)
	f.item = d.document(saved.Item)
	if variables, ok := d.document(saved.Variables).(*value.Object); ok {
		f.assign(variables)
	}
	if t := saved.Task; t != nil {
		r, _ := parseResource(f.flow.States[f.state].Resource)
		f.task = &task{id: t.ID, resource: r, payload: d.document(t.Payload), token: t.Token, child: t.Child,
			submitted: t.Submitted, deadline: t.Deadline, interval: t.Interval, beat: t.Beat}
	}
	if g := saved.Group; g != nil {
		results, _ := d.document(g.Results).([]any)
		items, _ := d.document(g.Items).([]any)
		f.group = &group{items: items, frames: g.Frames, results: results, states: g.States,
			next: g.Next, active: g.Active, failed: g.Failed, limit: g.Limit,
			effective: d.document(g.Effective), tolerance: g.Tolerance}
	}
	return f, d.err
}

// decoding keeps the first error of several documents.
type decoding struct{ err error }

func (d *decoding) document(text json.RawMessage) any {
	if text == nil {
		return nil
	}
	v, err := value.Parse(text)
	if err != nil && d.err == nil {
		d.err = err
	}
	return v
}
