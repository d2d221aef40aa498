package swarm

import (
	"context"
	"maps"
	"reflect"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/swarm/swarmspec"
)

// Apply implements orchestrator.Services. It makes one request to look at the service and
// one at its tasks, one for each kind of thing that the release names (networks, secrets,
// configs), and one to change the service; and those of the load balancer.
//
// A role is refused at the door, by swarmspec: no engine could give it. It is only kept
// beside the tasks of a release that has one all the same.
func (d *Driver) Apply(ctx context.Context, release orchestrator.Release) error {
	ref := release.Service
	facts, err := factsOf(ref.Cluster)
	if err != nil {
		return err
	}
	cluster := swarmspec.Cluster{Balanced: facts.ListenerARN != "", Logs: facts.LogGroup != ""}
	if fields := swarmspec.Runnable(cluster, ref.Name, release.Spec); len(fields) > 0 {
		return fault.NewInvalid(fields, "Swarm cannot run service %s", ref.Name)
	}
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	existing, err := c.service(ctx, ref)
	if err != nil {
		return err
	}
	if err := changeable(existing, release); err != nil {
		return err
	}
	a := application{connection: c, release: release, existing: existing}
	if err := a.prepare(ctx); err != nil {
		return err
	}
	if err := d.mayListen(ctx, release, facts); err != nil {
		return err
	}
	if err := a.do(ctx); err != nil {
		return err
	}
	return d.route(ctx, c, release, facts)
}

// changeable says whether what exists may become the release.
func changeable(existing *swarm.Service, release orchestrator.Release) error {
	ref := release.Service
	switch {
	case existing == nil:
		return nil
	case !isOurs(existing, ref):
		return fault.New(fault.Conflict, "a service %q is on the swarm already, and is not that of cluster %q", ref.Name, ref.Cluster.Name)
	case removing(existing):
		return fault.New(fault.Conflict, "service %q is being removed", ref.Name)
	case isGlobal(existing) != (release.Spec.Mode == "global"):
		return fault.NewInvalid([]fault.Field{{Pointer: "/mode", Detail: "Swarm: the mode of a service cannot be changed"}},
			"Swarm cannot change service %s", ref.Name)
	}
	return nil
}

// An application is one release on its way into effect.
type application struct {
	*connection
	release  orchestrator.Release
	existing *swarm.Service

	// seen is what the service is like, where it exists.
	seen orchestrator.Observation
	spec swarm.ServiceSpec
}

// prepare finds out what the service has to become.
func (a *application) prepare(ctx context.Context) error {
	if a.existing != nil {
		tasks, err := a.tasksOf(ctx, a.release.Service)
		if err != nil {
			return err
		}
		a.seen = observation(a.existing, tasks, a.driver.config.Now())
	}
	refs, err := a.references(ctx, a.release.Spec)
	if err != nil {
		return err
	}
	w := workload{release: a.release, facts: a.facts, region: a.driver.config.AWS.Region, attempt: a.attempt(), references: refs}
	a.spec = w.spec()
	if a.existing != nil {
		kept := drains(a.existing.Spec.TaskTemplate.Placement)
		a.spec.TaskTemplate.Placement.Constraints = append(a.spec.TaskTemplate.Placement.Constraints, kept...)
		a.spec.TaskTemplate.ForceUpdate = a.existing.Spec.TaskTemplate.ForceUpdate
	}
	a.spec.Labels = a.labels(hash(&a.spec))
	return nil
}

// again says whether the release is the one that was applied last.
func (a *application) again() bool {
	return a.existing != nil && releaseOf(a.existing.Spec.Labels) == a.release.Number
}

// attempt is what makes a release whose rollout failed another one to the swarm, so that
// it starts again: the operation that asked. A release that is gone back to is the one
// that it was, so that its tasks run on.
func (a *application) attempt() string {
	if a.existing == nil {
		return ""
	}
	if !a.again() {
		if before := a.existing.PreviousSpec; before != nil && releaseOf(containerLabels(&before.TaskTemplate)) == a.release.Number {
			return containerLabels(&before.TaskTemplate)[labelAttempt]
		}
		return ""
	}
	before := containerLabels(&a.existing.Spec.TaskTemplate)[labelAttempt]
	failed := a.seen.Rollout.State == orchestrator.Failed && a.seen.Foreign == ""
	if failed && a.existing.Spec.Labels[labelOperation] != a.release.Operation {
		return a.release.Operation
	}
	return before
}

// labels tell of the release, and of the one before it.
func (a *application) labels(hash string) map[string]string {
	ref, release := a.release.Service, a.release
	labels := map[string]string{
		labelCluster: ref.Cluster.Name, labelTeam: ref.Cluster.Team, labelService: ref.Name,
		labelRelease: strconv.FormatInt(release.Number, 10), labelOperation: release.Operation, labelCommit: release.Commit,
		labelImage: release.Image, labelHash: hash, labelInEffect: strconv.FormatInt(a.seen.InEffect, 10),
		labelSettles: a.driver.config.Now().Add(deadline(release.Spec)).UTC().Format(time.RFC3339),
	}
	if a.again() && a.seen.InEffect == release.Number {
		labels[labelRolledOut] = labels[labelRelease]
	}
	return labels
}

func (a *application) do(ctx context.Context) error {
	if a.existing == nil {
		return a.create(ctx)
	}
	if a.inPlace() {
		return nil
	}
	return a.update(ctx, a.existing, a.spec)
}

// inPlace says whether the service is as the release wants it.
func (a *application) inPlace() bool {
	is, wanted := a.existing.Spec, a.spec
	return is.Labels[labelHash] == wanted.Labels[labelHash] && hash(&is) == wanted.Labels[labelHash] &&
		replicasOf(a.existing) == replicasOf(&swarm.Service{Spec: wanted}) &&
		reflect.DeepEqual(is.UpdateConfig, wanted.UpdateConfig)
}

func (a *application) create(ctx context.Context) error {
	timed, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	_, err := a.client.ServiceCreate(timed, client.ServiceCreateOptions{Spec: a.spec})
	err = explainRefusal(classify(err, "creating service "+a.release.Service.Name), &a.spec)
	if !fault.IsConflict(err) {
		return err
	}
	// Somebody made it in between, or the answer to our own request was lost.
	found, lookErr := a.service(ctx, a.release.Service)
	if lookErr == nil && found != nil && maps.Equal(withoutTimes(found.Spec.Labels), withoutTimes(a.spec.Labels)) {
		return nil
	}
	return err
}

func withoutTimes(labels map[string]string) map[string]string {
	kept := maps.Clone(labels)
	delete(kept, labelSettles)
	return kept
}
