package decide

import (
	"fmt"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// deadlines are how long an operation of each kind may take before it has to
// have ended. They bound the state machines' own time-outs from above.
var deadlines = map[contract.OperationKind]time.Duration{
	contract.KindProvision:   4 * time.Hour, // two stacks at most, and their removal when they fail
	contract.KindAdopt:       time.Hour,     // the connector's stack, and its removal
	contract.KindSurvey:      15 * time.Minute,
	contract.KindDrain:       time.Hour,
	contract.KindUncordon:    15 * time.Minute,
	contract.KindUpgrade:     12 * time.Hour, // the control plane, and ten node pools of many nodes
	contract.KindRecover:     2*time.Hour + 5*time.Minute,
	contract.KindRunJob:      26 * time.Hour, // a job's own deadline is a day at most
	contract.KindScale:       2*time.Hour + 5*time.Minute,
	contract.KindDeploy:      26 * time.Hour, // a rollout's own deadline is a day at most, and it may be rolled back
	contract.KindAutoscale:   25 * time.Hour,
	contract.KindRepair:      time.Hour,
	contract.KindReplaceNode: time.Hour,
	contract.KindRetire:      4 * time.Hour,
}

// NewOperation returns a pending operation, accepted now.
func NewOperation(id string, kind contract.OperationKind, t contract.Target, team string,
	generation int64, cause contract.Cause, now time.Time) model.Operation {
	return model.Operation{
		ID: id, Kind: kind, Target: t, Team: team, Generation: generation, Cause: cause,
		Status: contract.OperationPending, CreatedAt: now, Deadline: now.Add(deadlines[kind]),
	}
}

const (
	// grace is how much longer than its operation's deadline a lease lasts: time to
	// write the end.
	grace = 15 * time.Minute

	// attemptsMax bounds how many executions work for an operation, one after the
	// other.
	attemptsMax = 3
)

// LeaseUntil is how long an operation's lease lasts.
func LeaseUntil(o model.Operation) time.Time { return o.Deadline.Add(grace) }

// Start returns a pending operation as it runs from now on under a fencing token.
// It is given the time of its kind from now on: that it had to wait for its turn
// is no fault of its own.
func Start(o model.Operation, token int64, now time.Time) model.Operation {
	o.Status, o.Token, o.Attempt, o.StartedAt = contract.OperationRunning, token, 1, now
	if later := now.Add(deadlines[o.Kind]); later.After(o.Deadline) {
		o.Deadline = later
	}
	return o
}

// A Loss is why an operation has nobody any more who works for it. Undo is false
// when nothing went wrong but that the table does not know of the end: then the
// operation is done again, and else what it did is undone.
type Loss struct {
	Why  string
	Undo bool
}

// TakeOver is what becomes of a running operation whose execution died or lost its
// lease: a further attempt under the next fencing token; or, past its deadline or
// after too many attempts, the end, which names what may be left. An attempt gets
// no time of its own, and one that undoes is followed by none that does.
func TakeOver(o model.Operation, token int64, loss Loss, left []string, now time.Time) model.Operation {
	why := loss.Why
	o.Token = token
	switch {
	case !now.Before(o.Deadline):
		return End(o, contract.OperationFailedDirty, "not done by its deadline: "+why, left, now)
	case o.Attempt >= attemptsMax:
		reason := fmt.Sprintf("given up after %d attempts: %s", o.Attempt, why)
		return End(o, contract.OperationFailedDirty, reason, left, now)
	}
	before := o.ExecutionName()
	o.Attempt++
	if machine, ok := strings.CutSuffix(o.Execution, before); ok {
		o.Execution = machine + o.ExecutionName()
	}
	o.Reason = "taken over: " + why
	if loss.Undo {
		o.TakenOver = why
	}
	return o
}

// Remains names what an operation may leave behind when nobody can look any more.
// cluster is nil when it is not known.
func Remains(o model.Operation, cluster *model.Cluster) []string {
	switch {
	case o.Target.Service != "":
		return []string{fmt.Sprintf("service %s of cluster %s", o.Target.Service, o.Target.Cluster)}
	case o.Target.Job != "":
		return []string{fmt.Sprintf("job %s of cluster %s", o.Target.Job, o.Target.Cluster)}
	case o.Target.Policy != "":
		return []string{fmt.Sprintf("policy %s of cluster %s", o.Target.Policy, o.Target.Cluster)}
	case o.Node != "":
		return []string{fmt.Sprintf("node %s of cluster %s, cordoned", o.Node, o.Target.Cluster)}
	case o.NodePool != "":
		return []string{fmt.Sprintf("node pool %s of cluster %s", o.NodePool, o.Target.Cluster)}
	}
	left := []string{"cluster " + o.Target.Cluster}
	if cluster != nil && (makesOrEnds(o.Kind)) {
		for _, stack := range cluster.Stacks {
			left = append(left, "stack "+stack)
		}
	}
	return left
}

// makesOrEnds says whether a kind makes a cluster or ends it.
func makesOrEnds(kind contract.OperationKind) bool {
	return kind == contract.KindProvision || kind == contract.KindAdopt || kind == contract.KindRetire
}

// End returns the operation as it ended. One that is FailedDirty and cannot say what
// is left, such as one whose look at it failed, names its target.
func End(o model.Operation, status contract.OperationStatus, reason string, left []string, now time.Time) model.Operation {
	if status == contract.OperationFailedDirty && len(left) == 0 {
		left = []string{model.TargetKey(o.Target)}
	}
	o.Status, o.Reason, o.Left, o.EndedAt = status, reason, left, now
	return o
}
