package simulate

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// rolledBack: a rollout has a deadline; a bad release is rolled back, at the scale
// of now.
var rolledBack = promise{number: 6, call: atTheScaleOfNow, change: inTime, end: servicesAsWanted}

// atTheScaleOfNow checks that a step asks for as many tasks as were wanted when it
// began, or are now.
func atTheScaleOfNow(o *oracle, c *call) {
	asked := c.tasksAsked()
	if asked == nil || c.invocation == nil {
		return
	}
	now := o.wantedOf(c.invocation.step.Target)
	if now == nil || now.Global || *asked == now.Replicas ||
		c.invocation.wanted != nil && *asked == c.invocation.wanted.Replicas {
		return
	}
	if *asked == 0 && (now.Status == contract.ServiceRetiring || now.ReleaseObserved == 0) {
		return // it is being removed
	}
	o.broken(6, "%s asks for %d tasks of %s, and %d are wanted", c.invocation.step.Step, *asked,
		c.invocation.step.Target, now.Replicas)
}

// tasksAsked is how many tasks of a service a call asks for; nil for a call that does
// not.
func (c *call) tasksAsked() *int {
	if change, ok := c.deploymentChange(); ok {
		return change.replicas
	}
	if change, ok := c.swarmChange(); ok {
		return change.replicas
	}
	var in struct{ DesiredCount *int }
	if c.operation != "UpdateService" || json.Unmarshal(c.body, &in) != nil {
		return nil
	}
	return in.DesiredCount
}

// wantedOf is a target's service as the table has it, or nil.
func (o *oracle) wantedOf(target string) *model.Service {
	t, err := model.ParseTarget(target)
	if err != nil || t.Service == "" {
		return nil
	}
	v, err := o.w.mirror.service(t.Cluster, t.Service)
	if err != nil {
		return nil
	}
	return v
}

// rolloutMax is how long a rollout and its way back may take, with the look at
// the end: the plan's services have a deadline of ten minutes each way.
const rolloutMax = 45 * time.Minute

// foundMax is how long it may take until an execution that died is taken over: three
// runs of the sweeper, as one may be lost.
const foundMax = 15 * time.Minute

// inTime checks how long rollouts take. One that was taken over may take as long
// again for each attempt.
func inTime(o *oracle, before, after *state) {
	for _, id := range changedOperations(before, after) {
		now := after.operations[id]
		if now.Kind != contract.KindDeploy || !now.Ended() {
			continue
		}
		attempts := time.Duration(max(now.Attempt, 1))
		allowed := attempts*rolloutMax + (attempts-1)*foundMax
		if took := now.EndedAt.Sub(now.StartedAt); took > allowed {
			o.broken(6, "operation %s rolled out for %v in %d attempts, with a deadline of 10 minutes", id, took, attempts)
		}
	}
}

func servicesAsWanted(o *oracle) {
	for _, name := range o.clusterNames() {
		for _, service := range services {
			v, err := o.w.mirror.service(name, service)
			if err != nil || v.Status == contract.ServiceRetired || v.Status == contract.ServiceRetiring {
				continue
			}
			c, err := o.w.mirror.cluster(name)
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
	if !ok {
		return
	}
	where := fmt.Sprintf("service %s of %s", v.Name, v.Cluster)
	if last.Status == contract.OperationFailedDirty {
		if o.again[last.ID] {
			o.broken(6, "%s was asked for again without a fault, and %s ended dirty: %s", where, last.ID, last.Reason)
		}
		return // its end says what is left
	}
	seen := o.running(v.Cluster, v.Name)
	switch {
	case v.Release != v.ReleaseObserved:
		o.broken(6, "%s wants release %d, and %d is in effect (%s: %s)", where, v.Release, v.ReleaseObserved, v.Status, v.Reason)
	case v.Status != contract.ServiceHealthy:
		o.broken(6, "%s is %s, and %s (%s) ended %s", where, v.Status, last.ID, last.Kind, last.Status)
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
	release, err := o.w.mirror.release(v.Cluster, v.Name, number)
	if err != nil {
		return nil
	}
	return release
}
