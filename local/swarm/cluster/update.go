package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/moby/moby/api/types/swarm"
)

// An update brings the slots of a service to its description, so many at a time.
type update struct {
	back    bool // it is a rollback
	config  *swarm.UpdateConfig
	slots   int // that were not as described when it began
	queue   []string
	working []*slotUpdate
	stopped bool

	// begun are the tasks that it made, with when they ran; zero until then.
	begun  map[string]time.Time
	failed int

	monitors time.Time // until when it looks for failures, once all slots are done
}

// A slotUpdate is one slot on its way.
type slotUpdate struct {
	slot  string
	task  string // the new one
	waits bool   // it runs, and the next slot has its turn at due
	due   time.Time
}

// update goes on with the update of a service, or begins one where slots are not as
// described.
func (c *Cluster) update(s *service, slots []slot) {
	state := stateOf(s.UpdateStatus)
	if state == string(swarm.UpdateStatePaused) || state == string(swarm.UpdateStateRollbackPaused) {
		if u := c.updates[s.ID]; u != nil {
			c.goOn(s, u)
		}
		return
	}
	u := c.updates[s.ID]
	if done, ok := c.updated[s.ID]; u == nil && ok && done == s.SpecVersion {
		return
	}
	if u == nil {
		if u = c.beginUpdate(s, slots); u == nil {
			return
		}
		c.updates[s.ID] = u
	}
	c.goOn(s, u)
}

func (c *Cluster) beginUpdate(s *service, slots []slot) *update {
	var queue []string
	for _, one := range slots {
		if c.dirtySlot(s, one) {
			queue = append(queue, one.key)
		}
	}
	state := stateOf(s.UpdateStatus)
	if len(queue) == 0 {
		if state == string(swarm.UpdateStateUpdating) || state == string(swarm.UpdateStateRollbackStarted) {
			c.completeUpdate(s)
		}
		return nil
	}
	if s.UpdateStatus == nil {
		s.UpdateStatus = &swarm.UpdateStatus{State: swarm.UpdateStateUpdating, Message: "update in progress", StartedAt: pointer(c.now())}
		c.serviceChanged(s, state)
	}
	u := &update{slots: len(queue), queue: queue, begun: map[string]time.Time{}}
	if u.back = stateOf(s.UpdateStatus) == string(swarm.UpdateStateRollbackStarted); u.back {
		u.config = updateOr(s.Spec.RollbackConfig)
	} else {
		u.config = updateOr(s.Spec.UpdateConfig)
	}
	return u
}

// goOn looks at each slot on its way, and takes the next ones.
func (c *Cluster) goOn(s *service, u *update) {
	u.working = slices.DeleteFunc(u.working, func(w *slotUpdate) bool { return c.slotDone(s, u, w) })
	at := int(u.config.Parallelism)
	if at == 0 {
		at = u.slots
	}
	for len(u.working) < at && len(u.queue) > 0 && !u.stopped {
		next := u.queue[0]
		u.queue = u.queue[1:]
		if w := c.updateSlot(s, u, next); w != nil {
			u.working = append(u.working, w)
		}
	}
	if len(u.working) > 0 || len(u.queue) > 0 && !u.stopped {
		return
	}
	if u.stopped {
		c.endUpdate(s)
		return
	}
	c.monitor(s, u)
}

// monitor looks for failures for a while after the last slot, and ends the update.
func (c *Cluster) monitor(s *service, u *update) {
	if u.monitors.IsZero() {
		period := u.config.Monitor
		if u.config.Delay >= period {
			period = u.config.Delay + time.Second
		}
		u.monitors = c.now().Add(period)
	}
	if c.now().Before(u.monitors) {
		c.lookAgain(s.ID, u.monitors)
		return
	}
	c.endUpdate(s)
	c.completeUpdate(s)
}

// endUpdate leaves the slots as they are until the service is changed again.
func (c *Cluster) endUpdate(s *service) {
	delete(c.updates, s.ID)
	c.updated[s.ID] = s.SpecVersion
}

func (c *Cluster) completeUpdate(s *service) {
	if s.UpdateStatus == nil {
		return
	}
	was := stateOf(s.UpdateStatus)
	if s.UpdateStatus.State == swarm.UpdateStateRollbackStarted {
		s.UpdateStatus.State, s.UpdateStatus.Message = swarm.UpdateStateRollbackCompleted, "rollback completed"
	} else {
		s.UpdateStatus.State, s.UpdateStatus.Message = swarm.UpdateStateCompleted, "update completed"
	}
	s.UpdateStatus.CompletedAt = pointer(c.now())
	c.serviceChanged(s, was)
}

// updateSlot begins with a slot; nil is that nothing has to be waited for.
func (c *Cluster) updateSlot(s *service, u *update, key string) *slotUpdate {
	slots, _ := c.slotsOf(s)
	one, ok := slots[key]
	if !ok {
		return nil
	}
	w := &slotUpdate{slot: key}
	if clean := c.cleanTask(s, one); clean != nil {
		last := c.shutDown(one, clean)
		if order[clean.DesiredState] < order[swarm.TaskStateRunning] && !clean.Held {
			c.hold(clean, last, 0)
		}
		return c.delay(s, u, w)
	}
	node := ""
	if s.global() {
		node = one.tasks[0].NodeID
	}
	made := c.newTask(s, one.tasks[0].Slot, node, swarm.TaskStateReady)
	w.task = made.ID
	u.begun[made.ID] = time.Time{}
	if u.config.Order == swarm.UpdateOrderStartFirst {
		c.hold(made, nil, 0)
		return w
	}
	c.hold(made, c.shutDown(one, nil), 0)
	return w
}

// cleanTask is the task of a slot that is as described already.
func (c *Cluster) cleanTask(s *service, one slot) (clean *task) {
	for _, t := range one.tasks {
		if !c.dirty(s, t) && t.wanted() {
			if t.DesiredState == swarm.TaskStateRunning {
				return t
			}
			clean = t
		}
	}
	return clean
}

// shutDown ends the tasks of a slot but one, and returns one that it ended.
func (c *Cluster) shutDown(one slot, but *task) (last *task) {
	for _, t := range one.tasks {
		if t != but && t.wanted() {
			c.setDesired(t, swarm.TaskStateShutdown)
			last = t
		}
	}
	return last
}

// delay lets the next slot wait, as the update's settings say.
func (c *Cluster) delay(s *service, u *update, w *slotUpdate) *slotUpdate {
	if u.config.Delay <= 0 {
		return nil
	}
	w.waits, w.due = true, c.now().Add(u.config.Delay)
	c.at("delay "+s.ID+" "+w.slot, w.due, func() { c.wake(s.ID) })
	return w
}

// slotDone says whether a slot needs nothing more.
func (c *Cluster) slotDone(s *service, u *update, w *slotUpdate) bool {
	if w.waits {
		return !c.now().Before(w.due)
	}
	t, ok := c.tasks[w.task]
	if ok && order[t.Status.State] < order[swarm.TaskStateRunning] && t.wanted() {
		return false
	}
	if ok && t.Status.State == swarm.TaskStateRunning {
		if u.begun[t.ID].IsZero() {
			u.begun[t.ID] = t.Status.Timestamp
		}
		slots, _ := c.slotsOf(s)
		c.shutDown(slots[w.slot], t)
	}
	return c.delay(s, u, w) == nil
}

// endedInUpdate counts a task of the update that ended within the time in which that is
// a failure, and does what the settings say of failures.
func (c *Cluster) endedInUpdate(u *update, t *task) {
	s, ok := c.services[t.ServiceID]
	began, ours := u.begun[t.ID]
	if !ok || !ours || u.stopped || u.config.FailureAction == swarm.UpdateFailureActionContinue {
		return
	}
	if !began.IsZero() && c.now().Sub(began) > u.config.Monitor {
		return
	}
	delete(u.begun, t.ID)
	u.failed++
	if float32(u.failed)/float32(u.slots) <= u.config.MaxFailureRatio {
		return
	}
	u.stopped = true
	if u.config.FailureAction == swarm.UpdateFailureActionRollback && !u.back {
		c.rollBack(s, fmt.Sprintf("update rolled back due to failure or early termination of task %s", t.ID))
		return
	}
	was := stateOf(s.UpdateStatus)
	if s.UpdateStatus.State == swarm.UpdateStateRollbackStarted {
		s.UpdateStatus.State = swarm.UpdateStateRollbackPaused
		s.UpdateStatus.Message = fmt.Sprintf("rollback paused due to failure or early termination of task %s", t.ID)
	} else {
		s.UpdateStatus.State = swarm.UpdateStatePaused
		s.UpdateStatus.Message = fmt.Sprintf("update paused due to failure or early termination of task %s", t.ID)
	}
	c.serviceChanged(s, was)
}

// rollBack goes back to what a service was before.
func (c *Cluster) rollBack(s *service, message string) {
	was := stateOf(s.UpdateStatus)
	if s.PreviousSpec == nil {
		return
	}
	s.UpdateStatus.State, s.UpdateStatus.Message = swarm.UpdateStateRollbackStarted, message
	s.Spec, s.SpecVersion = *s.PreviousSpec, s.PreviousSpecVersion
	s.PreviousSpec, s.PreviousSpecVersion = nil, 0
	c.allocate(s)
	delete(c.updates, s.ID)
	delete(c.updated, s.ID) // the description may be that of an update before
	c.serviceChanged(s, was)
}
