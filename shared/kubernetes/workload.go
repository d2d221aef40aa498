package kubernetes

import (
	"fmt"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"portolan/shared/contract"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/orchestrator"
)

// Kubernetes is told of no progress within two thirds of a rollout's deadline, so that
// it says so before Portolan's own deadline passes. settleSeconds is how long a task
// that has no probe has to run before it counts.
const (
	defaultDeadlineSeconds = 900
	settleSeconds          = 10
	historyLimit           = 5
)

// workloadKind is what a service is on the cluster.
func workloadKind(spec contract.ServiceSpec) kind {
	if spec.Mode == contract.Global {
		return daemonSets
	}
	return deployments
}

// deploymentOf says a release as a Deployment. replicas is nil to leave them alone. A
// selector cannot be changed, so that of a Deployment which somebody else made stays.
func deploymentOf(release orchestrator.Release, attempt string, replicas *int32, selector *meta.LabelSelector) apps.Deployment {
	spec := release.Spec
	deadline := int32(progressDeadline(spec))
	return apps.Deployment{Spec: apps.DeploymentSpec{
		Replicas: replicas, Selector: selector, Template: podTemplate(release, attempt),
		Strategy: strategy(spec), MinReadySeconds: minReady(spec),
		ProgressDeadlineSeconds: &deadline, RevisionHistoryLimit: new(int32(historyLimit)),
	}}
}

func progressDeadline(spec contract.ServiceSpec) int {
	deadline := spec.Rollout.DeadlineSeconds
	if deadline == 0 {
		deadline = defaultDeadlineSeconds
	}
	return deadline * 2 / 3
}

func minReady(spec contract.ServiceSpec) int32 {
	if len(spec.HealthCheck.Command) > 0 || spec.LoadBalancer.ContainerPort > 0 {
		return 0
	}
	return settleSeconds
}

// strategy says how tasks are replaced. Where so many per cent of the replicas are no
// whole number, Kubernetes never does without one more than it may, and rounds up how
// many more it may run.
func strategy(spec contract.ServiceSpec) apps.DeploymentStrategy {
	if kubernetesspec.Exclusive(spec) {
		return apps.DeploymentStrategy{Type: apps.RecreateDeploymentStrategyType}
	}
	without, more := percent(0), percent(int(orDefault(spec.Rollout.HealthyPercentMax, 200))-100)
	if lowest := spec.Rollout.HealthyPercentMin; lowest != nil {
		without = percent(100 - *lowest)
	}
	return apps.DeploymentStrategy{
		Type:          apps.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &apps.RollingUpdateDeployment{MaxUnavailable: &without, MaxSurge: &more},
	}
}

func percent(share int) intstr.IntOrString { return intstr.FromString(fmt.Sprintf("%d%%", share)) }

// daemonSetOf says a release of a global service as a DaemonSet.
func daemonSetOf(release orchestrator.Release, attempt string, selector *meta.LabelSelector) apps.DaemonSet {
	rolling := &apps.RollingUpdateDaemonSet{MaxUnavailable: new(intstr.FromInt(1)), MaxSurge: new(intstr.FromInt(0))}
	rollout := release.Spec.Rollout
	switch lowest := rollout.HealthyPercentMin; {
	case lowest == nil:
	case *lowest == 100:
		rolling.MaxUnavailable = new(intstr.FromInt(0))
		rolling.MaxSurge = new(percent(int(orDefault(rollout.HealthyPercentMax, 200)) - 100))
	default:
		rolling.MaxUnavailable = new(percent(100 - *lowest))
	}
	return apps.DaemonSet{Spec: apps.DaemonSetSpec{
		Selector: selector, Template: podTemplate(release, attempt), MinReadySeconds: minReady(release.Spec),
		RevisionHistoryLimit: new(int32(historyLimit)),
		UpdateStrategy:       apps.DaemonSetUpdateStrategy{Type: apps.RollingUpdateDaemonSetStrategyType, RollingUpdate: rolling},
	}}
}

// A workload is a Deployment or a DaemonSet as the driver looks at it.
type workload struct {
	meta.ObjectMeta
	kind     kind
	template core.PodTemplateSpec
	selector *meta.LabelSelector

	// exclusive workloads stop a task before the next one starts.
	exclusive bool

	// desired, current, updated and available count tasks: those asked for, those there
	// are, and of these the ones of the newest template and the healthy ones.
	desired, current, updated, available int

	// observed says whether the controller has seen what is asked for. What follows is
	// about that only if it has.
	observed bool

	// completed says that the newest template was rolled out once, stalled that nothing
	// moved for longer than it may, and refusal why pods cannot be made.
	completed, stalled bool
	refusal            string
}

func (w *workload) global() bool { return w.kind == daemonSets }

// ours says whether Portolan manages the workload.
func (w *workload) ours() bool { return w.Labels[labelManagedBy] == manager }

func (w *workload) removing() bool {
	return w.DeletionTimestamp != nil || w.Annotations[annotationRemoving] != ""
}

func (w *workload) say() string { return w.kind.say(w.Namespace, w.Name) }

func deploymentSeen(d *apps.Deployment) *workload {
	w := &workload{
		ObjectMeta: d.ObjectMeta, kind: deployments, template: d.Spec.Template, selector: d.Spec.Selector,
		exclusive: d.Spec.Strategy.Type == apps.RecreateDeploymentStrategyType,
		desired:   1, current: int(d.Status.Replicas), updated: int(d.Status.UpdatedReplicas),
		available: int(d.Status.AvailableReplicas), observed: d.Status.ObservedGeneration >= d.Generation,
	}
	if d.Spec.Replicas != nil {
		w.desired = int(*d.Spec.Replicas)
	}
	for _, condition := range d.Status.Conditions {
		holds := condition.Status == core.ConditionTrue
		switch condition.Type {
		case apps.DeploymentProgressing:
			w.completed = holds && condition.Reason == "NewReplicaSetAvailable"
			w.stalled = !holds && condition.Reason == "ProgressDeadlineExceeded"
		case apps.DeploymentReplicaFailure:
			if holds {
				w.refusal = condition.Message
			}
		}
	}
	return w
}

func daemonSetSeen(d *apps.DaemonSet) *workload {
	w := &workload{
		ObjectMeta: d.ObjectMeta, kind: daemonSets, template: d.Spec.Template, selector: d.Spec.Selector,
		desired: int(d.Status.DesiredNumberScheduled), current: int(d.Status.CurrentNumberScheduled),
		updated: int(d.Status.UpdatedNumberScheduled), available: int(d.Status.NumberAvailable),
		observed: d.Status.ObservedGeneration >= d.Generation,
	}
	w.completed = w.observed && w.updated >= w.desired && w.available >= w.desired
	return w
}

// rolledOut says whether all tasks that are asked for run the newest template and are
// healthy, and no other is left.
func (w *workload) rolledOut() bool {
	return w.observed && !w.stalled && w.updated >= w.desired && w.available >= w.desired &&
		w.current <= max(w.updated, w.desired) && w.updated >= w.current
}
