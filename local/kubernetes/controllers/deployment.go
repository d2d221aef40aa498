package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"portolan/local/kubernetes/store"
)

// The annotations that the controller of deployments works with.
const (
	revisionAnnotation = "deployment.kubernetes.io/revision"
	historyAnnotation  = "deployment.kubernetes.io/revision-history"
	desiredAnnotation  = "deployment.kubernetes.io/desired-replicas"
	maximumAnnotation  = "deployment.kubernetes.io/max-replicas"
	appliedAnnotation  = "kubectl.kubernetes.io/last-applied-configuration"
)

var deploymentKind = appsv1.SchemeGroupVersion.WithKind("Deployment")

// A rollout is one look at a deployment.
type rollout struct {
	*Controllers
	tx      *store.Tx
	d       *appsv1.Deployment // what it becomes
	before  *appsv1.Deployment
	current *appsv1.ReplicaSet // of the template of now, nil where there is none
	old     []*appsv1.ReplicaSet
}

// deployment brings a deployment a step nearer to what it should be.
func (c *Controllers) deployment(tx *store.Tx, namespace, name string) {
	before, ok := store.Get[*appsv1.Deployment](tx, "deployments", namespace, name)
	if !ok {
		return
	}
	d := *before // whose annotations and status change
	d.Annotations = maps.Clone(before.Annotations)
	r := &rollout{Controllers: c, tx: tx, d: &d, before: before}
	for _, set := range claimed[*appsv1.ReplicaSet](tx, "replicasets", before, deploymentKind, before.Spec.Selector) {
		if r.current == nil && sameTemplate(&set.Spec.Template, &before.Spec.Template) {
			r.current = set
		} else {
			r.old = append(r.old, set)
		}
	}
	switch {
	case before.DeletionTimestamp != nil:
		r.status(false)
		return
	case before.Spec.Paused:
		r.pause()
		r.scale()
		r.status(false)
		return
	}
	r.resume()
	if r.isScaled() {
		r.scale()
		r.status(false)
		return
	}
	if before.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		r.recreate()
	} else {
		r.roll()
	}
	r.status(true)
}

// sameTemplate says whether two templates are the same but for the hash.
func sameTemplate(a, b *corev1.PodTemplateSpec) bool {
	return equality.Semantic.DeepEqual(unhashed(*a), unhashed(*b))
}

func unhashed(t corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	t.Labels = maps.Clone(t.Labels)
	delete(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return t
}

func (r *rollout) sets() []*appsv1.ReplicaSet {
	if r.current == nil {
		return r.old
	}
	return append(slices.Clone(r.old), r.current)
}

func replicas(sets ...*appsv1.ReplicaSet) (n int32) {
	for _, set := range sets {
		n += *set.Spec.Replicas
	}
	return n
}

func activeSets(sets []*appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	return slices.DeleteFunc(slices.Clone(sets), func(s *appsv1.ReplicaSet) bool { return *s.Spec.Replicas == 0 })
}

// bounds are how many pods more than desired there may be, and how many less.
func bounds(d *appsv1.Deployment) (surge, unavailable int32) {
	if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType || *d.Spec.Replicas == 0 {
		return 0, 0
	}
	u := d.Spec.Strategy.RollingUpdate
	surge, unavailable = scaled(u.MaxSurge, *d.Spec.Replicas, true), scaled(u.MaxUnavailable, *d.Spec.Replicas, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, min(unavailable, *d.Spec.Replicas)
}

func scaled(v *intstr.IntOrString, of int32, up bool) int32 {
	n, err := intstr.GetScaledValueFromIntOrPercent(intstr.ValueOrDefault(v, intstr.FromInt32(0)), int(of), up)
	if err != nil {
		return 0 // it was checked when it was written
	}
	return int32(n)
}

func (r *rollout) surge() int32 { surge, _ := bounds(r.d); return surge }

// roll replaces old pods by new ones within the bounds.
func (r *rollout) roll() {
	r.findOrCreate()
	if r.current == nil || r.grow() || r.shrink() {
		return
	}
	r.tidy()
}

// recreate ends all old pods before it starts new ones.
func (r *rollout) recreate() {
	stopped := false
	for i, set := range r.old {
		if *set.Spec.Replicas > 0 {
			r.old[i] = r.resize(set, 0)
			stopped = true
		}
	}
	if stopped || r.oldPodsRun() {
		return
	}
	r.findOrCreate()
	if r.current != nil && !r.grow() {
		r.tidy()
	}
}

func (r *rollout) oldPodsRun() bool {
	for _, set := range r.old {
		pods := owned[*corev1.Pod](r.tx, "pods", set)
		if slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return !ended(p) }) {
			return true
		}
	}
	return false
}

// grow brings the new replica set nearer to the number of replicas, and says whether
// there was something to do.
func (r *rollout) grow() bool {
	want, have := *r.d.Spec.Replicas, *r.current.Spec.Replicas
	if have == want {
		return false
	}
	if have < want {
		want = r.room()
	}
	if have == want {
		return false
	}
	r.current = r.resize(r.current, want)
	return true
}

// room is how large the new replica set may be.
func (r *rollout) room() int32 {
	have := int32(0)
	if r.current != nil {
		have = *r.current.Spec.Replicas
	}
	if r.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return *r.d.Spec.Replicas
	}
	free := *r.d.Spec.Replicas + scaled(r.d.Spec.Strategy.RollingUpdate.MaxSurge, *r.d.Spec.Replicas, true) - replicas(r.sets()...)
	return have + max(0, min(free, *r.d.Spec.Replicas-have))
}

// shrink makes old replica sets smaller: first by pods that are of no use, then by as
// many as others have taken the place of. It says whether there was something to do.
func (r *rollout) shrink() bool {
	if replicas(r.old...) == 0 {
		return false
	}
	_, unavailable := bounds(r.d)
	minimum := *r.d.Spec.Replicas - unavailable
	spare := replicas(r.sets()...) - minimum - (*r.current.Spec.Replicas - r.current.Status.AvailableReplicas)
	if spare <= 0 {
		return false
	}
	did := false
	for i, set := range r.old {
		if broken := min(spare, *set.Spec.Replicas-set.Status.AvailableReplicas); broken > 0 {
			r.old[i] = r.resize(set, *set.Spec.Replicas-broken)
			spare, did = spare-broken, true
		}
	}
	healthy := int32(0)
	for _, set := range r.sets() {
		healthy += set.Status.AvailableReplicas
	}
	for i, set := range r.old {
		if less := min(healthy-minimum, *set.Spec.Replicas); less > 0 {
			r.old[i] = r.resize(set, *set.Spec.Replicas-less)
			healthy, did = healthy-less, true
		}
	}
	return did
}

// resize scales a replica set, and notes on it what the deployment wanted then.
func (r *rollout) resize(set *appsv1.ReplicaSet, size int32) *appsv1.ReplicaSet {
	was := *set.Spec.Replicas
	changed := edit(r.tx, "replicasets", set, func(s *appsv1.ReplicaSet) {
		if was != size {
			s.Generation++
		}
		s.Spec.Replicas = &size
		r.noteSize(s)
	})
	if was != size {
		way := "up"
		if size < was {
			way = "down"
		}
		r.say(r.tx, "deployments", r.d, "deployment-controller", "ScalingReplicaSet", "Scaled %s replica set %s from %d to %d",
			way, set.Name, was, size)
	}
	return changed
}

func (r *rollout) noteSize(s *appsv1.ReplicaSet) {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[desiredAnnotation] = strconv.Itoa(int(*r.d.Spec.Replicas))
	s.Annotations[maximumAnnotation] = strconv.Itoa(int(*r.d.Spec.Replicas + r.surge()))
}

// findOrCreate makes the replica set of the template of now, and brings what is written
// on it up to date.
func (r *rollout) findOrCreate() {
	newest := 0
	for _, set := range r.old {
		newest = max(newest, revisionOf(set))
	}
	revision := newest + 1
	if r.current == nil {
		r.createSet(revision)
		return
	}
	current := *r.current
	current.Annotations = maps.Clone(current.Annotations)
	r.copyAnnotations(&current, max(revision, revisionOf(&current)))
	current.Spec.MinReadySeconds = r.d.Spec.MinReadySeconds
	if !maps.Equal(r.current.Annotations, current.Annotations) || r.current.Spec.MinReadySeconds != current.Spec.MinReadySeconds {
		r.tx.Put("replicasets", &current)
		r.current = &current
	}
	r.setRevision(r.current.Annotations[revisionAnnotation])
	if r.progress() == nil && r.hasDeadline() {
		r.setProgress(corev1.ConditionTrue, "FoundNewReplicaSet", fmt.Sprintf("Found new replica set %q", r.current.Name))
	}
}

func revisionOf(o metav1.Object) int {
	n, err := strconv.Atoi(o.GetAnnotations()[revisionAnnotation])
	if err != nil {
		return 0
	}
	return n
}

func (r *rollout) createSet(revision int) {
	template := r.d.Spec.Template.DeepCopy()
	sum := hash(template, r.d.Status.CollisionCount)
	template.Labels = with(template.Labels, sum)
	selector := r.d.Spec.Selector.DeepCopy()
	selector.MatchLabels = with(selector.MatchLabels, sum)
	size := r.room()
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.d.Namespace, Name: r.d.Name + "-" + sum, Labels: maps.Clone(template.Labels),
			OwnerReferences: ownerOf(r.d, deploymentKind)},
		Spec: appsv1.ReplicaSetSpec{Replicas: &size, MinReadySeconds: r.d.Spec.MinReadySeconds, Selector: selector, Template: *template},
	}
	r.copyAnnotations(set, revision)
	r.noteSize(set)
	made, ok := create(r.tx, "replicasets", set)
	if !ok { // the name is taken
		r.d.Status.CollisionCount = pointer(1 + value(r.d.Status.CollisionCount))
		r.wake("deployment", r.d.Namespace, r.d.Name, time.Second)
		return
	}
	r.current = made
	r.setRevision(strconv.Itoa(revision))
	if r.hasDeadline() {
		r.setProgress(corev1.ConditionTrue, "NewReplicaSetCreated", fmt.Sprintf("Created new replica set %q", made.Name))
	}
	if size > 0 {
		r.say(r.tx, "deployments", r.d, "deployment-controller", "ScalingReplicaSet", "Scaled up replica set %s from 0 to %d",
			made.Name, size)
	}
}

func with(labels map[string]string, sum string) map[string]string {
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[appsv1.DefaultDeploymentUniqueLabelKey] = sum
	return labels
}

func value(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}

// copyAnnotations writes the deployment's annotations on a replica set, with its
// revision and those that it had before.
func (r *rollout) copyAnnotations(s *appsv1.ReplicaSet, revision int) {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	for key, value := range r.d.Annotations {
		switch key {
		case revisionAnnotation, historyAnnotation, desiredAnnotation, maximumAnnotation, appliedAnnotation:
		default:
			s.Annotations[key] = value
		}
	}
	if before, ok := s.Annotations[revisionAnnotation]; ok && before != strconv.Itoa(revision) {
		history := strings.Split(s.Annotations[historyAnnotation], ",")
		if s.Annotations[historyAnnotation] == "" {
			history = nil
		}
		s.Annotations[historyAnnotation] = strings.Join(append(history, before), ",")
	}
	s.Annotations[revisionAnnotation] = strconv.Itoa(revision)
	if s.UID != "" {
		r.noteSize(s)
	}
}

func (r *rollout) setRevision(revision string) {
	if r.d.Annotations == nil {
		r.d.Annotations = map[string]string{}
	}
	r.d.Annotations[revisionAnnotation] = revision
}

// tidy removes old replica sets that are more than should be remembered.
func (r *rollout) tidy() {
	if !complete(r.d, &r.d.Status) || r.d.Spec.RevisionHistoryLimit == nil {
		return
	}
	sets := slices.DeleteFunc(slices.Clone(r.old), func(s *appsv1.ReplicaSet) bool {
		return s.Status.Replicas > 0 || *s.Spec.Replicas > 0 || s.DeletionTimestamp != nil || s.Generation > s.Status.ObservedGeneration
	})
	slices.SortFunc(sets, func(a, b *appsv1.ReplicaSet) int { return revisionOf(a) - revisionOf(b) })
	for len(sets) > int(*r.d.Spec.RevisionHistoryLimit) {
		r.remove(r.tx, "replicasets", sets[0])
		sets = sets[1:]
	}
}
