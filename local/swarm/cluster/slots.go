package cluster

import (
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/moby/moby/api/types/swarm"
)

// A slot is a place of a service, with the tasks that are or were in it: a number of a
// replicated service, a node of a global one.
type slot struct {
	key   string
	tasks []*task
}

func slotKey(s *service, t *task) string {
	if s.global() {
		return t.NodeID
	}
	return strconv.Itoa(t.Slot)
}

func values[V any](m map[string]V) iter.Seq[V] { return maps.Values(m) }

// slotsOf splits the slots of a service: those that an update has to look at, and those
// in which nothing runs or will.
func (c *Cluster) slotsOf(s *service) (updatable, dead map[string]slot) {
	all := map[string]slot{}
	for _, t := range c.tasksOf(s.ID) {
		key := slotKey(s, t)
		all[key] = slot{key, append(all[key].tasks, t)}
	}
	updatable, dead = map[string]slot{}, map[string]slot{}
	for key, one := range all {
		if found := c.updatable(s, one.tasks); len(found) > 0 {
			updatable[key] = slot{key, found}
		} else {
			dead[key] = one
		}
	}
	return updatable, dead
}

// updatable are the tasks of a slot that an update has to look at.
func (c *Cluster) updatable(s *service, tasks []*task) (out []*task) {
	for _, t := range tasks {
		if order[t.DesiredState] <= order[swarm.TaskStateRunning] {
			out = append(out, t)
		}
	}
	if len(out) > 0 || stateOf(s.UpdateStatus) == string(swarm.UpdateStateRollbackStarted) {
		return out
	}
	newest := tasks[len(tasks)-1]
	if newest.DesiredState != swarm.TaskStateRemove && !c.restartable(s, newest) {
		return []*task{newest}
	}
	return nil
}

// dirty says whether a task is not what its service is.
func (c *Cluster) dirty(s *service, t *task) bool {
	if t.SpecVersion == s.SpecVersion {
		return false
	}
	want := s.Spec.TaskTemplate
	if !same(want.Placement, t.Spec.Placement) {
		other := want
		other.Placement = t.Spec.Placement
		if n := c.nodes[t.NodeID]; same(other, t.Spec) && n != nil && admits(want.Placement, n) {
			return false
		}
	}
	return !same(want, t.Spec) || !same(s.Spec.EndpointSpec, t.Endpoint)
}

func (c *Cluster) dirtySlot(s *service, one slot) bool {
	return len(one.tasks) > 1 || len(one.tasks) == 1 && c.dirty(s, one.tasks[0])
}

// replaceLost replaces the tasks that ended, and those on nodes that are gone.
func (c *Cluster) replaceLost(s *service) {
	for _, t := range c.tasksOf(s.ID) {
		if !t.wanted() {
			continue
		}
		if ended(t.Status.State) || t.NodeID != "" && !c.nodes[t.NodeID].valid() {
			c.restart(s, t)
		}
	}
}

// reconcileReplicated gives a service as many slots as it is to have.
func (c *Cluster) reconcileReplicated(s *service) {
	c.replaceLost(s)
	slots, dead := c.slotsOf(s)
	replicas := int(*s.Spec.Mode.Replicated.Replicas)
	sorted := c.removalOrder(slots)
	if len(sorted) > replicas {
		for _, one := range sorted[replicas:] {
			for _, t := range one.tasks {
				c.setDesired(t, swarm.TaskStateRemove)
			}
		}
		sorted = sorted[:replicas]
	}
	c.update(s, sorted)
	number := 0
	for missing := replicas - len(slots); missing > 0; missing-- {
		for number++; ; number++ {
			if _, taken := slots[strconv.Itoa(number)]; !taken {
				break
			}
		}
		delete(dead, strconv.Itoa(number))
		c.newTask(s, number, "", swarm.TaskStateRunning)
	}
	for _, key := range sortedKeys(dead) {
		for _, t := range dead[key].tasks {
			if ended(t.Status.State) {
				c.deleteTask(t)
			}
		}
	}
}

// removalOrder sorts slots so that those at the end are removed first: what does not run,
// then what leaves the nodes most even, the highest number first.
func (c *Cluster) removalOrder(slots map[string]slot) []slot {
	sorted := slices.SortedFunc(values(slots), func(a, b slot) int { return a.tasks[0].Slot - b.tasks[0].Slot })
	slices.SortStableFunc(sorted, func(a, b slot) int { return btoi(b.runs()) - btoi(a.runs()) })
	onNode, nth := map[string]int{}, map[string]int{}
	for _, one := range sorted {
		nth[one.key] = 1 << 30
		if id := one.tasks[0].NodeID; len(one.tasks) == 1 && id != "" {
			onNode[id]++
			nth[one.key] = onNode[id]
		}
	}
	slices.SortStableFunc(sorted, func(a, b slot) int { return nth[a.key] - nth[b.key] })
	return sorted
}

func (s slot) runs() bool {
	return slices.ContainsFunc(s.tasks, func(t *task) bool { return t.Status.State == swarm.TaskStateRunning })
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// reconcileGlobal gives each node that may have one a task.
func (c *Cluster) reconcileGlobal(s *service) {
	var updatable []slot
	slots, _ := c.slotsOf(s)
	for _, id := range sortedKeys(c.nodes) {
		n := c.nodes[id]
		one, has := slots[id]
		switch {
		case !n.valid() || !admits(s.Spec.TaskTemplate.Placement, n):
			for _, t := range one.tasks {
				c.setDesired(t, swarm.TaskStateShutdown)
			}
			continue
		case !has && n.takes():
			c.newTask(s, 0, id, swarm.TaskStateRunning)
			continue
		}
		if has && n.Spec.Availability != swarm.NodeAvailabilityPause {
			updatable = append(updatable, one)
		}
	}
	for _, t := range c.tasksOf(s.ID) {
		switch {
		case !t.wanted():
		case c.nodes[t.NodeID] == nil:
			c.setDesired(t, swarm.TaskStateShutdown)
		case ended(t.Status.State):
			c.restart(s, t)
		}
	}
	slots, _ = c.slotsOf(s)
	for i := range updatable {
		updatable[i] = slots[updatable[i].key]
	}
	c.update(s, slices.DeleteFunc(updatable, func(one slot) bool { return len(one.tasks) == 0 }))
}

// reconcileReplicatedJob starts what is missing of a job, so many at a time.
func (c *Cluster) reconcileReplicatedJob(s *service) {
	job := s.Spec.Mode.ReplicatedJob
	taken := map[int]bool{}
	done, going := 0, 0
	for _, t := range c.currentTasks(s) {
		switch {
		case t.Status.State == swarm.TaskStateComplete:
			done++
			taken[t.Slot] = true
		case t.wanted():
			going++
			taken[t.Slot] = true
		case !c.restartable(s, t):
			taken[t.Slot] = true // it failed for good
		}
	}
	number := 0
	for going < int(*job.MaxConcurrent) && done+going < int(*job.TotalCompletions) && number < int(*job.TotalCompletions) {
		if !taken[number] {
			c.newTask(s, number, "", swarm.TaskStateComplete)
			going++
		}
		number++
	}
}

// currentTasks are those of a job's last execution; those of the ones before are ended,
// and what failed is tried again.
func (c *Cluster) currentTasks(s *service) (current []*task) {
	for _, t := range c.tasksOf(s.ID) {
		if t.JobIteration == nil || *t.JobIteration != s.JobStatus.JobIteration {
			c.setDesired(t, swarm.TaskStateRemove)
			continue
		}
		lost := t.NodeID != "" && !c.nodes[t.NodeID].valid()
		if t.wanted() && t.Status.State != swarm.TaskStateComplete && (ended(t.Status.State) || lost) {
			c.restart(s, t)
		}
	}
	for _, t := range c.tasksOf(s.ID) {
		if t.JobIteration != nil && *t.JobIteration == s.JobStatus.JobIteration {
			current = append(current, t)
		}
	}
	return current
}

// reconcileGlobalJob runs a job once on each node that may have it.
func (c *Cluster) reconcileGlobalJob(s *service) {
	had := map[string]bool{}
	for _, t := range c.currentTasks(s) {
		had[t.NodeID] = true
	}
	for _, id := range sortedKeys(c.nodes) {
		if n := c.nodes[id]; !had[id] && n.valid() && n.takes() && admits(s.Spec.TaskTemplate.Placement, n) {
			c.newTask(s, 0, id, swarm.TaskStateComplete)
		}
	}
}
