package kinds

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"portolan/local/kubernetes/store"
)

// A Column of kubectl's tables, with the cell of an object.
type Column struct {
	Name, Type, Format string
	Wide               bool // only shown with -o wide
	Cell               func(store.Object) any
}

// Columns are the kind's: its name, what is particular to it, and its age.
func (k *Kind) Columns(now time.Time) []Column {
	all := []Column{{Name: "Name", Type: "string", Format: "name", Cell: func(o store.Object) any { return o.GetName() }}}
	all = append(all, particular[k.Resource]...)
	return append(all, Column{Name: "Age", Type: "string", Cell: func(o store.Object) any {
		return age(o.GetCreationTimestamp(), now)
	}})
}

func age(t metav1.Time, now time.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(t.Time))
}

func column[T store.Object](name string, cell func(T) any) Column {
	return Column{Name: name, Type: "string", Cell: func(o store.Object) any { return cell(o.(T)) }}
}

func wide[T store.Object](name string, cell func(T) any) Column {
	c := column(name, cell)
	c.Wide = true
	return c
}

var particular = map[string][]Column{
	"pods": {column("Ready", podReadiness), column("Status", podState), column("Restarts", podRestarts),
		wide("IP", func(p *corev1.Pod) any { return orNone(p.Status.PodIP) }),
		wide("Node", func(p *corev1.Pod) any { return orNone(p.Spec.NodeName) })},
	"nodes": {column("Status", nodeState), column("Roles", func(*corev1.Node) any { return "<none>" }),
		column("Version", func(n *corev1.Node) any { return n.Status.NodeInfo.KubeletVersion })},
	"namespaces": {column("Status", func(n *corev1.Namespace) any { return string(n.Status.Phase) })},
	"services": {column("Type", func(s *corev1.Service) any { return string(s.Spec.Type) }),
		column("Cluster-IP", func(s *corev1.Service) any { return orNone(s.Spec.ClusterIP) }), column("Port(s)", servicePorts)},
	"deployments": {
		column("Ready", func(d *appsv1.Deployment) any { return fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, *d.Spec.Replicas) }),
		column("Up-to-date", func(d *appsv1.Deployment) any { return d.Status.UpdatedReplicas }),
		column("Available", func(d *appsv1.Deployment) any { return d.Status.AvailableReplicas }),
		wide("Images", func(d *appsv1.Deployment) any { return images(&d.Spec.Template.Spec) })},
	"replicasets": {column("Desired", func(r *appsv1.ReplicaSet) any { return *r.Spec.Replicas }),
		column("Current", func(r *appsv1.ReplicaSet) any { return r.Status.Replicas }),
		column("Ready", func(r *appsv1.ReplicaSet) any { return r.Status.ReadyReplicas })},
	"daemonsets": {column("Desired", func(d *appsv1.DaemonSet) any { return d.Status.DesiredNumberScheduled }),
		column("Current", func(d *appsv1.DaemonSet) any { return d.Status.CurrentNumberScheduled }),
		column("Ready", func(d *appsv1.DaemonSet) any { return d.Status.NumberReady }),
		column("Up-to-date", func(d *appsv1.DaemonSet) any { return d.Status.UpdatedNumberScheduled }),
		column("Available", func(d *appsv1.DaemonSet) any { return d.Status.NumberAvailable })},
	"statefulsets": {
		column("Ready", func(s *appsv1.StatefulSet) any { return fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, *s.Spec.Replicas) })},
	"jobs": {column("Status", jobState),
		column("Completions", func(j *batchv1.Job) any { return fmt.Sprintf("%d/%d", j.Status.Succeeded, *orOne(j.Spec.Completions)) })},
	"cronjobs": {column("Schedule", func(c *batchv1.CronJob) any { return c.Spec.Schedule }),
		column("Suspend", func(c *batchv1.CronJob) any { return c.Spec.Suspend != nil && *c.Spec.Suspend }),
		column("Active", func(c *batchv1.CronJob) any { return len(c.Status.Active) })},
	"ingresses": {column("Class", func(i *networkingv1.Ingress) any { return orNone(*orOne(i.Spec.IngressClassName)) }),
		column("Hosts", ingressHosts)},
	"poddisruptionbudgets": {column("Allowed Disruptions", func(b *policyv1.PodDisruptionBudget) any { return b.Status.DisruptionsAllowed })},
	"persistentvolumeclaims": {column("Status", func(c *corev1.PersistentVolumeClaim) any { return string(c.Status.Phase) }),
		column("Volume", func(c *corev1.PersistentVolumeClaim) any { return c.Spec.VolumeName })},
	"persistentvolumes": {column("Status", func(v *corev1.PersistentVolume) any { return string(v.Status.Phase) })},
	"secrets": {column("Type", func(s *corev1.Secret) any { return string(s.Type) }),
		column("Data", func(s *corev1.Secret) any { return len(s.Data) })},
	"configmaps": {column("Data", func(c *corev1.ConfigMap) any { return len(c.Data) + len(c.BinaryData) })},
	"events": {column("Type", func(e *corev1.Event) any { return e.Type }), column("Reason", func(e *corev1.Event) any { return e.Reason }),
		column("Object", func(e *corev1.Event) any { return strings.ToLower(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Name }),
		column("Message", func(e *corev1.Event) any { return strings.TrimSpace(e.Message) })},
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

// orOne is what a pointer points to, or where it is nil, something empty.
func orOne[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

func images(s *corev1.PodSpec) string {
	var names []string
	for _, c := range s.Containers {
		names = append(names, c.Image)
	}
	return strings.Join(names, ",")
}

func podReadiness(p *corev1.Pod) any {
	n := 0
	for _, s := range p.Status.ContainerStatuses {
		if s.Ready {
			n++
		}
	}
	return fmt.Sprintf("%d/%d", n, len(p.Spec.Containers))
}

func podState(p *corev1.Pod) any {
	state := string(p.Status.Phase)
	for _, s := range p.Status.ContainerStatuses {
		switch {
		case s.State.Waiting != nil:
			state = s.State.Waiting.Reason
		case s.State.Terminated != nil:
			state = s.State.Terminated.Reason
		}
	}
	if p.DeletionTimestamp != nil {
		return "Terminating"
	}
	return state
}

func podRestarts(p *corev1.Pod) any {
	n := int32(0)
	for _, s := range p.Status.ContainerStatuses {
		n += s.RestartCount
	}
	return fmt.Sprint(n)
}

func nodeState(n *corev1.Node) any {
	state := "NotReady"
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			state = "Ready"
		}
	}
	if n.Spec.Unschedulable {
		state += ",SchedulingDisabled"
	}
	return state
}

func servicePorts(s *corev1.Service) any {
	var ports []string
	for _, p := range s.Spec.Ports {
		ports = append(ports, fmt.Sprintf("%d/%s", p.Port, p.Protocol))
	}
	return orNone(strings.Join(ports, ","))
}

func jobState(j *batchv1.Job) any {
	for _, c := range j.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			return string(c.Type)
		}
	}
	return "Running"
}

func ingressHosts(i *networkingv1.Ingress) any {
	var hosts []string
	for _, r := range i.Spec.Rules {
		if r.Host != "" {
			hosts = append(hosts, r.Host)
		}
	}
	if len(hosts) == 0 {
		return "*"
	}
	return strings.Join(hosts, ",")
}
