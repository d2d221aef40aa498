package kubernetes

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/controllers"
	"portolan/local/kubernetes/store"
)

var evictionKind = policyv1.SchemeGroupVersion.WithKind("Eviction")

// evict deletes a pod if its disruption budget allows it.
func (s *Server) evict(q *request) (answer, error) {
	if _, err := mediaType(q, ofObjects...); err != nil {
		return answer{}, err
	}
	raw, err := readBody(q)
	if err != nil {
		return answer{}, err
	}
	eviction := &policyv1.Eviction{}
	if err := decode(q, raw, evictionKind, eviction); err != nil {
		return answer{}, err
	}
	if eviction.Name != "" && eviction.Name != q.name {
		return answer{}, apierrors.NewBadRequest("name in URL does not match name in Eviction object: " + q.name + ", " + eviction.Name)
	}
	options := metav1.DeleteOptions{}
	if eviction.DeleteOptions != nil {
		options = *eviction.DeleteOptions
	}
	if len(options.DryRun) > 0 {
		q.query["dryRun"] = options.DryRun
	}
	err = s.change(q, func(tx *store.Tx) error {
		p, ok := store.Get[*corev1.Pod](tx, "pods", q.namespace, q.name)
		if !ok {
			return apierrors.NewNotFound(q.groupResource(), q.name)
		}
		if err := checkPreconditions(q, p, options.Preconditions); err != nil {
			return err
		}
		if err := s.disrupt(tx, p); err != nil {
			return err
		}
		q.kind.Delete(tx, p, s.config.Clock.Now(), options)
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusCreated, body: encode(&metav1.Status{Status: metav1.StatusSuccess, Code: http.StatusCreated},
		metav1.Unversioned.WithKind("Status"))}, nil
}

// disrupt takes a pod's disruption off what its budget allows, or refuses.
func (s *Server) disrupt(tx *store.Tx, p *corev1.Pod) error {
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodPending ||
		p.DeletionTimestamp != nil {
		return nil
	}
	budgets := store.Find(tx, "poddisruptionbudgets", p.Namespace, func(b *policyv1.PodDisruptionBudget) bool {
		return slices.ContainsFunc(controllers.PodsOf(tx, b), func(other *corev1.Pod) bool { return other.Name == p.Name })
	})
	switch len(budgets) {
	case 0:
		return nil
	case 1:
	default:
		return apierrors.NewInternalError(fmt.Errorf("This pod has more than one PodDisruptionBudget, which the eviction " +
			"subresource does not support."))
	}
	b := budgets[0]
	if !podReady(p) && mayGoUnhealthy(b) {
		return nil
	}
	if b.Status.ObservedGeneration < b.Generation {
		return tooMany(fmt.Sprintf("The disruption budget %s is still being processed by the server.", b.Name), 10)
	}
	if b.Status.DisruptionsAllowed <= 0 {
		return tooMany(fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", b.Name,
			b.Status.DesiredHealthy, b.Status.CurrentHealthy), 0)
	}
	changed := b.DeepCopy()
	changed.Status.DisruptionsAllowed--
	changed.Status.DisruptedPods = maps.Clone(b.Status.DisruptedPods)
	if changed.Status.DisruptedPods == nil {
		changed.Status.DisruptedPods = map[string]metav1.Time{}
	}
	changed.Status.DisruptedPods[p.Name] = metav1.NewTime(s.config.Clock.Now()).Rfc3339Copy()
	tx.Put("poddisruptionbudgets", changed)
	return nil
}

// mayGoUnhealthy says whether a budget lets pods go that are not healthy anyway.
func mayGoUnhealthy(b *policyv1.PodDisruptionBudget) bool {
	if policy := b.Spec.UnhealthyPodEvictionPolicy; policy != nil && *policy == policyv1.AlwaysAllow {
		return true
	}
	return b.Status.CurrentHealthy >= b.Status.DesiredHealthy && b.Status.DesiredHealthy > 0
}

func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func tooMany(cause string, retryAfterSeconds int) error {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: policyv1.DisruptionBudgetCause,
		Message: cause})
	return err
}
