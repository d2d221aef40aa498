package kinds

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/store"
)

// Delete begins to delete an object or, where nothing has to be waited for, removes
// it. It returns the object as it is then, and whether it is removed.
func (k *Kind) Delete(tx *store.Tx, o store.Object, now time.Time, options metav1.DeleteOptions) (store.Object, bool) {
	finalizers := k.finalizers(o, options)
	grace := k.grace(o, options)
	marked := o.GetDeletionTimestamp() != nil
	if len(finalizers) == 0 && grace == 0 && !k.holds(o) {
		return tx.Remove(k.Resource, o.GetNamespace(), o.GetName()), true
	}
	updated := o.DeepCopyObject().(store.Object)
	updated.SetFinalizers(finalizers)
	shorter := marked && updated.GetDeletionGracePeriodSeconds() != nil && grace < *updated.GetDeletionGracePeriodSeconds()
	if !marked || shorter {
		at := metav1.NewTime(now.Add(time.Duration(grace) * time.Second)).Rfc3339Copy()
		updated.SetDeletionTimestamp(&at)
		updated.SetDeletionGracePeriodSeconds(&grace)
		if k.generation && !marked {
			updated.SetGeneration(updated.GetGeneration() + 1)
		}
	}
	if n, ok := updated.(*corev1.Namespace); ok {
		n.Status.Phase = corev1.NamespaceTerminating
	}
	if marked && !shorter && slices.Equal(finalizers, o.GetFinalizers()) {
		return o, false
	}
	return tx.Put(k.Resource, updated), false
}

// Released removes an object that is being deleted once nothing holds it any more.
func (k *Kind) Released(tx *store.Tx, o store.Object) bool {
	if o.GetDeletionTimestamp() == nil || len(o.GetFinalizers()) > 0 || k.holds(o) {
		return false
	}
	if grace := o.GetDeletionGracePeriodSeconds(); grace != nil && *grace > 0 {
		return false
	}
	tx.Remove(k.Resource, o.GetNamespace(), o.GetName())
	return true
}

// holds says whether a controller has to let go of the object first.
func (k *Kind) holds(o store.Object) bool {
	n, ok := o.(*corev1.Namespace)
	return ok && len(n.Spec.Finalizers) > 0
}

// finalizers are the object's, with what the way of its deletion asks for.
func (k *Kind) finalizers(o store.Object, options metav1.DeleteOptions) []string {
	policy := metav1.DeletePropagationBackground
	switch {
	case options.PropagationPolicy != nil:
		policy = *options.PropagationPolicy
	case slices.Contains(o.GetFinalizers(), metav1.FinalizerDeleteDependents):
		policy = metav1.DeletePropagationForeground
	case k.OrphansByDefault() || slices.Contains(o.GetFinalizers(), metav1.FinalizerOrphanDependents):
		policy = metav1.DeletePropagationOrphan
	}
	kept := slices.DeleteFunc(slices.Clone(o.GetFinalizers()), func(f string) bool {
		return f == metav1.FinalizerDeleteDependents || f == metav1.FinalizerOrphanDependents
	})
	switch policy {
	case metav1.DeletePropagationForeground:
		return append(kept, metav1.FinalizerDeleteDependents)
	case metav1.DeletePropagationOrphan:
		return append(kept, metav1.FinalizerOrphanDependents)
	}
	return kept
}

// OrphansByDefault is true for jobs, whose pods stay unless a delete says otherwise.
func (k *Kind) OrphansByDefault() bool { return k.Resource == jobs.Resource }

// grace is how many seconds a pod has to end. Other objects have none, and neither has
// a pod that runs nowhere.
func (k *Kind) grace(o store.Object, options metav1.DeleteOptions) int64 {
	p, ok := o.(*corev1.Pod)
	if !ok || p.Spec.NodeName == "" || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return 0
	}
	grace := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if p.Spec.TerminationGracePeriodSeconds != nil {
		grace = *p.Spec.TerminationGracePeriodSeconds
	}
	if p.DeletionGracePeriodSeconds != nil {
		grace = *p.DeletionGracePeriodSeconds
	}
	if options.GracePeriodSeconds != nil {
		grace = max(0, *options.GracePeriodSeconds)
	}
	return grace
}
