package simulate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// oneAtATime: at most one operation at a time changes a target, and the one that
// lost the lease writes nothing more.
var oneAtATime = promise{number: 2, call: fenced, change: leasesInOrder, end: leasesReturned}

// fenced checks that a step changes AWS only for the operation that held the lease
// when it began.
func fenced(o *oracle, c *call) {
	if c.invocation == nil || c.invocation.step.Target == "" {
		return
	}
	by := c.invocation.step
	began := c.invocation.lease
	held := began.Holder == by.Operation && began.Token == by.Token
	if c.changesWorld() && !held {
		o.broken(2, "%s:%s by operation %s, which did not hold the lease of %s when its step began",
			c.service, c.operation, by.Operation, by.Target)
	}
}

// wroteFenced checks that what a step wrote into the table, it wrote for the holder
// of the lease.
func wroteFenced(o *oracle, c *call, before *state) {
	if c == nil || c.invocation == nil || c.invocation.step.Target == "" {
		return
	}
	by := c.invocation.step
	if lease := before.leases[by.Target]; lease.Holder != by.Operation || lease.Token != by.Token {
		o.broken(2, "%s writes for operation %s under token %d, and %q holds the lease of %s under token %d",
			c.invocation.function, by.Operation, by.Token, lease.Holder, by.Target, lease.Token)
	}
}

// changesWorld says whether a call changes what orchestrators and clusters are.
func (c *call) changesWorld() bool {
	switch c.service {
	case kubernetesService:
		return c.changesCluster()
	case connectorService:
		return c.changesSwarm()
	case "ecs", "cloudformation", "autoscaling", "elasticloadbalancing", "ec2":
	default:
		return false
	}
	for _, prefix := range []string{"Describe", "List", "Get"} {
		if strings.HasPrefix(c.operation, prefix) {
			return false
		}
	}
	return true
}

// apart is how far the clocks of two functions may be apart, with room.
const apart = 3 * time.Minute

func leasesInOrder(o *oracle, before, after *state) {
	targets := slices.Sorted(slices.Values(after.written.leases))
	for _, target := range slices.Compact(targets) {
		was, now := before.leases[target], after.leases[target]
		switch {
		case now.Token < was.Token:
			o.broken(2, "the fencing token of %s went back from %d to %d", target, was.Token, now.Token)
		case now.Holder != "" && now.Holder != was.Holder && was.Holder != "" && time.Now().Add(apart).Before(was.ExpiresAt):
			o.broken(2, "the lease of %s was taken from %s, which holds it until %v", target, was.Holder, was.ExpiresAt)
		case now.Holder != "" && now.Holder != was.Holder && now.Token <= was.Token:
			o.broken(2, "the lease of %s went to %s without a new token", target, now.Holder)
		}
	}
	for _, id := range changedOperations(before, after) {
		was, now := before.operations[id], after.operations[id]
		lease := before.leases[model.TargetKey(now.Target)]
		if was.Status == contract.OperationRunning && now.Ended() && lease.Holder != id &&
			after.leases[model.TargetKey(now.Target)].Holder != id {
			o.broken(2, "operation %s ended %s while %q held the lease of %s", id, now.Status, lease.Holder, model.TargetKey(now.Target))
		}
		if now.Status == contract.OperationRunning && after.leases[model.TargetKey(now.Target)].Holder != id {
			o.broken(2, "operation %s runs without the lease of %s", id, model.TargetKey(now.Target))
		}
	}
}

func leasesReturned(o *oracle) {
	for _, target := range slices.Sorted(maps.Keys(o.leases)) {
		if holder := o.leases[target].Holder; holder != "" && endedLong(o, holder) {
			o.broken(2, "the lease of %s is still held by %s, which has ended", target, holder)
		}
	}
}

func endedLong(o *oracle, id string) bool {
	operation, known := o.operations[id]
	return !known || operation.Ended()
}
