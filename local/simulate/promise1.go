package simulate

import (
	"slices"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// ends: an operation ends in exactly one of three ways, once, and by its deadline.
var ends = promise{number: 1, change: endsOnce, end: allEnded}

func endsOnce(o *oracle, before, after *state) {
	for _, id := range changedOperations(before, after) {
		now, was := after.operations[id], before.operations[id]
		switch now.Status {
		case contract.OperationPending, contract.OperationRunning, contract.OperationSucceeded,
			contract.OperationFailedClean, contract.OperationFailedDirty:
		default:
			o.broken(1, "operation %s (%s) is %q", id, now.Kind, now.Status)
		}
		if was.Ended() {
			o.broken(1, "operation %s (%s) ended %s and is %s now", id, now.Kind, was.Status, now.Status)
		}
		if was.Status == contract.OperationRunning && now.Status == contract.OperationPending {
			o.broken(1, "operation %s (%s) went back from Running to Pending", id, now.Kind)
		}
		if now.Ended() && now.EndedAt.After(now.Deadline.Add(late)) {
			o.broken(1, "operation %s (%s) ended %v past its deadline", id, now.Kind, now.EndedAt.Sub(now.Deadline))
		}
		if now.Status == contract.OperationFailedDirty && len(now.Left) == 0 {
			o.broken(1, "operation %s (%s) is FailedDirty without a list of what is left: %s", id, now.Kind, now.Reason)
		}
	}
}

// late is how long after its deadline an operation may be found out.
const late = 30 * time.Minute

// changedOperations are the ids of the operations that differ, in order.
func changedOperations(before, after *state) []string {
	var ids []string
	for _, id := range after.written.operations {
		now := after.operations[id]
		was, known := before.operations[id]
		if !known || was.Status != now.Status || was.Reason != now.Reason || !was.EndedAt.Equal(now.EndedAt) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func allEnded(o *oracle) {
	jobsEnded(o)
	for _, operation := range o.sorted() {
		if !operation.Ended() {
			o.broken(1, "operation %s (%s on %s) is still %s", operation.ID, operation.Kind,
				model.TargetKey(operation.Target), operation.Status)
		}
	}
	for _, id := range o.promised {
		if _, known := o.operations[id]; !known {
			o.broken(1, "operation %s was accepted and is lost", id)
		}
	}
}
