package simulate

import (
	"fmt"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// rolledBack: a rollout has a deadline; a bad release is rolled back, at the scale
// of now.
var rolledBack = promise{number: 6, change: inTime, end: servicesAsWanted}

// rolloutMax is how long a rollout and its way back may take, with the look at
// the end: the plan's services have a deadline of ten minutes each way.
const rolloutMax = 45 * time.Minute

func inTime(o *oracle, before, after *state) {
	for _, id := range changedOperations(before, after) {
		now := after.operations[id]
		if now.Kind != contract.KindDeploy || !now.Ended() || o.interfered(now) {
			continue
		}
		if took := now.EndedAt.Sub(now.StartedAt); took > rolloutMax {
			o.broken(6, "operation %s rolled out for %v, with a deadline of 10 minutes", id, took)
		}
	}
}

// interfered says whether the operation's machine was stopped or lost its lease.
func (o *oracle) interfered(model.Operation) bool {
	return o.w.Plan.Profile.Stops > 0 || o.w.Plan.Profile.Leases > 0
}

func servicesAsWanted(o *oracle) {
	for _, name := range o.clusterNames() {
		for _, service := range services {
			v, err := o.w.store.Service(o.ctx(), name, service)
			if err != nil || v.Status == contract.ServiceRetired || v.Status == contract.ServiceRetiring {
				continue
			}
			c, err := o.w.store.Cluster(o.ctx(), name)
			if err != nil || c.Status != contract.ClusterReady {
				continue
			}
			o.serviceAsWanted(v)
		}
	}
}

func (o *oracle) serviceAsWanted(v *model.Service) {
	target := model.TargetKey(contract.Target{Cluster: v.Cluster, Service: v.Name})
	last, ok := o.newest(target)
	if !ok || last.Status == contract.OperationFailedDirty {
		return // its end says what is left
	}
	where := fmt.Sprintf("service %s of %s", v.Name, v.Cluster)
	seen := o.running(v.Cluster, v.Name)
	switch {
	case v.Release != v.ReleaseObserved:
		o.broken(6, "%s wants release %d, and %d is in effect (%s: %s)", where, v.Release, v.ReleaseObserved, v.Status, v.Reason)
	case !seen.found:
		o.broken(6, "%s is not there", where)
	case seen.release != fmt.Sprint(v.Release):
		o.broken(6, "%s runs release %s, and %d is wanted", where, seen.release, v.Release)
	case seen.desired != v.Replicas:
		o.broken(6, "%s is told to run %d tasks, and %d are wanted", where, seen.desired, v.Replicas)
	}
	if pinned := o.release(v, v.Release); pinned != nil && strings.Contains(pinned.Image, "@sha256:") && seen.found &&
		seen.image != pinned.Image {
		o.broken(6, "%s runs %s, and its release is %s", where, seen.image, pinned.Image)
	}
}

func (o *oracle) release(v *model.Service, number int64) *model.Release {
	release, err := o.w.store.Release(o.ctx(), v.Cluster, v.Name, number)
	if err != nil {
		return nil
	}
	return release
}
