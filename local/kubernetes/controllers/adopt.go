package controllers

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portolan/local/kubernetes/store"
)

// claimed lists the objects that an owner controls, the oldest first. Before, it lets
// go of those that its selector does not match any more, and takes on those that it
// matches and that nobody controls.
func claimed[T store.Object](tx *store.Tx, resource string, owner store.Object, gvk schema.GroupVersionKind,
	selector *metav1.LabelSelector) []T {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || owner.GetDeletionTimestamp() != nil {
		return owned[T](tx, resource, owner)
	}
	for _, e := range tx.List(resource, owner.GetNamespace()) {
		o := e.Object.(T)
		matches := s.Matches(labels.Set(o.GetLabels()))
		switch {
		case controlledBy(o, owner.GetUID()) && !matches:
			edit(tx, resource, o, func(o T) { disown(o, owner.GetUID()) })
		case matches && metav1.GetControllerOf(o) == nil && o.GetDeletionTimestamp() == nil:
			edit(tx, resource, o, func(o T) {
				o.SetOwnerReferences(append(slices.Clone(o.GetOwnerReferences()), *metav1.NewControllerRef(owner, gvk)))
			})
		}
	}
	return owned[T](tx, resource, owner)
}

// adopt wakes who may take on the pods and replica sets of a namespace that nobody
// controls.
func (c *Controllers) adopt(tx *store.Tx, namespace, _ string) {
	var free []labels.Set
	for _, p := range store.Find[*corev1.Pod](tx, "pods", namespace, nil) {
		if metav1.GetControllerOf(p) == nil && active(p) {
			free = append(free, p.Labels)
		}
	}
	for _, r := range store.Find[*appsv1.ReplicaSet](tx, "replicasets", namespace, nil) {
		c.wakeIfMatched(free, r.Spec.Selector, "replicaset", r)
		if metav1.GetControllerOf(r) == nil && r.DeletionTimestamp == nil {
			free = append(free, r.Labels)
		}
	}
	for _, d := range store.Find[*appsv1.Deployment](tx, "deployments", namespace, nil) {
		c.wakeIfMatched(free, d.Spec.Selector, "deployment", d)
	}
	for _, d := range store.Find[*appsv1.DaemonSet](tx, "daemonsets", namespace, nil) {
		c.wakeIfMatched(free, d.Spec.Selector, "daemonset", d)
	}
	for _, s := range store.Find[*appsv1.StatefulSet](tx, "statefulsets", namespace, nil) {
		c.wakeIfMatched(free, s.Spec.Selector, "statefulset", s)
	}
}

func (c *Controllers) wakeIfMatched(free []labels.Set, selector *metav1.LabelSelector, work string, o store.Object) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err == nil && slices.ContainsFunc(free, func(l labels.Set) bool { return s.Matches(l) }) {
		c.wake(work, o.GetNamespace(), o.GetName(), 0)
	}
}
