package kinds

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func nonnegative(value *int32, name string) field.ErrorList {
	if value == nil {
		return nil
	}
	return validation.ValidateNonnegativeField(int64(*value), spec.Child(name))
}

// checkTemplate checks a selector and the template of the pods that it has to select,
// for what keeps its pods running.
func checkTemplate(selector *metav1.LabelSelector, template *corev1.PodTemplateSpec, of string) field.ErrorList {
	var all field.ErrorList
	if selector == nil {
		all = append(all, field.Required(spec.Child("selector"), ""))
	} else {
		all = append(all, metavalidation.ValidateLabelSelector(selector, metavalidation.LabelSelectorValidationOptions{},
			spec.Child("selector"))...)
		if len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
			all = append(all, field.Invalid(spec.Child("selector"), selector, "empty selector is invalid for "+of))
		}
	}
	path := spec.Child("template")
	all = append(all, checkMatch(selector, template)...)
	all = append(all, metavalidation.ValidateLabels(template.Labels, path.Child("labels"))...)
	all = append(all, validation.ValidateAnnotations(template.Annotations, path.Child("annotations"))...)
	all = append(all, checkPodSpec(&template.Spec, path.Child("spec"))...)
	if template.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		all = append(all, field.NotSupported(path.Child("spec", "restartPolicy"), template.Spec.RestartPolicy,
			[]corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	return all
}

func checkMatch(selector *metav1.LabelSelector, template *corev1.PodTemplateSpec) field.ErrorList {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || s.Empty() || s.Matches(labels.Set(template.Labels)) {
		return nil
	}
	return field.ErrorList{field.Invalid(spec.Child("template", "metadata", "labels"), template.Labels,
		"`selector` does not match template `labels`")}
}

func checkDeployment(d *appsv1.Deployment) field.ErrorList {
	s := &d.Spec
	all := nonnegative(s.Replicas, "replicas")
	all = append(all, checkTemplate(s.Selector, &s.Template, "deployment")...)
	all = append(all, checkStrategy(s.Strategy)...)
	all = append(all, nonnegative(&s.MinReadySeconds, "minReadySeconds")...)
	all = append(all, nonnegative(s.RevisionHistoryLimit, "revisionHistoryLimit")...)
	all = append(all, nonnegative(s.ProgressDeadlineSeconds, "progressDeadlineSeconds")...)
	if s.ProgressDeadlineSeconds != nil && *s.ProgressDeadlineSeconds <= s.MinReadySeconds {
		all = append(all, field.Invalid(spec.Child("progressDeadlineSeconds"), s.ProgressDeadlineSeconds,
			"must be greater than minReadySeconds"))
	}
	return all
}

func checkStrategy(s appsv1.DeploymentStrategy) field.ErrorList {
	path := spec.Child("strategy")
	switch s.Type {
	case appsv1.RecreateDeploymentStrategyType:
		if s.RollingUpdate != nil {
			return field.ErrorList{field.Forbidden(path.Child("rollingUpdate"),
				"may not be specified when strategy `type` is 'Recreate'")}
		}
		return nil
	case appsv1.RollingUpdateDeploymentStrategyType:
		return checkRolling(s.RollingUpdate.MaxUnavailable, s.RollingUpdate.MaxSurge, path.Child("rollingUpdate"))
	}
	return field.ErrorList{field.NotSupported(path, s, []string{"Recreate", "RollingUpdate"})}
}

func checkRolling(maxUnavailable, maxSurge *intstr.IntOrString, path *field.Path) field.ErrorList {
	all := checkCount(maxUnavailable, path.Child("maxUnavailable"))
	all = append(all, checkCount(maxSurge, path.Child("maxSurge"))...)
	if isZero(maxUnavailable) && isZero(maxSurge) {
		all = append(all, field.Invalid(path.Child("maxUnavailable"), maxUnavailable, "may not be 0 when `maxSurge` is 0"))
	}
	return append(all, atMostAll(maxUnavailable, path.Child("maxUnavailable"))...)
}

func isZero(v *intstr.IntOrString) bool { return v == nil || v.String() == "0" || v.String() == "0%" }

// checkCount checks a number or a percentage.
func checkCount(v *intstr.IntOrString, path *field.Path) field.ErrorList {
	var all field.ErrorList
	switch {
	case v == nil:
	case v.Type == intstr.Int:
		return validation.ValidateNonnegativeField(int64(v.IntValue()), path)
	default:
		for _, message := range utilvalidation.IsValidPercent(v.StrVal) {
			all = append(all, field.Invalid(path, v, message))
		}
	}
	return all
}

func atMostAll(v *intstr.IntOrString, path *field.Path) field.ErrorList {
	if v == nil || v.Type == intstr.Int {
		return nil
	}
	if percent, err := intstr.GetScaledValueFromIntOrPercent(v, 100, true); err == nil && percent > 100 {
		return field.ErrorList{field.Invalid(path, v, "must not be greater than 100%")}
	}
	return nil
}

// fixed says that a field cannot be changed.
func fixed(updated, old any, name string) field.ErrorList {
	return validation.ValidateImmutableField(updated, old, spec.Child(name))
}

func compareDeployments(updated, old *appsv1.Deployment) field.ErrorList {
	return fixed(updated.Spec.Selector, old.Spec.Selector, "selector")
}

func checkReplicaSet(r *appsv1.ReplicaSet) field.ErrorList {
	return append(nonnegative(r.Spec.Replicas, "replicas"), checkTemplate(r.Spec.Selector, &r.Spec.Template, "deployment")...)
}

func compareReplicaSets(updated, old *appsv1.ReplicaSet) field.ErrorList {
	return fixed(updated.Spec.Selector, old.Spec.Selector, "selector")
}

func checkDaemonSet(d *appsv1.DaemonSet) field.ErrorList {
	all := checkTemplate(d.Spec.Selector, &d.Spec.Template, "daemonset")
	path := spec.Child("updateStrategy")
	switch u := d.Spec.UpdateStrategy; u.Type {
	case appsv1.OnDeleteDaemonSetStrategyType:
	case appsv1.RollingUpdateDaemonSetStrategyType:
		all = append(all, checkRolling(u.RollingUpdate.MaxUnavailable, u.RollingUpdate.MaxSurge, path.Child("rollingUpdate"))...)
		if !isZero(u.RollingUpdate.MaxUnavailable) && !isZero(u.RollingUpdate.MaxSurge) {
			all = append(all, field.Invalid(path.Child("rollingUpdate", "maxSurge"), u.RollingUpdate.MaxSurge,
				"may not be set when maxUnavailable is non-zero"))
		}
	default:
		all = append(all, field.NotSupported(path, u, []string{"RollingUpdate", "OnDelete"}))
	}
	return append(all, nonnegative(&d.Spec.MinReadySeconds, "minReadySeconds")...)
}

func compareDaemonSets(updated, old *appsv1.DaemonSet) field.ErrorList {
	return fixed(updated.Spec.Selector, old.Spec.Selector, "selector")
}

func checkStatefulSet(s *appsv1.StatefulSet) field.ErrorList {
	return append(nonnegative(s.Spec.Replicas, "replicas"), checkTemplate(s.Spec.Selector, &s.Spec.Template, "statefulset")...)
}

func compareStatefulSets(updated, old *appsv1.StatefulSet) field.ErrorList {
	munged := updated.Spec.DeepCopy()
	munged.Replicas, munged.Template, munged.UpdateStrategy = old.Spec.Replicas, old.Spec.Template, old.Spec.UpdateStrategy
	munged.MinReadySeconds, munged.Ordinals = old.Spec.MinReadySeconds, old.Spec.Ordinals
	munged.PersistentVolumeClaimRetentionPolicy = old.Spec.PersistentVolumeClaimRetentionPolicy
	munged.RevisionHistoryLimit = old.Spec.RevisionHistoryLimit
	if equality.Semantic.DeepEqual(*munged, old.Spec) {
		return nil
	}
	return field.ErrorList{field.Forbidden(spec, "updates to statefulset spec for fields other than 'replicas', 'ordinals', "+
		"'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden")}
}

func checkJob(j *batchv1.Job) field.ErrorList {
	s := &j.Spec
	all := checkJobSpec(s, spec)
	if s.Selector == nil {
		return append(all, field.Required(spec.Child("selector"), ""))
	}
	return append(all, checkMatch(s.Selector, &s.Template)...)
}

func checkJobSpec(s *batchv1.JobSpec, path *field.Path) field.ErrorList {
	var all field.ErrorList
	for _, count := range []struct {
		name  string
		value *int32
	}{{"parallelism", s.Parallelism}, {"completions", s.Completions}, {"backoffLimit", s.BackoffLimit},
		{"ttlSecondsAfterFinished", s.TTLSecondsAfterFinished}} {
		if count.value != nil {
			all = append(all, validation.ValidateNonnegativeField(int64(*count.value), path.Child(count.name))...)
		}
	}
	at := path.Child("template", "spec")
	all = append(all, checkPodSpec(&s.Template.Spec, at)...)
	if s.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure && s.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		all = append(all, field.Required(at.Child("restartPolicy"),
			fmt.Sprintf("valid values: %q, %q", corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)))
	}
	return all
}

func compareJobs(updated, old *batchv1.Job) field.ErrorList {
	all := fixed(updated.Spec.Completions, old.Spec.Completions, "completions")
	all = append(all, fixed(updated.Spec.Selector, old.Spec.Selector, "selector")...)
	all = append(all, fixed(updated.Spec.Template, old.Spec.Template, "template")...)
	return append(all, fixed(updated.Spec.CompletionMode, old.Spec.CompletionMode, "completionMode")...)
}

func checkCronJob(c *batchv1.CronJob) field.ErrorList {
	var all field.ErrorList
	if c.Spec.Schedule == "" {
		all = append(all, field.Required(spec.Child("schedule"), ""))
	}
	return append(all, checkJobSpec(&c.Spec.JobTemplate.Spec, spec.Child("jobTemplate", "spec"))...)
}
