package controllers

import (
	"math"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
)

// isScaled says whether the number of replicas was changed since the replica sets were
// last sized.
func (r *rollout) isScaled() bool {
	return slices.ContainsFunc(activeSets(r.sets()), func(s *appsv1.ReplicaSet) bool {
		desired, err := strconv.Atoi(s.Annotations[desiredAnnotation])
		return err == nil && int32(desired) != *r.d.Spec.Replicas
	})
}

// scale sizes the replica sets of a deployment whose number of replicas was changed.
// In the midst of a rollout, each grows or shrinks in proportion.
func (r *rollout) scale() {
	if only := r.activeOrLatest(); only != nil {
		r.replace(r.resize(only, *r.d.Spec.Replicas))
		return
	}
	if r.saturated() {
		for _, set := range activeSets(r.old) {
			r.replace(r.resize(set, 0))
		}
		return
	}
	if r.d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		r.scaleInProportion()
	}
}

func (r *rollout) replace(set *appsv1.ReplicaSet) {
	if r.current != nil && r.current.UID == set.UID {
		r.current = set
		return
	}
	for i := range r.old {
		if r.old[i].UID == set.UID {
			r.old[i] = set
		}
	}
}

// activeOrLatest is the one replica set with pods, or where none has any, the latest.
// It is nil where several have some.
func (r *rollout) activeOrLatest() *appsv1.ReplicaSet {
	switch sets := activeSets(r.sets()); {
	case len(sets) > 1:
		return nil
	case len(sets) == 1:
		return sets[0]
	case r.current != nil:
		return r.current
	case len(r.old) > 0:
		return r.old[len(r.old)-1]
	}
	return nil
}

func (r *rollout) saturated() bool {
	if r.current == nil {
		return false
	}
	want := *r.d.Spec.Replicas
	desired, err := strconv.Atoi(r.current.Annotations[desiredAnnotation])
	return err == nil && *r.current.Spec.Replicas == want && int32(desired) == want && r.current.Status.AvailableReplicas == want
}

func (r *rollout) scaleInProportion() {
	sets := activeSets(r.sets())
	allowed := int32(0)
	if *r.d.Spec.Replicas > 0 {
		allowed = *r.d.Spec.Replicas + r.surge()
	}
	add := allowed - replicas(sets...)
	slices.SortStableFunc(sets, func(a, b *appsv1.ReplicaSet) int { // the largest first, the newest of several when growing
		if *a.Spec.Replicas != *b.Spec.Replicas {
			return int(*b.Spec.Replicas - *a.Spec.Replicas)
		}
		if add > 0 {
			a, b = b, a
		}
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	added := int32(0)
	sizes := make([]int32, len(sets))
	for i, set := range sets {
		part := int32(0)
		if add != 0 {
			part = r.proportion(set, add, added)
		}
		sizes[i] = *set.Spec.Replicas + part
		added += part
	}
	for i, set := range sets {
		if i == 0 && add != 0 { // what rounding left
			sizes[i] = max(0, sizes[i]+add-added)
		}
		r.replace(r.resize(set, sizes[i]))
	}
}

// proportion is by how much a replica set changes, of what is still to add.
func (r *rollout) proportion(set *appsv1.ReplicaSet, add, added int32) int32 {
	if add == added {
		return 0
	}
	fraction := -*set.Spec.Replicas
	if *r.d.Spec.Replicas > 0 {
		before, err := strconv.Atoi(set.Annotations[maximumAnnotation])
		if err != nil || before == 0 {
			before = int(r.d.Status.Replicas)
		}
		if before == 0 {
			return 0
		}
		size := float64(*set.Spec.Replicas*(*r.d.Spec.Replicas+r.surge())) / float64(before)
		fraction = int32(math.Round(size)) - *set.Spec.Replicas
	}
	if add > 0 {
		return min(fraction, add-added)
	}
	return max(fraction, add-added)
}
