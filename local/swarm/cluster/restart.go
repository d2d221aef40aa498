package cluster

import (
	"time"

	"github.com/moby/moby/api/types/swarm"
)

// stopPatience is how long a replacement waits for the task before it to stop.
const stopPatience = time.Minute

// restarts are how often the tasks of a slot were replaced.
type restarts struct {
	SpecVersion uint64
	Count       uint64
	Times       []time.Time
}

// restart replaces a task, if its service's policy says so: the replacement starts after
// a delay, once the task has stopped.
func (c *Cluster) restart(s *service, t *task) {
	if t.Held {
		// It replaces another itself: its own replacement waits for its delay to be over,
		// which release sees to.
		return
	}
	c.setDesired(t, swarm.TaskStateShutdown)
	if !c.restartable(s, t) {
		return
	}
	node := ""
	if s.global() {
		node = t.NodeID
	}
	made := c.newTask(s, t.Slot, node, swarm.TaskStateReady)
	c.countRestart(s, made)
	delay := restartDelay
	if p := t.Spec.RestartPolicy; p != nil && p.Delay != nil {
		delay = *p.Delay
	}
	n := c.nodes[t.NodeID]
	if n != nil && n.Spec.Availability == swarm.NodeAvailabilityDrain {
		delay = 0
	}
	after := t
	if n != nil && n.Node.Status.State == swarm.NodeStateDown || ended(t.Status.State) {
		after = nil
	}
	c.hold(made, after, delay)
}

// hold lets a task wait for another to stop, and for a while.
func (c *Cluster) hold(t, after *task, delay time.Duration) {
	t.Held, t.StartAt, t.StartBy = true, c.now().Add(delay), c.now().Add(delay+stopPatience)
	t.StartAfter = ""
	if after != nil {
		t.StartAfter = after.ID
	}
	c.touch(KindTask, t.ID)
	c.wake(t.ServiceID)
}

// restartable says whether a task that ended is replaced.
func (c *Cluster) restartable(s *service, t *task) bool {
	p := t.Spec.RestartPolicy
	condition := swarm.RestartPolicyConditionAny
	if p != nil {
		condition = p.Condition
	}
	complete := t.Status.State == swarm.TaskStateComplete
	switch {
	case condition == swarm.RestartPolicyConditionNone,
		complete && (condition == swarm.RestartPolicyConditionOnFailure || s.job()):
		return false
	case p == nil || p.MaxAttempts == nil || *p.MaxAttempts == 0:
		return true
	}
	r := s.Restarts[slotKey(s, t)]
	if r == nil || r.SpecVersion != t.SpecVersion {
		return true
	}
	if p.Window == nil || *p.Window == 0 {
		return r.Count < *p.MaxAttempts
	}
	recent := uint64(0)
	for _, at := range r.Times {
		if at.After(t.Status.Timestamp.Add(-*p.Window)) && at.Before(t.Status.Timestamp) {
			recent++
		}
	}
	return recent < *p.MaxAttempts
}

func (c *Cluster) countRestart(s *service, made *task) {
	p := made.Spec.RestartPolicy
	if p == nil || p.MaxAttempts == nil || *p.MaxAttempts == 0 {
		return
	}
	key := slotKey(s, made)
	r := s.Restarts[key]
	if r == nil || r.SpecVersion != made.SpecVersion {
		r = &restarts{SpecVersion: made.SpecVersion}
		s.Restarts[key] = r
	}
	r.Count++
	if p.Window != nil && *p.Window > 0 {
		r.Times = append(r.Times, c.now())
	}
	c.touch(KindService, s.ID)
}
