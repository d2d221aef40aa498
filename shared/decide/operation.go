package decide

import (
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// deadlines are how long an operation of each kind may take before it has to
// have ended. They bound the state machines' own time-outs from above.
var deadlines = map[contract.OperationKind]time.Duration{
	contract.KindProvision:   4 * time.Hour, // two stacks at most, and their removal when they fail
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

// End returns the operation as it ended.
func End(o model.Operation, status contract.OperationStatus, reason string, left []string, now time.Time) model.Operation {
	o.Status, o.Reason, o.Left, o.EndedAt = status, reason, left, now
	return o
}
