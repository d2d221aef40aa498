package simulated

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// job is a job with its tasks, in the order in which they were started.
type job struct {
	orchestrator.Job
	tasks    []*task
	removing bool
}

// RunJob implements orchestrator.Jobs.
func (o *Orchestrator) RunJob(ctx context.Context, wanted orchestrator.Job) error {
	return o.do(ctx, "RunJob", func() error {
		j := o.job(wanted.Name)
		switch {
		case j != nil && j.Operation != wanted.Operation:
			return fault.New(fault.Conflict, "operation %s made the job %q", j.Operation, j.Name)
		case j != nil && !j.seen().Again:
			return nil
		}
		best := o.emptiest()
		if best == nil {
			return fault.New(fault.Unavailable, "no capacity: no node has room for another task")
		}
		if j == nil {
			j = &job{Job: wanted}
			o.jobs = append(o.jobs, j)
		}
		name := wanted.Spec.Container
		if name == "" {
			name = wanted.Name
		}
		j.tasks = append(j.tasks, &task{
			id: o.id("task"), node: best, image: wanted.Spec.Image, name: name, role: wanted.Spec.Role, job: true,
			state: orchestrator.TaskPending, due: o.at.Add(o.config.Start),
		})
		return nil
	})
}

func (o *Orchestrator) job(name string) *job {
	for _, j := range o.jobs {
		if j.Name == name {
			return j
		}
	}
	return nil
}

// seen says how far a job has come by its tasks.
func (j *job) seen() orchestrator.JobObservation {
	seen := orchestrator.JobObservation{State: orchestrator.JobRunning, StartedAt: j.tasks[0].startedAt}
	for _, t := range j.tasks {
		seen.Task = t.id
		if t.state != orchestrator.TaskStopped {
			return seen
		}
		seen.ExitCode, seen.Reason, seen.EndedAt = nil, t.reason, t.stopped
		if t.exited {
			code := t.exitCode
			seen.ExitCode = &code
		}
		if t.exited && t.exitCode == 0 {
			seen.State = orchestrator.JobSucceeded
			return seen
		}
		seen.Failed++
	}
	if seen.Again = seen.Failed <= j.Spec.Retries && !j.removing; !seen.Again {
		seen.State = orchestrator.JobFailed
	}
	return seen
}

// ObserveJob implements orchestrator.Jobs.
func (o *Orchestrator) ObserveJob(ctx context.Context, wanted orchestrator.Job) (orchestrator.JobObservation, error) {
	var seen orchestrator.JobObservation
	err := o.do(ctx, "ObserveJob", func() error {
		j := o.job(wanted.Name)
		if j == nil || j.Operation != wanted.Operation {
			return fault.New(fault.NotFound, "there is no job %q", wanted.Name)
		}
		seen = j.seen()
		return nil
	})
	return seen, err
}

// RemoveJob implements orchestrator.Jobs.
func (o *Orchestrator) RemoveJob(ctx context.Context, wanted orchestrator.Job) (left []string, err error) {
	err = o.do(ctx, "RemoveJob", func() error {
		j := o.job(wanted.Name)
		if j == nil || j.Operation != wanted.Operation {
			return nil
		}
		j.removing = true
		for _, t := range j.tasks {
			if t.lives() {
				o.stop(t, "the job is stopped")
			}
			if t.state != orchestrator.TaskStopped {
				left = append(left, t.id)
			}
		}
		if len(left) == 0 {
			o.jobs = slices.DeleteFunc(o.jobs, func(x *job) bool { return x == j })
		}
		return nil
	})
	return left, err
}

// JobNames returns the names of all jobs that exist, in the order of creation.
func (o *Orchestrator) JobNames() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	for _, j := range o.jobs {
		names = append(names, j.Name)
	}
	return names
}

// stepJob moves a job's task on, as its image's name says.
func (o *Orchestrator) stepJob(t *task) {
	exit := func(code int, reason string) {
		t.exited, t.exitCode = true, code
		o.end(t, reason)
	}
	switch {
	case t.state == orchestrator.TaskStopping:
		o.end(t, t.reason)
	case t.state == orchestrator.TaskPending && strings.Contains(t.image, "pull-fail"):
		o.end(t, fmt.Sprintf("the image %s could not be pulled: not found", t.image))
	case t.state == orchestrator.TaskPending:
		t.state, t.startedAt, t.healthy = orchestrator.TaskRunning, o.at, true
		t.due = o.at.Add(o.config.Settle)
	case strings.Contains(t.image, "exit-1"):
		exit(1, fmt.Sprintf("container %s exited with code 1", t.name))
	default:
		exit(0, "")
	}
}
