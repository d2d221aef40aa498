package controllers

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

// collect removes what belonged to something that is gone, and lets go of what waited
// for what belongs to it.
func (c *Controllers) collect(tx *store.Tx, _, _ string) {
	alive := map[types.UID]store.Object{}
	for _, k := range kinds.All {
		for _, e := range tx.List(k.Resource, "") {
			alive[e.Object.GetUID()] = e.Object
		}
	}
	blocked := map[types.UID]bool{} // owners whose dependents hold up their end
	for _, k := range kinds.All {
		for _, e := range tx.List(k.Resource, "") {
			c.collectOne(tx, k, e.Object, alive, blocked)
		}
	}
	for _, k := range kinds.All {
		for _, e := range tx.List(k.Resource, "") {
			if o := e.Object; waitsFor(o, metav1.FinalizerDeleteDependents) && !blocked[o.GetUID()] {
				release(tx, k, o, metav1.FinalizerDeleteDependents)
			} else if waitsFor(o, metav1.FinalizerOrphanDependents) {
				release(tx, k, o, metav1.FinalizerOrphanDependents)
			}
		}
	}
}

func waitsFor(o store.Object, finalizer string) bool {
	return o.GetDeletionTimestamp() != nil && slices.Contains(o.GetFinalizers(), finalizer)
}

func (c *Controllers) collectOne(tx *store.Tx, k *kinds.Kind, o store.Object, alive map[types.UID]store.Object,
	blocked map[types.UID]bool) {
	owners := o.GetOwnerReferences()
	if len(owners) == 0 {
		return
	}
	var kept []metav1.OwnerReference // owners that keep it
	foreground := false
	for _, r := range owners {
		owner, ok := alive[r.UID]
		switch {
		case !ok:
		case waitsFor(owner, metav1.FinalizerOrphanDependents):
			edit(tx, k.Resource, o, func(o store.Object) { disown(o, r.UID) })
			return // it is looked at again when the change is noticed
		case waitsFor(owner, metav1.FinalizerDeleteDependents):
			foreground = true
			if r.BlockOwnerDeletion != nil && *r.BlockOwnerDeletion {
				blocked[r.UID] = true
			}
		default:
			kept = append(kept, r)
		}
	}
	if len(kept) > 0 || o.GetDeletionTimestamp() != nil {
		return
	}
	policy := metav1.DeletePropagationBackground
	if foreground {
		policy = metav1.DeletePropagationForeground
	}
	k.Delete(tx, o, c.now(), metav1.DeleteOptions{PropagationPolicy: &policy})
}

func disown(o store.Object, uid types.UID) {
	o.SetOwnerReferences(slices.DeleteFunc(slices.Clone(o.GetOwnerReferences()), func(r metav1.OwnerReference) bool {
		return r.UID == uid
	}))
}

// release takes a finalizer off an object, which is its end when it was the last.
func release(tx *store.Tx, k *kinds.Kind, o store.Object, finalizer string) {
	released := edit(tx, k.Resource, o, func(o store.Object) {
		o.SetFinalizers(slices.DeleteFunc(slices.Clone(o.GetFinalizers()), func(f string) bool { return f == finalizer }))
	})
	k.Released(tx, released)
}

// namespace gives a new namespace its service account, and empties one that is being
// deleted before it lets go of it.
func (c *Controllers) namespace(tx *store.Tx, _, name string) {
	n, ok := store.Get[*corev1.Namespace](tx, "namespaces", "", name)
	if !ok {
		return
	}
	if n.DeletionTimestamp == nil {
		if tx.Get("serviceaccounts", name, "default") == nil {
			create(tx, "serviceaccounts", &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}})
		}
		return
	}
	left := 0
	for _, k := range kinds.All {
		if !k.Namespaced {
			continue
		}
		for _, e := range tx.List(k.Resource, name) {
			o := e.Object
			if o.GetDeletionTimestamp() == nil {
				c.remove(tx, k.Resource, o)
			}
			if tx.Get(k.Resource, name, o.GetName()) != nil {
				left++
			}
		}
	}
	if left > 0 {
		return
	}
	released := edit(tx, "namespaces", n, func(n *corev1.Namespace) { n.Spec.Finalizers = nil })
	kindOf("namespaces").Released(tx, released)
}
