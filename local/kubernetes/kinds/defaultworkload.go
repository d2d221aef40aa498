package kinds

import (
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func defaultDeployment(d *appsv1.Deployment) {
	orDefault(&d.Spec.Replicas, 1)
	orValue(&d.Spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)
	if d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		orDefault(&d.Spec.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		orDefault(&d.Spec.Strategy.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
		orDefault(&d.Spec.Strategy.RollingUpdate.MaxSurge, intstr.FromString("25%"))
	}
	orDefault(&d.Spec.RevisionHistoryLimit, 10)
	orDefault(&d.Spec.ProgressDeadlineSeconds, 600)
	defaultPodSpec(&d.Spec.Template.Spec)
}

func defaultReplicaSet(r *appsv1.ReplicaSet) {
	orDefault(&r.Spec.Replicas, 1)
	defaultPodSpec(&r.Spec.Template.Spec)
}

func defaultDaemonSet(d *appsv1.DaemonSet) {
	orValue(&d.Spec.UpdateStrategy.Type, appsv1.RollingUpdateDaemonSetStrategyType)
	if d.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		orDefault(&d.Spec.UpdateStrategy.RollingUpdate, appsv1.RollingUpdateDaemonSet{})
		orDefault(&d.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		orDefault(&d.Spec.UpdateStrategy.RollingUpdate.MaxSurge, intstr.FromInt32(0))
	}
	orDefault(&d.Spec.RevisionHistoryLimit, 10)
	defaultPodSpec(&d.Spec.Template.Spec)
	if d.Annotations[appsv1.DeprecatedTemplateGeneration] == "" {
		countTemplate(d, 1)
	}
}

// changeDaemonSet counts the templates in an annotation, as Kubernetes does still.
func changeDaemonSet(updated, old *appsv1.DaemonSet) {
	count, err := strconv.Atoi(old.Annotations[appsv1.DeprecatedTemplateGeneration])
	if err == nil && !equality.Semantic.DeepEqual(updated.Spec.Template, old.Spec.Template) {
		count++
	}
	countTemplate(updated, count)
}

func countTemplate(d *appsv1.DaemonSet, count int) {
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[appsv1.DeprecatedTemplateGeneration] = strconv.Itoa(count)
}

func defaultStatefulSet(s *appsv1.StatefulSet) {
	orDefault(&s.Spec.Replicas, 1)
	orValue(&s.Spec.PodManagementPolicy, appsv1.OrderedReadyPodManagement)
	orValue(&s.Spec.UpdateStrategy.Type, appsv1.RollingUpdateStatefulSetStrategyType)
	if s.Spec.UpdateStrategy.Type == appsv1.RollingUpdateStatefulSetStrategyType {
		orDefault(&s.Spec.UpdateStrategy.RollingUpdate, appsv1.RollingUpdateStatefulSetStrategy{})
		orDefault(&s.Spec.UpdateStrategy.RollingUpdate.Partition, 0)
		orDefault(&s.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
	}
	orDefault(&s.Spec.RevisionHistoryLimit, 10)
	orDefault(&s.Spec.PersistentVolumeClaimRetentionPolicy, appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
		WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
		WhenScaled:  appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
	})
	defaultPodSpec(&s.Spec.Template.Spec)
	for i := range s.Spec.VolumeClaimTemplates {
		defaultClaim(&s.Spec.VolumeClaimTemplates[i])
		orValue(&s.Spec.VolumeClaimTemplates[i].Status.Phase, corev1.ClaimPending)
		s.Spec.VolumeClaimTemplates[i].SetGroupVersionKind(core("PersistentVolumeClaim"))
	}
}

func defaultJob(j *batchv1.Job) {
	if len(j.Labels) == 0 {
		j.Labels = maps.Clone(j.Spec.Template.Labels)
	}
	defaultJobSpec(&j.Spec)
}

func defaultJobSpec(s *batchv1.JobSpec) {
	if s.Completions == nil && s.Parallelism == nil {
		s.Completions = to(int32(1))
	}
	orDefault(&s.Parallelism, 1)
	orDefault(&s.BackoffLimit, 6)
	orDefault(&s.CompletionMode, batchv1.NonIndexedCompletion)
	orDefault(&s.Suspend, false)
	orDefault(&s.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	orDefault(&s.ManualSelector, false)
	defaultPodSpec(&s.Template.Spec)
}

// createJob gives the job's pods labels that no other's have, and selects by them.
func createJob(j *batchv1.Job) {
	if j.Spec.ManualSelector != nil && *j.Spec.ManualSelector {
		return
	}
	if j.Spec.Template.Labels == nil {
		j.Spec.Template.Labels = map[string]string{}
	}
	for key, value := range map[string]string{
		batchv1.ControllerUidLabel: string(j.UID), batchv1.JobNameLabel: j.Name,
		"controller-uid": string(j.UID), "job-name": j.Name,
	} {
		j.Spec.Template.Labels[key] = value
	}
	if len(j.Labels) == 0 {
		j.Labels = maps.Clone(j.Spec.Template.Labels)
	}
	if j.Spec.Selector == nil {
		j.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{batchv1.ControllerUidLabel: string(j.UID)}}
	}
}

func defaultCronJob(c *batchv1.CronJob) {
	orValue(&c.Spec.ConcurrencyPolicy, batchv1.AllowConcurrent)
	orDefault(&c.Spec.Suspend, false)
	orDefault(&c.Spec.SuccessfulJobsHistoryLimit, 3)
	orDefault(&c.Spec.FailedJobsHistoryLimit, 1)
	defaultPodSpec(&c.Spec.JobTemplate.Spec.Template.Spec)
}

func defaultStorageClass(c *storagev1.StorageClass) {
	orDefault(&c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete)
	orDefault(&c.VolumeBindingMode, storagev1.VolumeBindingImmediate)
}

// A namespace is not gone before the controller of namespaces has emptied it.
func createNamespace(n *corev1.Namespace) {
	n.Status.Phase = corev1.NamespaceActive
	n.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
	labelNamespace(n)
}

func changeNamespace(updated, old *corev1.Namespace) {
	updated.Spec.Finalizers = old.Spec.Finalizers
	labelNamespace(updated)
}

func labelNamespace(n *corev1.Namespace) {
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	n.Labels[corev1.LabelMetadataName] = n.Name
}

// createNode keeps pods away from a node until it is known to be ready.
func createNode(n *corev1.Node) {
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule})
}
