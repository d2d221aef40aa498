package controllers

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"portolan/local/kubernetes/store"
)

// disruptionLasts is how long an evicted pod counts as disrupted while it is not
// deleted.
const disruptionLasts = 2 * time.Minute

// budgets keeps how many pods each disruption budget of a namespace allows to evict.
func (c *Controllers) budgets(tx *store.Tx, namespace, _ string) {
	for _, b := range store.Find[*policyv1.PodDisruptionBudget](tx, "poddisruptionbudgets", namespace, nil) {
		c.budget(tx, b)
	}
}

func (c *Controllers) budget(tx *store.Tx, b *policyv1.PodDisruptionBudget) {
	pods := PodsOf(tx, b)
	disrupted := map[string]metav1.Time{}
	healthy := int32(0)
	for _, p := range pods {
		if at, ok := b.Status.DisruptedPods[p.Name]; ok && p.DeletionTimestamp == nil && at.Add(disruptionLasts).After(c.now()) {
			disrupted[p.Name] = at
			c.wake("budgets", b.Namespace, "", at.Add(disruptionLasts).Sub(c.now())+time.Second)
			continue
		}
		if p.DeletionTimestamp == nil && ready(p) {
			healthy++
		}
	}
	expected, desired := expectations(tx, b, pods)
	allowed := max(0, healthy-desired)
	if expected <= 0 {
		allowed = 0
	}
	if len(disrupted) == 0 {
		disrupted = nil
	}
	counted := *b
	counted.Status = policyv1.PodDisruptionBudgetStatus{CurrentHealthy: healthy, DesiredHealthy: desired, ExpectedPods: expected,
		DisruptionsAllowed: allowed, DisruptedPods: disrupted, ObservedGeneration: b.Generation,
		Conditions: slices.Clone(b.Status.Conditions)}
	is := metav1.Condition{Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionTrue,
		Reason: policyv1.SufficientPodsReason, ObservedGeneration: b.Generation, LastTransitionTime: c.stamp()}
	if allowed == 0 {
		is.Status, is.Reason = metav1.ConditionFalse, policyv1.InsufficientPodsReason
	}
	if was := meta.FindStatusCondition(b.Status.Conditions, is.Type); was != nil && was.Status == is.Status {
		is.LastTransitionTime = was.LastTransitionTime
	}
	meta.SetStatusCondition(&counted.Status.Conditions, is)
	if !equality.Semantic.DeepEqual(b.Status, counted.Status) {
		tx.Put("poddisruptionbudgets", &counted)
	}
}

// PodsOf are the pods that a disruption budget is about.
func PodsOf(tx *store.Tx, b *policyv1.PodDisruptionBudget) []*corev1.Pod {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		return nil
	}
	return store.Find(tx, "pods", b.Namespace, func(p *corev1.Pod) bool { return selector.Matches(labels.Set(p.Labels)) })
}

// expectations are how many pods there should be and how many of them healthy.
func expectations(tx *store.Tx, b *policyv1.PodDisruptionBudget, pods []*corev1.Pod) (expected, desired int32) {
	count := int32(len(pods))
	switch {
	case b.Spec.MaxUnavailable != nil:
		expected = wantedReplicas(tx, pods)
		return expected, max(0, expected-scaled(b.Spec.MaxUnavailable, expected, true))
	case b.Spec.MinAvailable != nil && b.Spec.MinAvailable.StrVal != "":
		expected = wantedReplicas(tx, pods)
		return expected, scaled(b.Spec.MinAvailable, expected, true)
	case b.Spec.MinAvailable != nil:
		return count, b.Spec.MinAvailable.IntVal
	}
	return count, 1
}

// wantedReplicas is how many pods the controllers of some pods want to have.
func wantedReplicas(tx *store.Tx, pods []*corev1.Pod) (total int32) {
	seen := map[string]bool{}
	for _, p := range pods {
		owner := metav1.GetControllerOf(p)
		if owner == nil {
			continue
		}
		resource, name := "statefulsets", owner.Name
		if owner.Kind == "ReplicaSet" {
			resource = "replicasets"
			if set, ok := store.Get[*appsv1.ReplicaSet](tx, resource, p.Namespace, name); ok {
				if above := metav1.GetControllerOf(set); above != nil && above.Kind == "Deployment" {
					resource, name = "deployments", above.Name
				}
			}
		}
		if seen[resource+name] {
			continue
		}
		seen[resource+name] = true
		switch o := tx.Get(resource, p.Namespace, name).(type) {
		case *appsv1.Deployment:
			total += *o.Spec.Replicas
		case *appsv1.ReplicaSet:
			total += *o.Spec.Replicas
		case *appsv1.StatefulSet:
			total += *o.Spec.Replicas
		}
	}
	return total
}
