package states

import (
	"encoding/json"
	"slices"
	"time"

	"portolan/local/states/value"
)

// What follows is how things are written to the disk.
type (
	savedMachine struct {
		ARN      string          `json:"arn"`
		Name     string          `json:"name"`
		Kind     string          `json:"kind"`
		Created  time.Time       `json:"created"`
		Revision string          `json:"revision"`
		Tags     []Tag           `json:"tags,omitempty"`
		Logging  json.RawMessage `json:"logging,omitempty"`
		Tracing  json.RawMessage `json:"tracing,omitempty"`
		Deleting bool            `json:"deleting,omitempty"`
	}
	savedRevision struct {
		ID         string    `json:"id"`
		MachineARN string    `json:"machineArn"`
		Name       string    `json:"name"`
		Kind       string    `json:"kind"`
		Role       string    `json:"role"`
		Definition string    `json:"definition"`
		Updated    time.Time `json:"updated"`
	}
	savedExecution struct {
		ARN       string          `json:"arn"`
		Name      string          `json:"name"`
		Revision  string          `json:"revision"`
		Status    string          `json:"status"`
		Input     string          `json:"input"`
		Output    json.RawMessage `json:"output,omitempty"`
		Failure   *failure        `json:"failure,omitempty"`
		Started   time.Time       `json:"started"`
		Stopped   time.Time       `json:"stopped,omitzero"`
		Redriven  int64           `json:"redriven,omitempty"`
		RedriveAt time.Time       `json:"redriveAt,omitzero"`
		NextFrame int             `json:"nextFrame"`
		NextTask  int             `json:"nextTask"`
		LastEvent int64           `json:"lastEvent"`
		Waiters   []waiter        `json:"waiters,omitempty"`
		Frames    []savedFrame    `json:"frames,omitempty"` // parents first
	}
	savedFrame struct {
		ID        int             `json:"id"`
		Parent    int             `json:"parent"`
		Index     int             `json:"index"`
		Quiet     bool            `json:"quiet,omitempty"`
		State     string          `json:"state"`
		Input     json.RawMessage `json:"input"`
		Variables json.RawMessage `json:"variables,omitempty"`
		Item      json.RawMessage `json:"item,omitempty"` // of a Map
		Phase     phase           `json:"phase"`
		Entered   time.Time       `json:"entered"`
		EnterID   int64           `json:"enterId"`
		Prev      int64           `json:"prev"`
		Due       time.Time       `json:"due,omitzero"`
		Retried   []int64         `json:"retried,omitempty"`
		Retries   int64           `json:"retries,omitempty"`
		Task      *savedTask      `json:"task,omitempty"`
		Group     *savedGroup     `json:"group,omitempty"`
	}
	savedTask struct {
		ID        int             `json:"id"`
		Payload   json.RawMessage `json:"payload"`
		Token     string          `json:"token,omitempty"`
		Child     string          `json:"child,omitempty"`
		Submitted bool            `json:"submitted,omitempty"`
		Deadline  time.Time       `json:"deadline,omitzero"`
		Interval  time.Duration   `json:"interval,omitempty"`
		Beat      time.Time       `json:"beat,omitzero"`
	}
	savedGroup struct {
		Items     json.RawMessage `json:"items,omitempty"`
		Effective json.RawMessage `json:"effective,omitempty"`
		Results   json.RawMessage `json:"results"`
		Frames    []int           `json:"frames,omitempty"`
		States    []childState    `json:"states"`
		Next      int             `json:"next"`
		Active    int             `json:"active"`
		Failed    int             `json:"failed,omitempty"`
		Limit     int             `json:"limit"`
		Tolerance *tolerance      `json:"tolerance,omitempty"`
	}
)

func (m *machine) save() *savedMachine {
	return &savedMachine{m.arn, m.name, m.kind, m.created, m.revision.id, m.tags, m.logging, m.tracing, m.deleting}
}

func (r *revision) save() *savedRevision {
	return &savedRevision{r.id, r.machineARN, r.name, r.kind, r.role, r.definition, r.updated}
}

func raw(v any) json.RawMessage { return value.Append(nil, v) }

func (x *execution) save() *savedExecution {
	saved := &savedExecution{
		ARN: x.arn, Name: x.name, Revision: x.revision.id, Status: x.status, Input: x.inputText,
		Failure: x.failure, Started: x.started, Stopped: x.stopped, Redriven: x.redriven,
		RedriveAt: x.redriveAt, NextFrame: x.nextFrame, NextTask: x.nextTask,
		LastEvent: x.lastEvent, Waiters: x.waiters,
	}
	if x.hasOutput {
		saved.Output = raw(x.output)
	}
	if x.open() {
		ids := make([]int, 0, len(x.frames))
		for id := range x.frames {
			ids = append(ids, id)
		}
		slices.Sort(ids) // a parent is older than its children
		for _, id := range ids {
			saved.Frames = append(saved.Frames, x.frames[id].save())
		}
	} else if x.root != nil && x.status != succeeded {
		saved.Frames = x.root.saveLeft(nil) // for a redrive
	}
	return saved
}

// saveLeft saves the frame and all below it that a redrive takes up.
func (f *frame) saveLeft(all []savedFrame) []savedFrame {
	all = append(all, f.save())
	if f.group == nil {
		return all
	}
	for index := range f.group.states {
		if child := f.group.left[index]; child != nil {
			all = child.saveLeft(all)
		}
	}
	return all
}

func (f *frame) save() savedFrame {
	saved := savedFrame{
		ID: f.id, Parent: -1, Index: f.index, Quiet: f.quiet, State: f.state, Input: raw(f.input),
		Phase: f.phase, Entered: f.entered, EnterID: f.enterID, Prev: f.prev, Due: f.due,
		Retried: f.retried, Retries: f.retries,
	}
	if f.parent != nil {
		saved.Parent = f.parent.id
	}
	if len(f.variables) > 0 {
		names := make([]string, 0, len(f.variables))
		for name := range f.variables {
			names = append(names, name)
		}
		slices.Sort(names)
		variables := value.NewObject(len(names))
		for _, name := range names {
			variables.Set(name, f.variables[name])
		}
		saved.Variables = raw(variables)
	}
	if f.mapped {
		saved.Item = raw(f.item)
	}
	if t := f.task; t != nil && f.phase == working {
		saved.Task = &savedTask{t.id, raw(t.payload), t.token, t.child, t.submitted, t.deadline, t.interval, t.beat}
	}
	if g := f.group; g != nil {
		saved.Group = g.save()
	}
	return saved
}

func (g *group) save() *savedGroup {
	saved := &savedGroup{
		Results: raw(g.results), Frames: g.frames, States: g.states, Next: g.next,
		Active: g.active, Failed: g.failed, Limit: g.limit, Tolerance: g.tolerance,
	}
	if g.items != nil {
		saved.Items, saved.Effective = raw(g.items), raw(g.effective)
	}
	return saved
}
