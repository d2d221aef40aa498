package states

import (
	"fmt"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// maxInline is how many iterations of an inline Map run at once at most.
const maxInline = 40

// maxDistributed is the same of a distributed one.
const maxDistributed = 10_000

func (s *Server) startParallel(x *execution, f *frame, st *asl.State) error {
	input, err := s.effective(x, f, st)
	if err != nil {
		return err
	}
	f.phase = forked
	x.record(f, "ParallelStateStarted", nil, s.now())
	f.group = newGroup(len(st.Branches), len(st.Branches))
	for i, branch := range st.Branches {
		s.fork(x, f, branch, i, input)
	}
	f.group.next = len(st.Branches)
	return nil
}

func newGroup(size, limit int) *group {
	return &group{results: make([]any, size), states: make([]childState, size), limit: limit}
}

// fork starts a child.
func (s *Server) fork(x *execution, f *frame, flow *asl.Flow, index int, input any) *frame {
	child := x.newFrame(f, flow, index, input)
	f.group.frames = append(f.group.frames, child.id)
	f.group.states[index] = childRunning
	f.group.active++
	x.wake(child)
	return child
}

func (s *Server) startMap(x *execution, f *frame, st *asl.State) error {
	scope := s.scope(x, f, f.input)
	input, err := st.InputPath.Apply(scope)
	if err != nil {
		return err
	}
	scope.Input = input
	items, err := mapItems(st, scope)
	if err != nil {
		return err
	}
	limit, err := concurrency(st, scope)
	if err != nil {
		return err
	}
	x.record(f, "MapStateStarted", &details{length: len(items), hasLength: true}, s.now())
	group := newGroup(len(items), limit)
	if group.tolerance, err = tolerate(st, scope); err != nil {
		return err
	}
	f.phase = forked
	group.items, group.effective = items, input
	f.group = group
	if st.Distributed {
		x.record(f, "MapRunStarted", &details{mapRun: mapRunARN(x, f)}, s.now())
	}
	return s.iterate(x, f, st)
}

// mapItems is the array that the Map goes through.
func mapItems(st *asl.State, scope *asl.Scope) ([]any, error) {
	v, path := scope.Input, "$"
	if st.ItemsPath != nil {
		var err error
		if v, err = st.ItemsPath.Eval(scope, "ItemsPath"); err != nil {
			return nil, err
		}
		path = st.ItemsPath.String()
	}
	items, ok := v.([]any)
	if !ok {
		return nil, &asl.Failure{Name: asl.ErrRuntime,
			Cause: fmt.Sprintf("Reference path \"%s\" must point to array.", path)}
	}
	return items, nil
}

func concurrency(st *asl.State, scope *asl.Scope) (int, error) {
	n := st.MaxConcurrency
	if st.MaxConcurrencyPath != nil {
		var err error
		if n, err = integerAt(st.MaxConcurrencyPath, scope, "MaxConcurrencyPath"); err != nil {
			return 0, err
		}
		if n < 0 {
			return 0, &asl.Failure{Name: asl.ErrRuntime, Cause: "MaxConcurrency cannot be negative."}
		}
	}
	most := int64(maxInline)
	if st.Distributed {
		most = maxDistributed
	}
	if n == 0 || n > most {
		n = most
	}
	return int(n), nil
}

// integerAt reads a count that a path found.
func integerAt(path *asl.Expr, scope *asl.Scope, field string) (int64, error) {
	v, err := path.Eval(scope, field)
	if err != nil {
		return 0, err
	}
	n, _ := v.(value.Number)
	i, ok := n.Int()
	if !ok {
		return 0, &asl.Failure{Name: asl.ErrRuntime, Cause: fmt.Sprintf(
			"The %s field refers to value \"%s\" which is not a valid integer: %s", field, plain(v), path)}
	}
	return i, nil
}

// iterate starts as many iterations as the bound lets, or ends a Map that has
// none left.
func (s *Server) iterate(x *execution, f *frame, st *asl.State) error {
	g := f.group
	for g.next < len(g.items) && g.active < g.limit {
		index := g.next
		g.next++
		input := g.items[index]
		child := x.newFrame(f, st.Processor, index, input)
		child.item, child.mapped = input, true
		child.quiet = f.quiet || st.Distributed
		if st.ItemSelector != nil {
			selected, err := s.selectItem(x, f, child, st)
			if err != nil {
				delete(x.frames, child.id)
				return err
			}
			child.input = selected
		}
		g.frames = append(g.frames, child.id)
		g.states[index] = childRunning
		g.active++
		x.record(child, "MapIterationStarted", &details{name: st.Name, index: index, hasIndex: true}, s.now())
		x.wake(child)
	}
	if g.active == 0 && g.next == len(g.items) {
		return s.joined(x, f, st)
	}
	return nil
}

// selectItem is the input of an iteration by the Map's ItemSelector.
func (s *Server) selectItem(x *execution, f, child *frame, st *asl.State) (any, error) {
	v := &view{server: s, execution: x, frame: f, item: child}
	v.Scope = asl.Scope{Input: f.group.effective, World: v, Rand: s.config.Rand, UUID: s.config.NewID}
	return st.ItemSelector.Eval(&v.Scope)
}

// returned takes the output of a frame that came to its end.
func (s *Server) returned(x *execution, f *frame, output any) {
	if f.parent == nil {
		x.output, x.hasOutput = output, true
		s.end(x, succeeded, nil)
		return
	}
	parent := f.parent
	st := parent.flow.States[parent.state]
	g := parent.group
	g.results[f.index] = output
	g.states[f.index] = childSucceeded
	if st.Type == "Map" {
		x.record(f, "MapIterationSucceeded", &details{name: st.Name, index: f.index, hasIndex: true}, s.now())
	}
	s.childGone(x, f)
	s.childDone(x, parent, st)
}

// childGone takes a child that ended out of its group. The parent's next event
// follows the child's last.
func (s *Server) childGone(x *execution, f *frame) {
	if !f.quiet || f.parent.quiet {
		f.parent.prev = f.prev
	}
	f.parent.group.active--
	f.parent.group.forget(f.id)
	f.gone = true
	delete(x.frames, f.id)
}

// leave keeps a child for a redrive.
func (g *group) leave(f *frame) {
	if g.left == nil {
		g.left = map[int]*frame{}
	}
	g.left[f.index] = f
}

func (g *group) forget(id int) {
	for i, other := range g.frames {
		if other == id {
			g.frames = append(g.frames[:i], g.frames[i+1:]...)
			return
		}
	}
}

// childDone goes on with the group after one of it ended.
func (s *Server) childDone(x *execution, parent *frame, st *asl.State) {
	var err error
	switch {
	case st.Type == "Map":
		err = s.iterate(x, parent, st)
	case parent.group.active == 0:
		err = s.joined(x, parent, st)
	}
	if err != nil {
		s.failed(x, parent, parent.problem(err))
	}
}

// joined makes one result of the group's.
func (s *Server) joined(x *execution, f *frame, st *asl.State) error {
	g := f.group
	results := make([]any, 0, len(g.results))
	for i, v := range g.results {
		if g.states[i] == childSucceeded {
			results = append(results, v)
		}
	}
	if st.Distributed {
		x.record(f, "MapRunSucceeded", nil, s.now())
	}
	if st.Type == "Map" {
		x.record(f, "MapStateSucceeded", nil, s.now())
	}
	if value.Size(results, maxPayload) > maxPayload {
		return tooLarge(st.Name, false)
	}
	return s.complete(x, f, st, results)
}

// childFailed takes an error that a child did not catch: the other children are
// stopped and the error becomes the parent's, unless a Map tolerates it.
func (s *Server) childFailed(x *execution, f *frame, bad *failure) {
	parent := f.parent
	st := parent.flow.States[parent.state]
	g := parent.group
	g.states[f.index] = childFailed
	g.failed++
	if st.Type == "Map" {
		x.record(f, "MapIterationFailed", &details{name: st.Name, index: f.index, hasIndex: true}, s.now())
	}
	for _, child := range x.children(f) {
		s.drop(x, child)
	}
	s.childGone(x, f)
	if g.tolerance.takes(g.failed, len(g.items)) {
		s.childDone(x, parent, st)
		return
	}
	g.leave(f)
	s.abortChildren(x, parent, st)
	if st.Distributed {
		x.record(parent, "MapRunFailed", &details{failure: bad}, s.now())
		bad = fail(asl.ErrTolerance, "The specified tolerated failure threshold was exceeded")
	}
	s.failed(x, parent, bad)
}

// abortChildren stops every child that still runs, and says so in the history.
func (s *Server) abortChildren(x *execution, f *frame, st *asl.State) {
	for _, child := range x.children(f) {
		inner := child.flow.States[child.state]
		if child.phase != entering {
			s.abortChildren(x, child, inner)
			if aborts[inner.Type] {
				x.record(child, inner.Type+"StateAborted", nil, s.now())
			}
		}
		if st.Type == "Map" {
			x.record(child, "MapIterationAborted",
				&details{name: st.Name, index: child.index, hasIndex: true}, s.now())
		}
		f.group.leave(child)
		s.drop(x, child)
	}
	if f.group != nil {
		f.group.frames, f.group.active = nil, 0
	}
}

// aborts are the types of state for which AWS has an event of their abortion.
var aborts = map[string]bool{"Task": true, "Wait": true, "Parallel": true, "Map": true}

// groupFailed records that a Parallel or a Map ends in an error.
func (s *Server) groupFailed(x *execution, f *frame, st *asl.State, bad *failure) {
	if f.group != nil {
		x.record(f, st.Type+"StateFailed", &details{failure: bad}, s.now())
	}
}
