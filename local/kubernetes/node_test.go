package kubernetes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (b *bench) node(name string) *corev1.Node {
	b.Helper()
	n, err := b.client.CoreV1().Nodes().Get(b.ctx, name, metav1.GetOptions{})
	b.must(err)
	return n
}

func readiness(n *corev1.Node) corev1.ConditionStatus {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status
		}
	}
	return ""
}

func (b *bench) cordon(name string) {
	b.Helper()
	_, err := b.client.CoreV1().Nodes().Patch(b.ctx, name, types.StrategicMergePatchType, []byte(`{"spec":{"unschedulable":true}}`),
		metav1.PatchOptions{})
	b.must(err)
}

func (b *bench) evict(p corev1.Pod) error {
	return b.client.PolicyV1().Evictions(p.Namespace).Evict(b.ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}})
}

func (b *bench) on(node string) []corev1.Pod {
	b.Helper()
	list, err := b.client.CoreV1().Pods("").List(b.ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	b.must(err)
	return list.Items
}

// budget makes a disruption budget for web.
func (b *bench) budget(minAvailable int32) {
	b.Helper()
	least := intstr.FromInt32(minAvailable)
	_, err := b.client.PolicyV1().PodDisruptionBudgets("default").Create(b.ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &least,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "web"}}}}, metav1.CreateOptions{})
	b.must(err)
}

func TestANodeIsAnInstance(t *testing.T) {
	inCluster(t, 1, func(b *bench) {
		n := b.node("node-1")
		if n.Spec.ProviderID != "aws:///eu-west-1a/i-00000000000000001" || readiness(n) != corev1.ConditionTrue || len(n.Spec.Taints) > 0 {
			b.Errorf("the node is %+v", n)
		}
		for label, want := range map[string]string{corev1.LabelTopologyZone: "eu-west-1a", corev1.LabelTopologyRegion: "eu-west-1",
			corev1.LabelInstanceTypeStable: "m5.xlarge", corev1.LabelHostname: "node-1"} {
			if n.Labels[label] != want {
				b.Errorf("the label %s is %q", label, n.Labels[label])
			}
		}
		if n.Status.Allocatable.Cpu().MilliValue() != 4000 || n.Status.Allocatable.Memory().Value() != 16<<30 {
			b.Errorf("it has %v", n.Status.Allocatable)
		}
	})
}

func TestABudgetHoldsUpADrain(t *testing.T) {
	inCluster(t, 2, func(b *bench) {
		b.apply(web("shop/web:1", 2))
		b.rolledOut(2)
		b.budget(2)
		b.wait(time.Second)
		b.cordon("node-1")
		victim := b.on("node-1")[0]
		err := b.evict(victim)
		if !apierrors.IsTooManyRequests(err) || !strings.Contains(err.Error(), "Cannot evict pod as it would violate the pod's disruption budget.") {
			b.Fatalf("the eviction: %v", err)
		}
		cause := err.(apierrors.APIStatus).Status().Details.Causes[0]
		if cause.Type != policyv1.DisruptionBudgetCause || cause.Message != "The disruption budget web needs 2 healthy pods and has 2 currently" {
			b.Errorf("the cause is %+v", cause)
		}
		b.apply(web("shop/web:1", 3))
		b.within(2*time.Minute, "a third pod", func() bool {
			allowed, err := b.client.PolicyV1().PodDisruptionBudgets("default").Get(b.ctx, "web", metav1.GetOptions{})
			b.must(err)
			return allowed.Status.DisruptionsAllowed == 1
		})
		b.must(b.evict(victim))
		if err := b.evict(b.on("node-2")[0]); !apierrors.IsTooManyRequests(err) {
			b.Errorf("a second eviction at once: %v", err)
		}
		b.within(time.Minute, "the node is empty", func() bool { return len(b.on("node-1")) == 0 })
		b.rolledOut(3)
		if n := len(b.on("node-2")); n != 3 {
			b.Errorf("%d pods are on the other node", n)
		}
	})
}

func TestATerminatedInstancesNodeIsForgotten(t *testing.T) {
	inCluster(t, 2, func(b *bench) {
		b.apply(web("shop/web:1", 2))
		b.rolledOut(2)
		lost := b.on("node-1")[0].Name
		b.must(b.server.LoseNode(b.ctx, "i-00000000000000001"))
		b.within(time.Minute, "it is not ready", func() bool { return readiness(b.node("node-1")) == corev1.ConditionUnknown })
		b.within(time.Minute, "it is gone", func() bool {
			_, err := b.client.CoreV1().Nodes().Get(b.ctx, "node-1", metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
		b.within(2*time.Minute, "its pod is gone", func() bool {
			_, err := b.client.CoreV1().Pods("default").Get(b.ctx, lost, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
		b.rolledOut(2)
		b.join(1) // the name is free again
		if readiness(b.node("node-1")) != corev1.ConditionTrue {
			b.Error("a node of the name is not ready")
		}
	})
}

func TestThePodsOfASilentNodeAreReplacedAfterAWhile(t *testing.T) {
	inCluster(t, 2, func(b *bench) {
		b.apply(web("shop/web:1", 2))
		b.rolledOut(2)
		b.must(b.server.SilenceNode(b.ctx, "node-1"))
		b.wait(2 * time.Minute)
		if d := b.deployment(); d.Status.AvailableReplicas != 1 {
			b.Errorf("%d are available on one node of two", d.Status.AvailableReplicas)
		}
		b.within(6*time.Minute, "two are on the other node", func() bool { return len(b.on("node-2")) == 2 })
		for _, p := range b.on("node-1") {
			if p.DeletionTimestamp == nil {
				b.Errorf("%s is not being deleted", p.Name)
			}
		}
		// Whoever deletes the node lets its pods go.
		b.must(b.client.CoreV1().Nodes().Delete(b.ctx, "node-1", metav1.DeleteOptions{}))
		b.within(2*time.Minute, "the pods of the deleted node are gone", func() bool { return len(b.on("node-1")) == 0 })
	})
}

func TestAPodSaysWhyNoNodeTakesIt(t *testing.T) {
	inCluster(t, 3, func(b *bench) {
		for _, test := range []struct {
			name  string
			spec  func(*corev1.PodSpec)
			wants string
		}{
			{"cpu", func(s *corev1.PodSpec) {
				s.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": quantity("8")}
			},
				"0/3 nodes are available: 3 Insufficient cpu."},
			{"memory", func(s *corev1.PodSpec) {
				s.Containers[0].Resources.Requests = corev1.ResourceList{"memory": quantity("1Ti")}
			},
				"0/3 nodes are available: 3 Insufficient memory."},
			{"selector", func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"disk": "ssd"} },
				"0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."},
			{"claim", func(s *corev1.PodSpec) {
				s.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
			}, `0/3 nodes are available: persistentvolumeclaim "data" not found.`},
		} {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: test.name},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i:1"}}}}
			test.spec(&p.Spec)
			_, err := b.client.CoreV1().Pods("default").Create(b.ctx, p, metav1.CreateOptions{})
			b.must(err)
			b.wait(5 * time.Second)
			p, err = b.client.CoreV1().Pods("default").Get(b.ctx, test.name, metav1.GetOptions{})
			b.must(err)
			c := p.Status.Conditions[0]
			if c.Reason != corev1.PodReasonUnschedulable || !strings.HasPrefix(c.Message, test.wants) {
				b.Errorf("%s: %s: %s", test.name, c.Reason, c.Message)
			}
		}
		list, err := b.client.CoreV1().Events("default").List(b.ctx, metav1.ListOptions{
			FieldSelector: "involvedObject.name=cpu,reason=FailedScheduling"})
		b.must(err)
		if len(list.Items) != 1 || list.Items[0].Type != corev1.EventTypeWarning {
			b.Errorf("the events are %+v", list.Items)
		}
	})
}

func TestPodsSpreadOverZonesAndNodes(t *testing.T) {
	inCluster(t, 6, func(b *bench) {
		b.apply(web("shop/web:1", 6))
		b.rolledOut(6)
		for n := range 6 {
			if count := len(b.on(fmt.Sprintf("node-%d", n+1))); count != 1 {
				b.Errorf("%d pods are on node %d", count, n+1)
			}
		}
	})
}
