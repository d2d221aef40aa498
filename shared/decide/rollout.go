package decide

import (
	"fmt"
	"time"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// A Verdict is what one look at a service leads to.
type Verdict string

// Healthy and Failed end the watch; Progressing goes on with it.
const (
	Healthy     Verdict = "Healthy"
	Progressing Verdict = "Progressing"
	Failed      Verdict = "Failed"
)

// DefaultRolloutDeadline is how long a release may take to get healthy when its
// description does not say.
const DefaultRolloutDeadline = 15 * time.Minute

// RolloutDeadline is how long a release of that description may take.
func RolloutDeadline(spec contract.ServiceSpec) time.Duration {
	if spec.Rollout.DeadlineSeconds == 0 {
		return DefaultRolloutDeadline
	}
	return time.Duration(spec.Rollout.DeadlineSeconds) * time.Second
}

// WatchRollout decides about the rollout of a release. The deadline is
// Portolan's: some orchestrators never call a rollout failed.
func WatchRollout(seen orchestrator.Observation, release int64, deadline, now time.Time) (Verdict, string) {
	rollout := seen.Rollout
	switch {
	case rollout.Release == release && rollout.State == orchestrator.RolledOut:
		return Healthy, fmt.Sprintf("release %d is in effect with %d of %d tasks", release, seen.Running, seen.Desired)
	case rollout.Release == release && rollout.State == orchestrator.Failed:
		return Failed, fmt.Sprintf("release %d failed: %s", release, orUnknown(rollout.Reason))
	case !now.Before(deadline):
		return Failed, fmt.Sprintf("release %d is not healthy by its deadline: %s", release, explain(seen, release))
	}
	return Progressing, explain(seen, release)
}

// WatchScale decides about bringing a service to a number of tasks.
func WatchScale(seen orchestrator.Observation, replicas int, deadline, now time.Time) (Verdict, string) {
	counts := fmt.Sprintf("%d of %d tasks run", seen.Running, replicas)
	switch {
	case seen.Desired == replicas && seen.Running == replicas && seen.Pending == 0:
		return Healthy, counts
	case !now.Before(deadline):
		return Failed, fmt.Sprintf("%s by the deadline: %s", counts, orUnknown(seen.Rollout.Reason))
	}
	return Progressing, counts
}

func explain(seen orchestrator.Observation, release int64) string {
	switch {
	case seen.Rollout.Reason != "":
		return seen.Rollout.Reason
	case seen.Foreign != "":
		return "somebody else put " + seen.Foreign + " into effect"
	case seen.Rollout.Release != release:
		return fmt.Sprintf("release %d is in its place", seen.Rollout.Release)
	}
	return fmt.Sprintf("%d of %d tasks run, %d are starting", seen.Running, seen.Desired, seen.Pending)
}

func orUnknown(reason string) string {
	if reason == "" {
		return "the orchestrator gives no reason"
	}
	return reason
}

// Limits on how long a machine sleeps between two looks.
const (
	lookSoonest = 20 * time.Second
	lookLatest  = 5 * time.Minute
)

// LookAfter is how long to sleep before the next look when no event comes: a
// twentieth of the time that is left, so that a long watch costs no more looks
// than a short one.
func LookAfter(deadline, now time.Time) time.Duration {
	return min(max(deadline.Sub(now)/20, lookSoonest), lookLatest).Round(time.Second)
}
