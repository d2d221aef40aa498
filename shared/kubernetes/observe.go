package kubernetes

import (
	"context"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"

	"portolan/shared/orchestrator"
)

// Observe implements orchestrator.Services. It makes one request for what is rolled
// out, and one for each 250 pods, 8 at most, while it is not; and one more in global
// mode.
func (d *Driver) Observe(ctx context.Context, ref orchestrator.ServiceRef) (orchestrator.Observation, error) {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return orchestrator.Observation{}, err
	}
	w, err := c.service(ctx, ref)
	if err != nil {
		return orchestrator.Observation{}, err
	}
	return d.observe(ctx, c, w)
}

func (d *Driver) observe(ctx context.Context, c *connection, w *workload) (orchestrator.Observation, error) {
	var all []core.Pod
	if !w.rolledOut() {
		var err error
		if all, err = c.podsOf(ctx, w.Namespace, w.Name); err != nil {
			return orchestrator.Observation{}, err
		}
	}
	return observation(w, all, d.config.Now()), nil
}

// observation says what a workload and its pods are like. Pods count only for one that
// is not rolled out.
func observation(w *workload, all []core.Pod, now time.Time) orchestrator.Observation {
	seen := orchestrator.Observation{Desired: w.desired, Foreign: w.foreign(), Scaler: scalerOf(w)}
	if seen.Foreign == "" {
		seen.Rollout.Release = releaseOf(w.Annotations)
	}
	if w.rolledOut() {
		seen.Running, seen.Rollout.State, seen.InEffect = w.current, orchestrator.RolledOut, seen.Rollout.Release
		return seen
	}
	var worst trouble
	for i := range all {
		pod := &all[i]
		t := troubleOf(pod, now)
		ended := pod.DeletionTimestamp != nil
		switch {
		case ended:
		case pod.Status.Phase == core.PodRunning && !t.down:
			seen.Running++
		case pod.Status.Phase != core.PodFailed && pod.Status.Phase != core.PodSucceeded:
			seen.Pending++
		}
		if w.observed && newest(pod, &w.template) && !ended {
			seen.Failed += t.failures
			worst = worse(worst, t)
		}
	}
	judge(&seen, w, worst)
	return seen
}

// judge says how far a rollout has come that is under way.
func judge(seen *orchestrator.Observation, w *workload, worst trouble) {
	seen.Rollout.State = orchestrator.InProgress
	seen.InEffect, _ = strconv.ParseInt(w.Annotations[annotationInEffect], 10, 64)
	if !w.observed {
		return
	}
	seen.Rollout.Reason = worst.reason
	refused := explainRefusal(w.refusal)
	if refused.reason != "" {
		seen.Rollout.Reason = refused.reason
	}
	switch {
	case w.completed:
		// It was rolled out, and some tasks start anew or are not healthy any more.
		seen.InEffect = seen.Rollout.Release
	case w.stalled || worst.hopeless || refused.hopeless:
		seen.Rollout.State = orchestrator.Failed
		if seen.Rollout.Reason == "" {
			seen.Rollout.Reason = "Kubernetes saw no progress for longer than it waits for"
		}
	}
	if seen.Foreign != "" {
		seen.InEffect = 0
	}
}
