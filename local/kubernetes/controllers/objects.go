package controllers

import (
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/rand"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

// edit keeps what fn makes of an object, and leaves it alone where that is nothing new.
func edit[T store.Object](tx *store.Tx, resource string, o T, fn func(T)) T {
	changed := o.DeepCopyObject().(T)
	fn(changed)
	if equality.Semantic.DeepEqual(o, changed) {
		return o
	}
	return tx.Put(resource, changed).(T)
}

// remove deletes an object as a client would that does not wait.
func (c *Controllers) remove(tx *store.Tx, resource string, o store.Object) {
	background := metav1.DeletePropagationBackground
	k := kindOf(resource)
	k.Delete(tx, o, c.now(), metav1.DeleteOptions{PropagationPolicy: &background})
}

func kindOf(resource string) *kinds.Kind {
	for _, k := range kinds.All {
		if k.Resource == resource {
			return k
		}
	}
	panic("there is no kind of " + resource)
}

// create makes an object as a client would; nil where it is refused.
func create[T store.Object](tx *store.Tx, resource string, o T) (made T, ok bool) {
	k := kindOf(resource)
	k.Default(o)
	k.PrepareCreate(o, tx.NewUID())
	if tx.Get(resource, o.GetNamespace(), o.GetName()) != nil || len(k.Check(o)) > 0 {
		return made, false
	}
	return tx.Put(resource, o).(T), true
}

// owned lists the objects of a namespace that an owner controls, the oldest first.
func owned[T store.Object](tx *store.Tx, resource string, owner store.Object) []T {
	list := store.Find(tx, resource, owner.GetNamespace(), func(o T) bool { return controlledBy(o, owner.GetUID()) })
	slices.SortStableFunc(list, func(a, b T) int {
		return a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time)
	})
	return list
}

func controlledBy(o store.Object, uid types.UID) bool {
	return slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool {
		return r.UID == uid && r.Controller != nil && *r.Controller
	})
}

func ownerOf(owner store.Object, gvk schema.GroupVersionKind) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(owner, gvk)}
}

// podOf makes a pod of a template.
func podOf(template *corev1.PodTemplateSpec, owner store.Object, gvk schema.GroupVersionKind, name string) *corev1.Pod {
	t := template.DeepCopy()
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: owner.GetNamespace(), Name: name, GenerateName: owner.GetName() + "-",
		Labels: t.Labels, Annotations: t.Annotations, Finalizers: t.Finalizers, OwnerReferences: ownerOf(owner, gvk)}, Spec: t.Spec}
}

// hash is what tells a template from others, in the letters that Kubernetes uses.
func hash(template *corev1.PodTemplateSpec, collisions *int32) string {
	raw, err := json.Marshal(template)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	h := fnv.New32a()
	h.Write(raw)
	if collisions != nil {
		h.Write([]byte(strconv.Itoa(int(*collisions))))
	}
	return rand.SafeEncodeString(strconv.FormatUint(uint64(h.Sum32()), 10))
}

// ended says whether a pod's containers have all ended for good.
func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// active says whether a pod counts for its controller.
func active(p *corev1.Pod) bool { return !ended(p) && p.DeletionTimestamp == nil }

func condition(p *corev1.Pod, of corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == of {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

func ready(p *corev1.Pod) bool {
	at := condition(p, corev1.PodReady)
	return at != nil && at.Status == corev1.ConditionTrue
}

// available says whether a pod has been ready for long enough, or else how long it
// takes still; -1 where it is not ready.
func available(p *corev1.Pod, minReadySeconds int32, now time.Time) (bool, time.Duration) {
	if !ready(p) {
		return false, -1
	}
	left := condition(p, corev1.PodReady).LastTransitionTime.Add(time.Duration(minReadySeconds) * time.Second).Sub(now)
	return left <= 0, left
}

func (c *Controllers) stamp() metav1.Time { return metav1.NewTime(c.now()).Rfc3339Copy() }

func pointer[T any](v T) *T { return &v }
