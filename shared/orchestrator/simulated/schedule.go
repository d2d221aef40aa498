package simulated

import (
	"fmt"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// schedule starts and stops tasks until each service is as near to what is
// wanted of it as its rollout settings and the nodes allow right now.
func (o *Orchestrator) schedule() {
	for _, s := range o.services {
		if s.global() {
			o.scheduleGlobal(s)
		} else {
			o.scheduleReplicas(s)
		}
		s.finishRollout(o.wanted(s))
	}
}

// fresh tasks are what is wanted; stale ones run another release, or run where
// they may not stay.
func (s *service) fresh(t *task) bool {
	return t.release == s.active().Number && t.image == s.active().Image && t.node.staying()
}

func (o *Orchestrator) scheduleReplicas(s *service) {
	wanted := o.wanted(s)
	highest := max(wanted, wanted*percentMax(s.active().Spec)/100)
	lowest := (wanted*percentMin(s.active().Spec) + 99) / 100
	fresh, stale, healthy := s.count()
	for fresh < wanted && fresh+stale < highest {
		if !o.start(s) {
			break
		}
		fresh++
	}
	for _, t := range s.tasks {
		surplus := fresh > wanted && s.fresh(t)
		if !t.lives() || s.fresh(t) && !surplus || t.healthy && healthy <= lowest && !surplus {
			continue
		}
		if t.healthy {
			healthy--
		}
		if surplus {
			fresh--
		}
		o.stop(t, "it is not needed any more")
	}
}

func (s *service) count() (fresh, stale, healthy int) {
	for _, t := range s.tasks {
		switch {
		case !t.lives():
			continue
		case s.fresh(t):
			fresh++
		default:
			stale++
		}
		if t.healthy {
			healthy++
		}
	}
	return fresh, stale, healthy
}

// start places one task on the emptiest node with room. Without any, the task is
// not made, and the service's events say why.
func (o *Orchestrator) start(s *service) bool {
	best := o.emptiest()
	if best == nil {
		s.starved = "no capacity: no node has room for another task"
		return false
	}
	s.starved = ""
	o.startOn(s, best)
	return true
}

// emptiest is the node with the most room, or nil where none has any.
func (o *Orchestrator) emptiest() *node {
	var best *node
	for _, n := range o.nodes {
		if n.state != orchestrator.NodeReady || o.load(n) >= o.config.Slots {
			continue
		}
		if best == nil || o.load(n) < o.load(best) {
			best = n
		}
	}
	return best
}

func (o *Orchestrator) startOn(s *service, n *node) {
	release := s.active()
	name := release.Spec.Container
	if name == "" {
		name = s.name
	}
	s.tasks = append(s.tasks, &task{
		id: o.id("task"), node: n, name: name, release: release.Number, image: release.Image,
		role: release.Spec.Role, state: orchestrator.TaskPending, due: o.at.Add(o.config.Start),
	})
}

// scheduleGlobal keeps one task on each node that takes any.
func (o *Orchestrator) scheduleGlobal(s *service) {
	for _, n := range o.nodes {
		var fresh *task
		for _, t := range s.tasks {
			if t.node == n && t.lives() && s.fresh(t) {
				fresh = t
			}
		}
		takes := n.state == orchestrator.NodeReady && o.wanted(s) > 0
		if fresh == nil && takes {
			o.startOn(s, n)
		}
		for _, t := range s.tasks {
			leaves := !n.staying() || o.wanted(s) == 0 || fresh != nil && fresh.healthy
			if t.node == n && t.lives() && leaves && (t != fresh || o.wanted(s) == 0) {
				o.stop(t, "it is not needed any more")
			}
		}
	}
}

// wanted is the number of tasks to run of the active release.
func (o *Orchestrator) wanted(s *service) int {
	if s.active().Number == 0 && s.active().Image == "" {
		return 0
	}
	if !s.global() {
		return s.desired
	}
	if s.removing {
		return 0
	}
	ready := 0
	for _, n := range o.nodes {
		if n.state == orchestrator.NodeReady {
			ready++
		}
	}
	return ready
}

// finishRollout ends a rollout when all wanted tasks are healthy and no task of
// another release is left.
func (s *service) finishRollout(wanted int) {
	if s.state != orchestrator.InProgress {
		return
	}
	healthy := 0
	for _, t := range s.tasks {
		earlier := t.release != s.target.Number || t.image != s.target.Image
		if earlier && t.state != orchestrator.TaskStopped {
			return
		}
		if t.healthy {
			healthy++
		}
	}
	if healthy >= wanted {
		s.state, s.reason, s.effective = orchestrator.RolledOut, "", s.target
	}
}

func (o *Orchestrator) load(n *node) int {
	load := 0
	for _, t := range o.tasks() {
		if t.node == n && t.state != orchestrator.TaskStopped {
			load++
		}
	}
	return load
}

// tasks are those of all services and jobs.
func (o *Orchestrator) tasks() []*task {
	var all []*task
	for _, s := range o.services {
		all = append(all, s.tasks...)
	}
	for _, j := range o.jobs {
		all = append(all, j.tasks...)
	}
	return all
}

func percentMax(spec contract.ServiceSpec) int {
	if spec.Rollout.HealthyPercentMax == 0 {
		return 200
	}
	return spec.Rollout.HealthyPercentMax
}

func percentMin(spec contract.ServiceSpec) int {
	if spec.Rollout.HealthyPercentMin == nil {
		return 100
	}
	return *spec.Rollout.HealthyPercentMin
}

// why explains a rollout that is under way or failed.
func (s *service) why() string {
	switch {
	case s.state == orchestrator.RolledOut:
		return ""
	case s.reason == "" && s.starved != "":
		return s.starved
	case s.reason == "":
		return ""
	}
	return fmt.Sprintf("%d tasks failed; the last one: %s", s.failed, s.reason)
}
