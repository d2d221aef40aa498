package controllers

import (
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"portolan/local/kubernetes/store"
)

var replicaSetKind = appsv1.SchemeGroupVersion.WithKind("ReplicaSet")

// burst is how many pods are made in one look.
const burst = 500

// replicaSet brings the number of a replica set's pods nearer to its replicas.
func (c *Controllers) replicaSet(tx *store.Tx, namespace, name string) {
	set, ok := store.Get[*appsv1.ReplicaSet](tx, "replicasets", namespace, name)
	if !ok {
		return
	}
	all := claimed[*corev1.Pod](tx, "pods", set, replicaSetKind, set.Spec.Selector)
	pods := slices.DeleteFunc(slices.Clone(all), func(p *corev1.Pod) bool { return !active(p) })
	if missing := int(*set.Spec.Replicas) - len(pods); set.DeletionTimestamp == nil && missing > 0 {
		for range min(missing, burst) {
			p, ok := create(tx, "pods", podOf(&set.Spec.Template, set, replicaSetKind, tx.FreeName("pods", namespace, name+"-")))
			if !ok {
				break
			}
			c.say(tx, "replicasets", set, "replicaset-controller", "SuccessfulCreate", "Created pod: %s", p.Name)
			pods = append(pods, p)
		}
	} else if set.DeletionTimestamp == nil && missing < 0 {
		for _, p := range c.surplus(pods, -missing) {
			c.remove(tx, "pods", p)
			c.say(tx, "replicasets", set, "replicaset-controller", "SuccessfulDelete", "Deleted pod: %s", p.Name)
			pods = slices.DeleteFunc(pods, func(other *corev1.Pod) bool { return other == p })
		}
	}
	terminating := 0
	for _, p := range all {
		if p.DeletionTimestamp != nil && !ended(p) {
			terminating++
		}
	}
	c.replicaSetStatus(tx, set, pods, int32(terminating))
}

func (c *Controllers) replicaSetStatus(tx *store.Tx, set *appsv1.ReplicaSet, pods []*corev1.Pod, terminating int32) {
	s := appsv1.ReplicaSetStatus{Replicas: int32(len(pods)), ObservedGeneration: set.Generation, TerminatingReplicas: &terminating,
		Conditions: set.Status.Conditions}
	for _, p := range pods {
		if containsAll(p.Labels, set.Spec.Template.Labels) {
			s.FullyLabeledReplicas++
		}
		if ready(p) {
			s.ReadyReplicas++
		}
		is, left := available(p, set.Spec.MinReadySeconds, c.now())
		if is {
			s.AvailableReplicas++
		} else if left > 0 {
			c.wake("replicaset", set.Namespace, set.Name, left)
		}
	}
	if !equality.Semantic.DeepEqual(set.Status, s) {
		counted := *set
		counted.Status = s
		tx.Put("replicasets", &counted)
	}
}

func containsAll(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// surplus picks the pods that go first, by Kubernetes's own rules: those that run
// nowhere, that are pending, not ready, cost less to delete, share their node with
// more others, got ready later, restarted more often, are younger.
func (c *Controllers) surplus(pods []*corev1.Pod, count int) []*corev1.Pod {
	together := map[string]int{}
	for _, p := range pods {
		together[p.Spec.NodeName]++
	}
	ranked := slices.Clone(pods)
	slices.SortStableFunc(ranked, func(a, b *corev1.Pod) int {
		for _, less := range []int{
			order(a.Spec.NodeName != "", b.Spec.NodeName != ""),
			phaseRank[a.Status.Phase] - phaseRank[b.Status.Phase],
			order(ready(a), ready(b)),
			deletionCost(a) - deletionCost(b),
			together[b.Spec.NodeName] - together[a.Spec.NodeName],
			later(readySince(a), readySince(b)),
			restarts(b) - restarts(a),
			later(a.CreationTimestamp.Time, b.CreationTimestamp.Time),
		} {
			if less != 0 {
				return less
			}
		}
		return strings.Compare(a.Name, b.Name)
	})
	return ranked[:count]
}

var phaseRank = map[corev1.PodPhase]int{corev1.PodPending: 0, corev1.PodUnknown: 1, corev1.PodRunning: 2}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// later puts the later time first.
func later(a, b time.Time) int { return b.Compare(a) }

func readySince(p *corev1.Pod) time.Time {
	if !ready(p) {
		return time.Time{}
	}
	return condition(p, corev1.PodReady).LastTransitionTime.Time
}

func restarts(p *corev1.Pod) (most int) {
	for _, s := range p.Status.ContainerStatuses {
		most = max(most, int(s.RestartCount))
	}
	return most
}

func deletionCost(p *corev1.Pod) int {
	cost, err := strconv.Atoi(p.Annotations[corev1.PodDeletionCost])
	if err != nil {
		return 0
	}
	return cost
}
