package controllers

import (
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

func (r *rollout) hasDeadline() bool {
	return r.d.Spec.ProgressDeadlineSeconds != nil && *r.d.Spec.ProgressDeadlineSeconds < 1<<31-1
}

func deploymentCondition(s *appsv1.DeploymentStatus, of appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == of {
			return &s.Conditions[i]
		}
	}
	return nil
}

func (r *rollout) progress() *appsv1.DeploymentCondition {
	return deploymentCondition(&r.d.Status, appsv1.DeploymentProgressing)
}

func (r *rollout) setProgress(status corev1.ConditionStatus, reason, message string) {
	r.setCondition(&r.d.Status, appsv1.DeploymentProgressing, status, reason, message)
}

// setCondition sets a condition, unless it has that status and reason already.
func (r *rollout) setCondition(s *appsv1.DeploymentStatus, of appsv1.DeploymentConditionType, status corev1.ConditionStatus,
	reason, message string) {
	made := appsv1.DeploymentCondition{Type: of, Status: status, LastUpdateTime: r.stamp(), LastTransitionTime: r.stamp(),
		Reason: reason, Message: message}
	if was := deploymentCondition(s, of); was != nil {
		if was.Status == status && was.Reason == reason {
			return
		}
		if was.Status == status {
			made.LastTransitionTime = was.LastTransitionTime
		}
	}
	dropCondition(s, of)
	s.Conditions = append(s.Conditions, made)
}

func dropCondition(s *appsv1.DeploymentStatus, of appsv1.DeploymentConditionType) {
	s.Conditions = slices.DeleteFunc(slices.Clone(s.Conditions), func(c appsv1.DeploymentCondition) bool { return c.Type == of })
}

func (r *rollout) pause() {
	if r.hasDeadline() && (r.progress() == nil || r.progress().Reason != "DeploymentPaused") {
		r.setProgress(corev1.ConditionUnknown, "DeploymentPaused", "Deployment is paused")
	}
}

func (r *rollout) resume() {
	if at := r.progress(); r.hasDeadline() && at != nil && at.Reason == "DeploymentPaused" {
		r.setProgress(corev1.ConditionUnknown, "DeploymentResumed", "Deployment is resumed")
	}
}

// complete says whether all pods are of the newest template and available.
func complete(d *appsv1.Deployment, s *appsv1.DeploymentStatus) bool {
	return s.UpdatedReplicas == *d.Spec.Replicas && s.Replicas == *d.Spec.Replicas &&
		s.AvailableReplicas == *d.Spec.Replicas && s.ObservedGeneration >= d.Generation
}

// status writes how the deployment stands and, in a rollout, how it gets on.
func (r *rollout) status(rolling bool) {
	s := r.counted()
	if rolling {
		r.judge(&s)
	}
	r.d.Status = s
	if !equality.Semantic.DeepEqual(r.before.Status, s) || !maps.Equal(r.before.Annotations, r.d.Annotations) {
		r.tx.Put("deployments", r.d)
	}
	r.lookAgain()
}

func (r *rollout) counted() appsv1.DeploymentStatus {
	s := appsv1.DeploymentStatus{ObservedGeneration: r.d.Generation, CollisionCount: r.d.Status.CollisionCount,
		Conditions: slices.Clone(r.d.Status.Conditions)}
	terminating := int32(0)
	for _, set := range r.sets() {
		s.Replicas += set.Status.Replicas
		s.ReadyReplicas += set.Status.ReadyReplicas
		s.AvailableReplicas += set.Status.AvailableReplicas
		terminating += value(set.Status.TerminatingReplicas)
	}
	s.TerminatingReplicas = &terminating
	if r.current != nil {
		s.UpdatedReplicas = r.current.Status.Replicas
	}
	s.UnavailableReplicas = max(0, replicas(r.sets()...)-s.AvailableReplicas)
	_, unavailable := bounds(r.d)
	if s.AvailableReplicas >= *r.d.Spec.Replicas-unavailable {
		r.setCondition(&s, appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable",
			"Deployment has minimum availability.")
	} else {
		r.setCondition(&s, appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable",
			"Deployment does not have minimum availability.")
	}
	return s
}

// judge says whether the rollout is complete, progresses, or has taken too long.
func (r *rollout) judge(s *appsv1.DeploymentStatus) {
	if !r.hasDeadline() {
		dropCondition(s, appsv1.DeploymentProgressing)
		return
	}
	was := deploymentCondition(s, appsv1.DeploymentProgressing)
	if s.Replicas == s.UpdatedReplicas && was != nil && was.Reason == "NewReplicaSetAvailable" {
		return
	}
	subject := fmt.Sprintf("Deployment %q", r.d.Name)
	if r.current != nil {
		subject = fmt.Sprintf("ReplicaSet %q", r.current.Name)
	}
	switch {
	case complete(r.d, s):
		r.setCondition(s, appsv1.DeploymentProgressing, corev1.ConditionTrue, "NewReplicaSetAvailable",
			subject+" has successfully progressed.")
	case progressed(&r.before.Status, s):
		made := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue,
			LastUpdateTime: r.stamp(), LastTransitionTime: r.stamp(), Reason: "ReplicaSetUpdated", Message: subject + " is progressing."}
		if was != nil && was.Status == corev1.ConditionTrue {
			made.LastTransitionTime = was.LastTransitionTime
		}
		dropCondition(s, appsv1.DeploymentProgressing)
		s.Conditions = append(s.Conditions, made)
	case was != nil && r.deadline(was).Before(r.now()):
		r.setCondition(s, appsv1.DeploymentProgressing, corev1.ConditionFalse, "ProgressDeadlineExceeded",
			subject+" has timed out progressing.")
	}
}

func (r *rollout) deadline(progress *appsv1.DeploymentCondition) time.Time {
	return progress.LastUpdateTime.Add(time.Duration(*r.d.Spec.ProgressDeadlineSeconds) * time.Second)
}

func progressed(was, is *appsv1.DeploymentStatus) bool {
	return is.UpdatedReplicas > was.UpdatedReplicas || is.Replicas-is.UpdatedReplicas < was.Replicas-was.UpdatedReplicas ||
		is.ReadyReplicas > was.ReadyReplicas || is.AvailableReplicas > was.AvailableReplicas
}

// lookAgain looks when the deadline has passed.
func (r *rollout) lookAgain() {
	at := r.progress()
	if at == nil || !r.hasDeadline() || complete(r.d, &r.d.Status) || at.Reason == "ProgressDeadlineExceeded" {
		return
	}
	r.wake("deployment", r.d.Namespace, r.d.Name, max(time.Second, r.deadline(at).Sub(r.now())+time.Second))
}
