package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// drainDeadline is how long the tasks of a node may take to move elsewhere.
const drainDeadline = 20 * time.Minute

// Verdicts of the gate.
const (
	drained  = "Drained"
	draining = "Draining"
	failed   = "Failed"
	gone     = "Gone"
	leaving  = "Leaving"
)

// joined says whether the node ever joined the orchestrator: an instance that did
// not has no tasks, and passes.
func (w *work) joined() bool { return w.Node.ID != "" }

// recognise finds the node of an instance that had not joined when it was planned:
// it may have joined since, and then has to pass the gate like any other.
func (w *work) recognise(ctx context.Context) error {
	if w.joined() || w.Node.Instance == "" {
		return nil
	}
	page, err := w.driver.ListNodes(ctx, orchestrator.NodeQuery{
		Cluster: w.cluster.Ref(), Instance: w.Node.Instance, Limit: 1,
	})
	if fault.IsUnavailable(err) && w.swarmEnds() {
		return nil // nobody is left who knows
	}
	if err != nil {
		return fault.IgnoreNotFound(err)
	}
	for _, node := range page.Nodes {
		w.Node.ID, w.appeared = node.ID, true
	}
	return nil
}

// catchUp cordons a node that appeared behind the step that would have, and starts to
// drain it.
func (w *work) catchUp(ctx context.Context) error {
	if !w.appeared {
		return nil
	}
	if err := w.driver.Cordon(ctx, w.ref()); err != nil {
		return fault.IgnoreNotFound(err)
	}
	return fault.IgnoreNotFound(w.driver.Drain(ctx, w.ref()))
}

// swarmEnds says whether the node goes because all of its swarm does.
func (w *work) swarmEnds() bool { return w.Force && w.cluster.Facts.Swarm != nil }

// isLast says whether the node is the last manager of a swarm that ends with it: nobody
// is left then whom it could leave to.
func (w *work) isLast(ctx context.Context) (bool, error) {
	managers, ok := w.driver.(orchestrator.Managers)
	if !ok || !w.swarmEnds() {
		return false, nil
	}
	quorum, err := managers.Quorum(ctx, w.cluster.Ref())
	if fault.IsUnavailable(err) {
		return true, nil
	}
	return err == nil && quorum.Managers <= 1, err
}

// find is NotFound when the cluster has no such node.
func (h *Handler) find(ctx context.Context, w *work) (State, error) {
	_, err := w.driver.DrainStatus(ctx, w.ref())
	return State{Reason: "the node takes tasks"}, err
}

func (h *Handler) cordon(ctx context.Context, w *work) (State, error) {
	out := State{Instance: w.Node.Instance}
	if !w.joined() {
		return out, nil
	}
	return out, fault.IgnoreNotFound(w.driver.Cordon(ctx, w.ref()))
}

func (h *Handler) drain(ctx context.Context, w *work) (State, error) {
	out := State{Instance: w.Node.Instance, Deadline: h.Now().Add(drainDeadline)}
	if !w.joined() {
		return out, nil
	}
	return out, fault.IgnoreNotFound(w.driver.Drain(ctx, w.ref()))
}

// observeDrain counts the tasks that are left on a node. A manager stays one: who only has
// it drained takes it back later.
func (h *Handler) observeDrain(ctx context.Context, w *work) (State, error) {
	out := w.State
	out.Looks++
	out.Verdict = drained
	if !w.joined() {
		return out, nil
	}
	if err := w.catchUp(ctx); err != nil {
		return State{}, err
	}
	// Where tasks are moved one by one, this goes on with what was refused before.
	err := w.driver.Drain(ctx, w.ref())
	if fault.IsNotFound(err) {
		return out, nil
	}
	if err != nil {
		return State{}, err
	}
	status, err := w.driver.DrainStatus(ctx, w.ref())
	if err != nil {
		return State{}, err
	}
	out.Reason = fmt.Sprintf("%d tasks are left", status.TasksLeft)
	late := !h.Now().Before(w.State.Deadline)
	switch {
	case status.Drained(), late && w.Force:
	case late:
		out.Verdict = failed
	default:
		out.Verdict = draining
	}
	return out, nil
}

// demote takes a manager out of the quorum, which has to hold without it.
func (h *Handler) demote(ctx context.Context, w *work) error {
	if !w.driver.Capabilities(w.cluster.Ref()).Quorum {
		return nil
	}
	managers, ok := w.driver.(orchestrator.Managers)
	if !ok {
		return fmt.Errorf("the driver says that it has a quorum, and cannot count it")
	}
	return fault.IgnoreNotFound(managers.Demote(ctx, w.ref()))
}

// leave lets the node go, which it does only if the quorum holds without it.
func (h *Handler) leave(ctx context.Context, w *work) (State, error) {
	out := State{Instance: w.Node.Instance}
	if !w.joined() {
		return out, nil
	}
	if last, err := w.isLast(ctx); last || err != nil {
		return out, err
	}
	if err := w.passes(ctx); err != nil {
		return State{}, err
	}
	if err := h.demote(ctx, w); err != nil {
		return State{}, err
	}
	return out, fault.IgnoreNotFound(w.driver.Leave(ctx, w.ref()))
}

// passes is a Conflict for a node that nobody drained, because it joined after the look
// at the drain: it is drained now, and may leave at another attempt.
func (w *work) passes(ctx context.Context) error {
	if !w.appeared {
		return nil
	}
	if err := w.catchUp(ctx); err != nil {
		return err
	}
	status, err := w.driver.DrainStatus(ctx, w.ref())
	if err != nil || status.Drained() {
		return fault.IgnoreNotFound(err)
	}
	return fault.New(fault.Conflict, "node %s joined meanwhile, and %d tasks are left on it", w.Node.ID, status.TasksLeft)
}

func (h *Handler) uncordon(ctx context.Context, w *work) (State, error) {
	out := State{Instance: w.Node.Instance, Reason: "the node takes tasks"}
	if !w.joined() {
		return out, nil
	}
	return out, fault.IgnoreNotFound(w.driver.Uncordon(ctx, w.ref()))
}

// observeLeave looks whether the node's instance is gone from its group.
func (h *Handler) observeLeave(ctx context.Context, w *work) (State, error) {
	out := w.State
	out.Looks++
	group, err := w.group(ctx, w.Group)
	if err != nil {
		return State{}, err
	}
	out.Verdict = gone
	if group != nil && slices.Contains(live(group), w.Node.Instance) {
		out.Verdict = leaving
	}
	return out, nil
}
