package swarm

import (
	"context"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/orchestrator"
)

// Observe implements orchestrator.Services. It makes two requests.
func (d *Driver) Observe(ctx context.Context, ref orchestrator.ServiceRef) (orchestrator.Observation, error) {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return orchestrator.Observation{}, err
	}
	s, err := c.ours(ctx, ref)
	if err != nil {
		return orchestrator.Observation{}, err
	}
	tasks, err := c.tasksOf(ctx, ref)
	if err != nil {
		return orchestrator.Observation{}, err
	}
	return observation(s, tasks, d.config.Now()), nil
}

// failuresMax is after how many failures a first rollout is given up, which the swarm
// itself would try for ever.
const failuresMax = 3

// A tally counts the tasks of a service.
type tally struct {
	running, pending, failed int

	// ready are the running tasks of the present description, young those of them that
	// may still fail soon after their start, and older those of another description that
	// have not ended.
	ready, young, older int
	worst               trouble
}

func count(s *swarm.Service, tasks []swarm.Task, now time.Time) tally {
	var t tally
	watched := monitorDefault
	if s.Spec.UpdateConfig != nil && s.Spec.UpdateConfig.Monitor > 0 {
		watched = s.Spec.UpdateConfig.Monitor
	}
	for i := range tasks {
		task := &tasks[i]
		if task.ServiceID != s.ID {
			continue
		}
		is, wanted, stays := current(task, s), !ended(task.Status.State), wantedOn(task)
		running := task.Status.State == swarm.TaskStateRunning
		switch {
		case wanted && stays && running:
			t.running++
		case wanted && stays:
			t.pending++
		}
		if is {
			t.worst = worse(t.worst, troubleOf(task))
			if failedState(task.Status.State) {
				t.failed++
			}
		}
		switch {
		case is && running && stays:
			t.ready++
			if now.Sub(task.Status.Timestamp) < watched {
				t.young++
			}
		case !is && wanted && task.NodeID != "":
			t.older++
		}
	}
	return t
}

// wantedOn says whether the swarm wants a task to run.
func wantedOn(task *swarm.Task) bool {
	switch task.DesiredState {
	case swarm.TaskStateRunning, swarm.TaskStateReady, swarm.TaskStateAccepted, swarm.TaskStateAssigned, swarm.TaskStateComplete:
		return true
	}
	return false
}

// failedState says whether a task of a service has failed: to end is no success for it. One
// that was told to is shut down.
func failedState(state swarm.TaskState) bool {
	return state == swarm.TaskStateFailed || state == swarm.TaskStateRejected || state == swarm.TaskStateComplete
}

// observation says what a service and its tasks are like.
func observation(s *swarm.Service, tasks []swarm.Task, now time.Time) orchestrator.Observation {
	t := count(s, tasks, now)
	seen := orchestrator.Observation{
		Desired: replicasOf(s), Running: t.running, Pending: t.pending, Failed: t.failed, Foreign: foreign(s),
	}
	if isGlobal(s) {
		seen.Desired = t.running + t.pending
	}
	seen.InEffect, _ = strconv.ParseInt(s.Spec.Labels[labelInEffect], 10, 64)
	seen.Rollout.State = orchestrator.InProgress
	if seen.Foreign != "" {
		seen.InEffect, seen.Rollout.Reason = 0, t.worst.reason
		return seen
	}
	seen.Rollout.Release = releaseOf(s.Spec.Labels)
	judge(&seen, s, t, now)
	return seen
}

// judge says how far the rollout has come of a release that nobody else has changed.
func judge(seen *orchestrator.Observation, s *swarm.Service, t tally, now time.Time) {
	state := updateState(s)
	complete := t.ready == seen.Desired && t.pending == 0 && t.older == 0 && state != swarm.UpdateStateUpdating
	before := state == swarm.UpdateStateCompleted || settled(s, now) && t.ready > 0 ||
		s.Spec.Labels[labelRolledOut] == s.Spec.Labels[labelRelease]
	switch {
	case complete && (before || t.young == 0) && state != swarm.UpdateStatePaused:
		seen.Rollout.State, seen.InEffect = orchestrator.RolledOut, seen.Rollout.Release
		return
	case before && state != swarm.UpdateStatePaused, s.Spec.Labels[labelRolledOut] == s.Spec.Labels[labelRelease]:
		// It was rolled out, and some tasks start anew or are moved.
		seen.InEffect = seen.Rollout.Release
	case state == swarm.UpdateStatePaused, state == "" && t.failed >= failuresMax, state == swarm.UpdateStateUpdating && t.failed >= failuresMax:
		seen.Rollout.State = orchestrator.Failed
	}
	seen.Rollout.Reason = t.worst.reason
	if seen.Rollout.State == orchestrator.Failed && seen.Rollout.Reason == "" {
		seen.Rollout.Reason = "the swarm stopped the update: " + s.UpdateStatus.Message
	}
}

func updateState(s *swarm.Service) swarm.UpdateState {
	if s.UpdateStatus == nil {
		return ""
	}
	return s.UpdateStatus.State
}
