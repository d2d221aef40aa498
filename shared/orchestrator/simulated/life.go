package simulated

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portolan/shared/orchestrator"
)

// task is one copy. due is when it takes the next step of its life; zero when it
// takes none by itself.
type task struct {
	id      string
	node    *node
	release int64
	image   string
	role    string
	name    string

	state              orchestrator.TaskState
	healthy            bool
	reason             string
	due                time.Time
	startedAt, stopped time.Time

	// job tasks end by themselves; exited says that one did so, with exitCode.
	job, exited bool
	exitCode    int
}

// lives says whether the task runs or is about to, and was not told to stop.
func (t *task) lives() bool {
	return t.state == orchestrator.TaskPending || t.state == orchestrator.TaskRunning
}

// catchUp plays everything from the last call to the present.
func (o *Orchestrator) catchUp() {
	now := o.config.Now()
	for {
		o.schedule()
		service, next := o.nextDue()
		if next == nil || next.due.After(now) {
			break
		}
		o.at = next.due
		o.step(service, next)
	}
	o.at = now
	o.forget()
}

// forget drops the tasks that stopped an hour ago, as ECS does.
func (o *Orchestrator) forget() {
	for _, s := range o.services {
		s.tasks = slices.DeleteFunc(s.tasks, func(t *task) bool {
			return t.state == orchestrator.TaskStopped && o.at.Sub(t.stopped) > time.Hour
		})
	}
}

// nextDue is the task that takes the next step, with its service; without one for a job's.
func (o *Orchestrator) nextDue() (*service, *task) {
	var found *task
	var owner *service
	for _, s := range o.services {
		for _, t := range s.tasks {
			if !t.due.IsZero() && (found == nil || t.due.Before(found.due)) {
				owner, found = s, t
			}
		}
	}
	for _, j := range o.jobs {
		for _, t := range j.tasks {
			if !t.due.IsZero() && (found == nil || t.due.Before(found.due)) {
				owner, found = nil, t
			}
		}
	}
	return owner, found
}

// step moves a task on, as its image's name says.
func (o *Orchestrator) step(s *service, t *task) {
	switch {
	case t.job:
		o.stepJob(t)
	case t.state == orchestrator.TaskStopping:
		o.end(t, t.reason)
	case t.state == orchestrator.TaskPending && strings.Contains(t.image, "pull-fail"):
		o.fail(s, t, fmt.Sprintf("the image %s could not be pulled: not found", t.image))
	case t.state == orchestrator.TaskPending:
		t.state, t.startedAt = orchestrator.TaskRunning, o.at
		t.due = o.at.Add(o.config.Settle)
	case strings.Contains(t.image, "crash"):
		o.fail(s, t, fmt.Sprintf("container %s exited with code 1", t.name))
	case strings.Contains(t.image, "unhealthy"):
		o.fail(s, t, fmt.Sprintf("the health check of container %s failed", t.name))
	default:
		t.healthy, t.due = true, time.Time{}
	}
}

// fail ends a task by its own fault, which counts against the rollout.
func (o *Orchestrator) fail(s *service, t *task, reason string) {
	o.end(t, reason)
	if s.state != orchestrator.InProgress || t.release != s.target.Number {
		return
	}
	s.failed++
	s.reason = reason
	if s.failed >= failuresMax(s.desired) {
		s.state = orchestrator.Failed
	}
}

// failuresMax is the threshold of ECS's circuit breaker.
func failuresMax(desired int) int { return min(max(3, (desired+1)/2), 200) }

func (o *Orchestrator) end(t *task, reason string) {
	t.state, t.healthy, t.reason = orchestrator.TaskStopped, false, reason
	t.stopped, t.due = o.at, time.Time{}
}

func (o *Orchestrator) stop(t *task, reason string) {
	t.state, t.healthy, t.reason = orchestrator.TaskStopping, false, reason
	t.due = o.at.Add(o.config.Stop)
}
