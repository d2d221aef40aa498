package states

import (
	"time"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// The statuses of an execution.
const (
	running   = "RUNNING"
	succeeded = "SUCCEEDED"
	failed    = "FAILED"
	timedOut  = "TIMED_OUT"
	aborted   = "ABORTED"
)

// An execution is one run of a machine.
type execution struct {
	arn, name string
	revision  *revision // the definition that it runs, whatever became of the machine
	status    string
	input     any
	inputText string
	output    any
	hasOutput bool
	failure   *failure
	started   time.Time
	stopped   time.Time
	redriven  int64
	redriveAt time.Time

	root      *frame
	frames    map[int]*frame
	nextFrame int
	nextTask  int
	ready     []*frame

	lastEvent int64
	history   []*event // those with an id above onDisk, and all while it runs
	onDisk    int64
	overflown bool

	about   *value.Object // the context object's Execution
	waiters []waiter      // parents that wait for the end
	done    chan struct{} // closed at the end; for StartSyncExecution
	dirty   bool
}

// A waiter is a task of another execution that ends with this one.
type waiter struct {
	Execution string `json:"execution"`
	Frame     int    `json:"frame"`
	Task      int    `json:"task"`
}

// A phase is what a frame waits for.
type phase int

const (
	entering phase = iota // its state is still to be entered
	waiting               // a Wait
	retrying              // the delay before another attempt
	working               // a task
	forked                // its children
)

// A frame is where one line of states stands.
type frame struct {
	id     int
	parent *frame
	flow   *asl.Flow
	index  int  // of the branch or the iteration in its parent
	quiet  bool // its events are no part of the history: a distributed Map's

	state     string
	input     any // of the state, as it was entered
	variables map[string]any
	item      any // of a Map
	mapped    bool

	phase   phase
	entered time.Time
	enterID int64
	prev    int64 // the event before the next
	due     time.Time
	retried []int64 // by retrier
	retries int64   // in all
	task    *task
	group   *group
	gone    bool
}

// A group is the children of a Parallel or a Map.
type group struct {
	items     []any // of a Map
	frames    []int // the children that run, in the order of their start
	results   []any
	states    []childState
	next      int
	active    int
	failed    int
	limit     int
	effective any // the Map's input after InputPath
	tolerance *tolerance
	left      map[int]*frame // those that failed or were stopped: a redrive takes them up
}

type childState byte

const (
	childPending childState = iota
	childRunning
	childSucceeded
	childFailed
)

// A failure is an error on its way: what Retry and Catch look at.
type failure struct {
	Name  *string `json:"name,omitempty"`
	Cause *string `json:"cause,omitempty"`
	// Final is an error that no Retry and no Catch takes.
	Final bool `json:"final,omitempty"`
}

func fail(name, cause string) *failure { return &failure{Name: &name, Cause: &cause} }

// causeless is a failure of which AWS tells no cause.
func causeless(name string) *failure { return &failure{Name: &name} }

func (f *failure) name() string {
	if f.Name == nil {
		return ""
	}
	return *f.Name
}

func (f *failure) cause() string {
	if f.Cause == nil {
		return ""
	}
	return *f.Cause
}

// output is what a Catch works on.
func (f *failure) output() *value.Object {
	return value.Members("Error", f.name(), "Cause", f.cause())
}

func (x *execution) open() bool { return x.status == running }

func (x *execution) newFrame(parent *frame, flow *asl.Flow, index int, input any) *frame {
	f := &frame{id: x.nextFrame, parent: parent, flow: flow, index: index, state: flow.StartAt, input: input}
	x.nextFrame++
	if parent != nil {
		f.quiet, f.prev = parent.quiet, parent.prev
	}
	x.frames[f.id] = f
	return f
}

// wake lets the frame run. Frames take turns, one transition each.
func (x *execution) wake(f *frame) { x.ready = append(x.ready, f) }

// variable looks a name up in the frame and those around it.
func (f *frame) variable(name string) (any, bool) {
	for at := f; at != nil; at = at.parent {
		if v, ok := at.variables[name]; ok {
			return v, true
		}
		if at.parent != nil && at.quiet && !at.parent.quiet {
			break // a distributed Map's workflows see no variables of its machine
		}
	}
	return nil, false
}

// assign writes variables into the frame. Those that the frame shares with what
// was saved or read are not touched.
func (f *frame) assign(variables *value.Object) {
	changed := make(map[string]any, len(f.variables)+variables.Len())
	for name, v := range f.variables {
		changed[name] = v
	}
	for i := range variables.Len() {
		name, v := variables.At(i)
		changed[name] = v
	}
	f.variables = changed
}
