package controllers

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

var statefulSetKind = appsv1.SchemeGroupVersion.WithKind("StatefulSet")

// statefulSet brings the pods of a stateful set up one after the other, takes those
// that are too many away from the last, and replaces old ones from the last.
func (c *Controllers) statefulSet(tx *store.Tx, namespace, name string) {
	set, ok := store.Get[*appsv1.StatefulSet](tx, "statefulsets", namespace, name)
	if !ok {
		return
	}
	sum := name + "-" + hash(&set.Spec.Template, set.Status.CollisionCount)
	pods := claimed[*corev1.Pod](tx, "pods", set, statefulSetKind, set.Spec.Selector)
	byName := map[string]*corev1.Pod{}
	for _, p := range pods {
		byName[p.Name] = p
	}
	if set.DeletionTimestamp == nil {
		c.order(tx, set, byName, sum)
	}
	s := appsv1.StatefulSetStatus{ObservedGeneration: set.Generation, UpdateRevision: sum, CurrentRevision: set.Status.CurrentRevision,
		CollisionCount: set.Status.CollisionCount}
	for _, p := range owned[*corev1.Pod](tx, "pods", set) {
		s.Replicas++
		if ready(p) {
			s.ReadyReplicas++
		}
		if is, left := available(p, set.Spec.MinReadySeconds, c.now()); is {
			s.AvailableReplicas++
		} else if left > 0 {
			c.wake("statefulset", namespace, name, left)
		}
		if p.Labels[appsv1.ControllerRevisionHashLabelKey] == sum {
			s.UpdatedReplicas++
		} else {
			s.CurrentReplicas++
		}
	}
	if s.CurrentRevision == "" || s.UpdatedReplicas == s.Replicas && s.ReadyReplicas == *set.Spec.Replicas {
		s.CurrentRevision, s.CurrentReplicas = sum, s.UpdatedReplicas
	}
	edit(tx, "statefulsets", set, func(o *appsv1.StatefulSet) { o.Status = s })
}

// order does the one thing that is next; with parallel management, all of a kind.
func (c *Controllers) order(tx *store.Tx, set *appsv1.StatefulSet, byName map[string]*corev1.Pod, sum string) {
	want := map[string]bool{}
	parallel := set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement
	for n := range *set.Spec.Replicas {
		name := fmt.Sprintf("%s-%d", set.Name, n)
		want[name] = true
		p := byName[name]
		switch {
		case p == nil:
			c.createMember(tx, set, name, sum)
		case ended(p) && p.DeletionTimestamp == nil:
			c.remove(tx, "pods", p)
		case ready(p) && p.DeletionTimestamp == nil:
			continue
		}
		if !parallel {
			return
		}
	}
	var surplus []*corev1.Pod
	for _, p := range byName {
		if !want[p.Name] {
			surplus = append(surplus, p)
		}
	}
	slices.SortFunc(surplus, func(a, b *corev1.Pod) int { return ordinal(b.Name) - ordinal(a.Name) })
	for _, p := range surplus {
		if p.DeletionTimestamp == nil {
			c.remove(tx, "pods", p)
		}
		if !parallel {
			return
		}
	}
	if set.Spec.UpdateStrategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		return
	}
	for n := *set.Spec.Replicas - 1; n >= value(set.Spec.UpdateStrategy.RollingUpdate.Partition); n-- {
		p := byName[fmt.Sprintf("%s-%d", set.Name, n)]
		if p != nil && p.Labels[appsv1.ControllerRevisionHashLabelKey] != sum {
			c.remove(tx, "pods", p)
		}
		if p == nil || p.Labels[appsv1.ControllerRevisionHashLabelKey] != sum || !ready(p) {
			return
		}
	}
}

func ordinal(name string) (n int) {
	_, _ = fmt.Sscanf(name[lastDash(name):], "-%d", &n)
	return n
}

func lastDash(name string) int {
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == '-' {
			return i
		}
	}
	return 0
}

func (c *Controllers) createMember(tx *store.Tx, set *appsv1.StatefulSet, name, sum string) {
	p := podOf(&set.Spec.Template, set, statefulSetKind, name)
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	p.Labels[appsv1.ControllerRevisionHashLabelKey] = sum
	p.Labels[appsv1.StatefulSetPodNameLabel] = name
	p.Spec.Hostname, p.Spec.Subdomain = name, set.Spec.ServiceName
	for _, template := range set.Spec.VolumeClaimTemplates {
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
		claim.Namespace, claim.Name = set.Namespace, template.Name+"-"+name
		if claim.Spec.StorageClassName == nil {
			claim.Spec.StorageClassName = kinds.DefaultClass(tx)
		}
		create(tx, "persistentvolumeclaims", claim)
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: template.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}}})
	}
	if made, ok := create(tx, "pods", p); ok {
		c.say(tx, "statefulsets", set, "statefulset-controller", "SuccessfulCreate", "create Pod %s in StatefulSet %s successful",
			made.Name, set.Name)
	}
}
