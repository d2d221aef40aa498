package controllers

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/store"
)

// remembered is how long an event is kept after it was told last, as Kubernetes does.
const remembered = time.Hour

// say tells an event about an object. One that is told again is counted.
func (c *Controllers) say(tx *store.Tx, resource string, about store.Object, from, reason, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	key := string(about.GetUID()) + " " + reason + " " + message
	namespace := about.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	if n, ok := store.Get[*corev1.Namespace](tx, "namespaces", "", namespace); !ok || n.DeletionTimestamp != nil {
		return
	}
	if e, ok := store.Get[*corev1.Event](tx, "events", namespace, c.told[key]); ok {
		edit(tx, "events", e, func(e *corev1.Event) {
			e.Count++
			e.LastTimestamp = c.stamp()
		})
		return
	}
	k := kindOf(resource)
	e := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: about.GetName() + "." + c.config.IDs.Hex(16)},
		InvolvedObject: corev1.ObjectReference{APIVersion: k.GroupVersion().String(), Kind: k.Kind, Namespace: about.GetNamespace(),
			Name: about.GetName(), UID: about.GetUID(), ResourceVersion: about.GetResourceVersion()},
		Type: severity(reason), Reason: reason, Message: message, Count: 1, FirstTimestamp: c.stamp(), LastTimestamp: c.stamp(),
		Source: corev1.EventSource{Component: from}, ReportingController: from,
	}
	c.told[key] = e.Name
	tx.Put("events", e)
}

// severity is whether a reason is worth a warning.
func severity(reason string) string {
	switch reason {
	case "Failed", "BackOff", "Unhealthy", "FailedScheduling", "NodeNotReady", "BackoffLimitExceeded", "DeadlineExceeded",
		"FailedCreate", "FailedMount", "ErrImageNeverPull":
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

// forgetEvent removes an event that was not told for an hour.
func (c *Controllers) forgetEvent(tx *store.Tx, namespace, name string) {
	e, ok := store.Get[*corev1.Event](tx, "events", namespace, name)
	if !ok {
		return
	}
	told := e.LastTimestamp.Time
	if told.IsZero() {
		told = e.CreationTimestamp.Time
	}
	if left := told.Add(remembered).Sub(c.now()); left > 0 {
		c.wake("forget", namespace, name, left)
		return
	}
	delete(c.told, string(e.InvolvedObject.UID)+" "+e.Reason+" "+e.Message)
	tx.Remove("events", namespace, name)
}
