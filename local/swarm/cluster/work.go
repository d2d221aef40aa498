package cluster

import (
	"slices"
	"time"

	"github.com/moby/moby/api/types/swarm"
)

// reaction is how long the leader takes until it looks at what changed.
const reaction = 100 * time.Millisecond

// wake makes the leader look at a service soon.
func (c *Cluster) wake(serviceID string) {
	c.woken[serviceID] = true
	if c.working || !c.Led() {
		return
	}
	c.working = true
	c.at("work", c.now().Add(reaction), c.work)
}

func (c *Cluster) wakeAll() {
	for _, id := range sortedKeys(c.services) {
		c.wake(id)
	}
	c.wake("") // the tasks of services that are gone
}

// lookAgain makes the leader look at a service at a time.
func (c *Cluster) lookAgain(serviceID string, due time.Time) {
	c.at("look "+serviceID, due, func() { c.wake(serviceID) })
}

// work looks at what changed: it makes and ends tasks, and gives those that have none a
// node.
func (c *Cluster) work() {
	c.working = false
	if !c.Led() {
		return
	}
	woken := sortedKeys(c.woken)
	clear(c.woken)
	for _, id := range woken {
		if s, ok := c.services[id]; ok {
			c.reconcile(s)
		}
	}
	c.schedule()
	for _, id := range woken {
		c.reap(id)
	}
}

// reconcile makes of a service's tasks what the service is to have.
func (c *Cluster) reconcile(s *service) {
	c.release(s)
	switch m := s.Spec.Mode; {
	case m.Replicated != nil:
		c.reconcileReplicated(s)
	case m.Global != nil:
		c.reconcileGlobal(s)
	case m.ReplicatedJob != nil:
		c.reconcileReplicatedJob(s)
	case m.GlobalJob != nil:
		c.reconcileGlobalJob(s)
	}
}

// release starts tasks that waited for others to stop, or for their time.
func (c *Cluster) release(s *service) {
	now := c.now()
	for _, t := range c.tasksOf(s.ID) {
		if !t.Held {
			continue
		}
		due := t.StartAt
		if old, ok := c.tasks[t.StartAfter]; ok && !ended(old.Status.State) && now.Before(t.StartBy) {
			if n := c.nodes[old.NodeID]; old.NodeID == "" || n != nil && n.Node.Status.State != swarm.NodeStateDown {
				due = t.StartBy
			}
		}
		if now.Before(due) {
			c.at("look "+s.ID+" "+t.ID, due, func() { c.wake(s.ID) })
			continue
		}
		t.Held, t.StartAfter = false, ""
		c.touch(KindTask, t.ID)
		if order[t.DesiredState] < order[swarm.TaskStateRunning] {
			c.setDesired(t, runs(s))
		}
	}
}

// runs is the state that a service's tasks are to reach.
func runs(s *service) swarm.TaskState {
	if s.job() {
		return swarm.TaskStateComplete
	}
	return swarm.TaskStateRunning
}

// taskEnded is told of each task that has ended.
func (c *Cluster) taskEnded(t *task) {
	if u, ok := c.updates[t.ServiceID]; ok {
		c.endedInUpdate(u, t)
	}
}

// reap forgets tasks that nobody wants to look back at.
func (c *Cluster) reap(serviceID string) {
	s := c.services[serviceID]
	slots := map[string][]*task{}
	for _, t := range slices.SortedFunc(values(c.tasks), older) {
		if s == nil && c.services[t.ServiceID] != nil || s != nil && t.ServiceID != serviceID {
			continue
		}
		over := ended(t.Status.State) || order[t.Status.State] < order[swarm.TaskStateAssigned] && !t.wanted()
		switch {
		case over && (s == nil || t.DesiredState == swarm.TaskStateRemove):
			c.deleteTask(t)
		case s != nil:
			slots[slotKey(s, t)] = append(slots[slotKey(s, t)], t)
		}
	}
	if s == nil || s.job() {
		return
	}
	history := int(*c.object.Spec.Orchestration.TaskHistoryRetentionLimit)
	if p := s.Spec.TaskTemplate.RestartPolicy; p != nil && p.MaxAttempts != nil && *p.MaxAttempts > 0 {
		history = int(*p.MaxAttempts) + 1
	}
	if history < 0 {
		return
	}
	for _, key := range sortedKeys(slots) {
		c.reapSlot(slots[key], history)
	}
}

// reapSlot keeps so many tasks of a slot, those that run included.
func (c *Cluster) reapSlot(tasks []*task, history int) {
	left := len(tasks)
	for _, t := range tasks {
		if left <= history {
			return
		}
		if ended(t.Status.State) || order[t.Status.State] < order[swarm.TaskStateAssigned] && !t.wanted() {
			c.deleteTask(t)
			left--
		}
	}
}
