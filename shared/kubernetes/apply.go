package kubernetes

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/fault"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/orchestrator"
)

// Apply implements orchestrator.Services. For a service that exists it makes one
// request to look and one to change the workload, and one for each companion that the
// release changes. For a new one it makes one for each object, and looks only where
// somebody else has one of that name. A service that has a role, or is in EKS, takes 3
// calls of EKS more.
//
// A field that another manager has set is a Conflict, unless the release is in effect
// already and somebody changed it past Portolan: what was ours is put right.
func (d *Driver) Apply(ctx context.Context, release orchestrator.Release) error {
	ref := release.Service
	facts, err := factsOf(ref.Cluster)
	if err != nil {
		return err
	}
	cluster := kubernetesspec.Cluster{EKS: facts.EKSCluster != ""}
	if fields := kubernetesspec.Check(cluster, ref.Name, release.Spec); len(fields) > 0 {
		return fault.NewInvalid(fields, "Kubernetes cannot run service %s", ref.Name)
	}
	if kubernetesspec.Exclusive(release.Spec) && release.Replicas > 1 {
		return exclusiveError(ref.Name, release.Replicas)
	}
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	a := application{connection: c, release: release, namespace: namespaceOf(ref)}
	giveRole := func() error { return d.giveRole(ctx, facts, release) }
	if release.New {
		if err := a.makeAll(ctx, giveRole); !errors.Is(err, errThere) {
			return err
		}
	}
	if a.existing, err = c.workload(ctx, ref, workloadKind(release.Spec)); err != nil {
		return err
	}
	if err := changeable(a.existing, release); err != nil {
		return err
	}
	if a.attempt, err = d.attempt(ctx, c, a.existing, release); err != nil {
		return err
	}
	if err := giveRole(); err != nil {
		return err
	}
	return a.do(ctx)
}

// errThere means that something of a service is there already that was taken for new.
var errThere = fault.New(fault.Conflict, "something of its name is there")

// makeAll makes the objects of a service of which nothing is there, without a look. It
// ends with errThere when the first one is, or the workload is: what it made by then is
// marked, and is found by the look that follows.
func (a *application) makeAll(ctx context.Context, giveRole func() error) error {
	blind := *a
	blind.blind = true
	wishes, err := blind.companions(ctx)
	if err != nil {
		return err
	}
	if err := giveRole(); err != nil {
		return err
	}
	if err := blind.applyCompanions(ctx, wishes, false); err != nil {
		return err
	}
	workload, err := blind.workloadWish(wishes)
	if err != nil {
		return err
	}
	send, _ := blind.replicas()
	workload.replicas(send)
	if err := blind.makeNew(ctx, workload); !fault.IsConflict(err) {
		return err
	}
	return errThere
}

// changeable says whether what exists may become the release.
func changeable(existing *workload, release orchestrator.Release) error {
	ref := release.Service
	if existing == nil {
		return nil
	}
	if existing.removing() {
		return fault.New(fault.Conflict, "service %q is being removed", ref.Name)
	}
	if existing.kind != workloadKind(release.Spec) {
		return fault.NewInvalid([]fault.Field{{Pointer: "/mode", Detail: "Kubernetes: the mode of a service cannot be changed"}},
			"Kubernetes cannot change service %s", ref.Name)
	}
	if of := existing.Labels[labelPartOf]; existing.ours() && of != ref.Cluster.Name {
		return fault.New(fault.Conflict, "%s belongs to cluster %q", existing.say(), of)
	}
	if existing.ours() {
		return nil
	}
	name := containerName(release)
	has := func(c core.Container) bool { return c.Name == name }
	if containers := existing.template.Spec.Containers; !slices.ContainsFunc(containers, has) {
		return fault.New(fault.Conflict, "%s is there, and none of its containers is named %q; to take it over, name one in "+
			"the description's container", existing.say(), name)
	}
	return nil
}

// attempt is what makes a release whose rollout failed another one to Kubernetes, so
// that it starts again: the operation that asked.
func (d *Driver) attempt(ctx context.Context, c *connection, existing *workload, release orchestrator.Release) (string, error) {
	if existing == nil || releaseOf(existing.Annotations) != release.Number {
		return "", nil
	}
	before := existing.template.Annotations[annotationAttempt]
	if existing.Annotations[annotationOperation] == release.Operation || existing.rolledOut() || existing.completed {
		return before, nil
	}
	seen, err := d.observe(ctx, c, existing)
	if err == nil && seen.Rollout.State == orchestrator.Failed {
		return release.Operation, nil
	}
	return before, err
}

// An application is one release on its way into effect.
type application struct {
	*connection
	release   orchestrator.Release
	namespace string
	existing  *workload
	attempt   string

	// blind is set where nothing was looked at yet.
	blind bool
}

// again says whether the release is the one that was applied last.
func (a *application) again() bool {
	return a.existing != nil && a.existing.ours() && releaseOf(a.existing.Annotations) == a.release.Number
}

// force says whether fields of other managers are taken over. Those of a release that
// is applied again were ours.
func (a *application) force() bool { return a.release.Spec.Kubernetes.ForceConflicts || a.again() }

func (a *application) do(ctx context.Context) error {
	wishes, err := a.companions(ctx)
	if err != nil {
		return err
	}
	workload, err := a.workloadWish(wishes)
	if err != nil {
		return err
	}
	send, scale := a.replicas()
	unchanged := a.existing != nil && a.existing.Annotations[annotationHash] == workload.hash &&
		a.existing.Annotations[annotationCompanions] == workload.annotation(annotationCompanions) && untouched(a.existing.ObjectMeta)
	if err := a.applyCompanions(ctx, wishes, unchanged); err != nil {
		return err
	}
	if !unchanged || send != nil && int(*send) != a.existing.desired {
		workload.replicas(send)
		if err := a.put(ctx, workload); err != nil {
			return err
		}
	}
	if scale {
		return a.scale(ctx, a.existing, a.release.Replicas)
	}
	return nil
}

// put makes the workload, or changes it. What is made has the mark that we did, so what
// somebody else made since the look is left alone.
func (a *application) put(ctx context.Context, workload wish) error {
	if a.existing != nil {
		return a.apply(ctx, workload, a.force(), nil)
	}
	err := a.makeNew(ctx, workload)
	if fault.IsConflict(err) {
		return fault.Wrap(fault.Conflict, err, "%s was not there a moment ago", workload.say())
	}
	return err
}

// replicas asks for so many tasks, unless it is nil.
func (w *wish) replicas(number *int32) {
	if number != nil {
		w.body["spec"].(map[string]any)["replicas"] = *number
	}
}

func (a *application) replicas() (send *int32, scale bool) {
	if workloadKind(a.release.Spec) == daemonSets {
		return nil, false
	}
	return replicasToSend(a.existing, a.release.Replicas)
}

// workloadWish is the Deployment or DaemonSet. Its annotations tell what it was made
// from, and what was made beside it.
func (a *application) workloadWish(companions []wish) (wish, error) {
	ref := a.release.Service
	selector := &meta.LabelSelector{MatchLabels: ofService(ref.Name)}
	if a.existing != nil && !maps.Equal(a.existing.selector.MatchLabels, selector.MatchLabels) {
		selector = nil
	}
	o := object{kind: workloadKind(a.release.Spec), name: ref.Name, content: deploymentOf(a.release, a.attempt, nil, selector)}
	if o.kind == daemonSets {
		o.content = daemonSetOf(a.release, a.attempt, selector)
	}
	w, err := wishFor(ref, a.namespace, o)
	if err != nil {
		return w, err
	}
	w.set("annotations", map[string]string{
		annotationRelease: strconv.FormatInt(a.release.Number, 10), annotationOperation: a.release.Operation,
		annotationCommit: a.release.Commit, annotationImage: a.release.Image, annotationRole: a.release.Spec.Role,
		annotationInEffect: a.inEffect(), annotationMade: a.made(), annotationCompanions: listed(companions),
	})
	return w, nil
}

// inEffect is the release that serves until the present one does.
func (a *application) inEffect() string {
	switch {
	case a.existing == nil || !a.existing.ours():
		return ""
	case a.existing.observed && (a.existing.completed || a.existing.rolledOut()) && a.existing.foreign() == "":
		return a.existing.Annotations[annotationRelease]
	}
	return a.existing.Annotations[annotationInEffect]
}

// made tells what Portolan made from what it took over.
func (a *application) made() string {
	if a.existing == nil {
		return "true"
	}
	return a.existing.Annotations[annotationMade]
}

func (w *wish) annotation(name string) string {
	all, _ := w.metadata()["annotations"].(map[string]any)
	value, _ := all[name].(string)
	return value
}
