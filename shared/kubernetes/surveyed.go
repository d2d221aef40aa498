package kubernetes

import (
	"slices"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/orchestrator"
)

// A found workload is what a survey needs of one, of whatever kind.
type found struct {
	meta.ObjectMeta
	pod             core.PodSpec
	replicas, ready int
}

// workloadsIn returns what stands for itself in a list: what another object owns is
// told with that one.
func workloadsIn(list meta.ListInterface) []found {
	var all []found
	add := func(o meta.ObjectMeta, pod core.PodSpec, replicas, ready int32) {
		if meta.GetControllerOf(&o) == nil {
			all = append(all, found{o, pod, int(replicas), int(ready)})
		}
	}
	switch l := list.(type) {
	case *apps.DeploymentList:
		for _, o := range l.Items {
			add(o.ObjectMeta, o.Spec.Template.Spec, one(o.Spec.Replicas), o.Status.ReadyReplicas)
		}
	case *apps.StatefulSetList:
		for _, o := range l.Items {
			add(o.ObjectMeta, o.Spec.Template.Spec, one(o.Spec.Replicas), o.Status.ReadyReplicas)
		}
	case *apps.DaemonSetList:
		for _, o := range l.Items {
			add(o.ObjectMeta, o.Spec.Template.Spec, o.Status.DesiredNumberScheduled, o.Status.NumberReady)
		}
	case *apps.ReplicaSetList:
		for _, o := range l.Items {
			add(o.ObjectMeta, o.Spec.Template.Spec, one(o.Spec.Replicas), o.Status.ReadyReplicas)
		}
	case *batch.CronJobList:
		for _, o := range l.Items {
			running := int32(len(o.Status.Active))
			add(o.ObjectMeta, o.Spec.JobTemplate.Spec.Template.Spec, running, running)
		}
	case *core.PodList:
		for _, o := range l.Items {
			add(o.ObjectMeta, o.Spec, 1, ready(o.Status))
		}
	}
	return all
}

// one is how many there are where it is not said.
func one(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

func ready(status core.PodStatus) int32 {
	for _, condition := range status.Conditions {
		if condition.Type == core.PodReady && condition.Status == core.ConditionTrue {
			return 1
		}
	}
	return 0
}

func (f *found) described(k kind, cluster string) orchestrator.Workload {
	w := orchestrator.Workload{
		Namespace: f.Namespace, Kind: k.name, Name: f.Name, Replicas: f.replicas, Ready: f.ready,
		Managers: managersOf(f.ManagedFields),
	}
	for _, container := range f.pod.Containers {
		w.Images = append(w.Images, container.Image)
	}
	if f.Labels[labelManagedBy] == manager && f.Labels[labelPartOf] == cluster {
		w.Service = f.Labels[labelService]
	}
	return w
}

// managersOf are who set fields, but for Kubernetes's own controllers and kubelets,
// which write how things are.
func managersOf(entries []meta.ManagedFieldsEntry) []string {
	var names []string
	for _, entry := range entries {
		own := entry.Subresource == "status" || entry.Manager == autoscaler && entry.Subresource == ""
		if !own && entry.Manager != "" {
			names = append(names, entry.Manager)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
