package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

// DeadAnnotation on a node silences its kubelet. Its value is Terminated where the
// instance beneath it is gone for good.
const (
	DeadAnnotation = "testbed/dead"
	Terminated     = "terminated"
)

// How long it takes that a node is noticed to be ready, silent, and gone.
const (
	networkLow, networkHigh = 5 * time.Second, 15 * time.Second
	silentAfter             = 50 * time.Second
	goneAfter               = 5 * time.Second
	leftoversAfter          = 40 * time.Second
)

// A Registration is what a node's kubelet tells when it starts.
type Registration struct {
	Name          string // such as ip-10-0-1-23.eu-west-1.compute.internal
	EC2InstanceID string // empty where the node is no instance
	Zone          string
	InstanceType  string
	CPU           int // units, 1024 for each core
	Memory        int // MiB
	Labels        map[string]string
	Taints        []corev1.Taint
	Version       string // of the kubelet, such as v1.34.1
}

// Join adds a node. Joining again changes nothing.
func (c *Controllers) Join(tx *store.Tx, r Registration) {
	if tx.Get("nodes", "", r.Name) != nil {
		return
	}
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: r.Name, Labels: r.labels()},
		Spec: corev1.NodeSpec{Taints: slices.Clone(r.Taints)}}
	if r.EC2InstanceID != "" {
		n.Spec.ProviderID = "aws:///" + r.Zone + "/" + r.EC2InstanceID
	}
	made, ok := create(tx, "nodes", n)
	if !ok {
		return
	}
	edit(tx, "nodes", made, func(n *corev1.Node) {
		capacity := corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewMilliQuantity(int64(r.CPU)*1000/1024, resource.DecimalSI),
			corev1.ResourceMemory: *resource.NewQuantity(int64(r.Memory)<<20, resource.BinarySI),
			corev1.ResourcePods:   *resource.NewQuantity(110, resource.DecimalSI),
		}
		revision := tx.Revision()
		n.Status = corev1.NodeStatus{Capacity: capacity, Allocatable: capacity.DeepCopy(),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: internalAddress(r.Name, revision)},
				{Type: corev1.NodeHostName, Address: r.Name},
			},
			NodeInfo: corev1.NodeSystemInfo{KubeletVersion: r.Version, OperatingSystem: "linux", Architecture: "amd64",
				ContainerRuntimeVersion: "containerd://2.1.4", OSImage: "Amazon Linux 2023", MachineID: c.config.IDs.Hex(32)}}
		c.setNodeReady(n, corev1.ConditionFalse, "KubeletNotReady",
			"container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized")
	})
}

func (r Registration) labels() map[string]string {
	labels := map[string]string{corev1.LabelHostname: r.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"}
	if r.Zone != "" {
		labels[corev1.LabelTopologyZone] = r.Zone
		labels[corev1.LabelTopologyRegion] = strings.TrimRight(r.Zone, "abcdef")
	}
	if r.InstanceType != "" {
		labels[corev1.LabelInstanceTypeStable] = r.InstanceType
	}
	maps.Copy(labels, r.Labels)
	return labels
}

// internalAddress is what a name such as ip-10-0-1-23.… says, or else one of its own.
func internalAddress(name string, revision int64) string {
	host, _, _ := strings.Cut(name, ".")
	if parts := strings.Split(host, "-"); len(parts) == 5 && parts[0] == "ip" {
		return strings.Join(parts[1:], ".")
	}
	return fmt.Sprintf("192.168.%d.%d", revision>>8&255, revision&255)
}

func addressOf(n *corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// NodeOf is the node on an EC2 instance, nil where there is none.
func NodeOf(tx *store.Tx, instance string) *corev1.Node {
	found := store.Find(tx, "nodes", "", func(n *corev1.Node) bool { return strings.HasSuffix(n.Spec.ProviderID, "/"+instance) })
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// Silence makes a node's kubelet do nothing any more, for good where its instance is
// gone.
func (c *Controllers) Silence(tx *store.Tx, n *corev1.Node, why string) {
	edit(tx, "nodes", n, func(n *corev1.Node) {
		if n.Annotations == nil {
			n.Annotations = map[string]string{}
		}
		n.Annotations[DeadAnnotation] = why
	})
}

func nodeReady(n *corev1.Node) *corev1.NodeCondition {
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == corev1.NodeReady {
			return &n.Status.Conditions[i]
		}
	}
	return nil
}

func (c *Controllers) setNodeReady(n *corev1.Node, status corev1.ConditionStatus, reason, message string) {
	is := corev1.NodeCondition{Type: corev1.NodeReady, Status: status, Reason: reason, Message: message,
		LastHeartbeatTime: c.stamp(), LastTransitionTime: c.stamp()}
	was := nodeReady(n)
	switch {
	case was == nil:
		n.Status.Conditions = append(n.Status.Conditions, is)
	case was.Status == status && was.Reason == reason:
	default:
		if was.Status == status {
			is.LastTransitionTime = was.LastTransitionTime
		}
		*was = is
	}
}

// node looks after one node: a new one gets ready, a silent one is noticed after a
// while and tainted, and one whose instance is gone is removed.
func (c *Controllers) node(tx *store.Tx, _, name string) {
	n, ok := store.Get[*corev1.Node](tx, "nodes", "", name)
	if !ok {
		c.orphans(tx, name)
		return
	}
	if dead(n) {
		c.silentNode(tx, n)
		return
	}
	at := nodeReady(n)
	if at == nil || at.Status != corev1.ConditionTrue {
		key := n.UID
		l, known := c.lives[key]
		if !known {
			l = life{state: "joining", due: c.now().Add(c.config.IDs.Between(networkLow, networkHigh))}
			c.lives[key] = l
		}
		if left := l.due.Sub(c.now()); left > 0 {
			c.wake("node", "", name, left)
			return
		}
		n = edit(tx, "nodes", n, func(n *corev1.Node) {
			c.setNodeReady(n, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status")
		})
		c.say(tx, "nodes", n, "kubelet", "NodeReady", "Node %s status is now: NodeReady", name)
		c.wakePods(tx, name)
	}
	delete(c.lives, n.UID)
	c.taint(tx, n)
}

// taint writes a node's condition as taints, as the controller of nodes does.
func (c *Controllers) taint(tx *store.Tx, n *corev1.Node) {
	now := c.stamp()
	wanted := map[corev1.Taint]bool{}
	status := corev1.ConditionUnknown
	if at := nodeReady(n); at != nil {
		status = at.Status
	}
	switch status {
	case corev1.ConditionFalse:
		wanted[corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}] = true
		wanted[corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}] = true
	case corev1.ConditionUnknown:
		wanted[corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule}] = true
		wanted[corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}] = true
	}
	if n.Spec.Unschedulable {
		wanted[corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}] = true
	}
	edit(tx, "nodes", n, func(n *corev1.Node) {
		var kept []corev1.Taint
		for _, t := range n.Spec.Taints {
			plain := corev1.Taint{Key: t.Key, Effect: t.Effect}
			if managed(t.Key) && !wanted[plain] {
				continue
			}
			delete(wanted, plain)
			kept = append(kept, t)
		}
		missing := slices.SortedFunc(maps.Keys(wanted), func(a, b corev1.Taint) int {
			return strings.Compare(a.Key+string(a.Effect), b.Key+string(b.Effect))
		})
		for _, t := range missing {
			t.TimeAdded = &now
			kept = append(kept, t)
		}
		n.Spec.Taints = kept
	})
}

func managed(key string) bool {
	return key == corev1.TaintNodeNotReady || key == corev1.TaintNodeUnreachable || key == corev1.TaintNodeUnschedulable
}

// silentNode notices after a while that a kubelet tells nothing any more.
func (c *Controllers) silentNode(tx *store.Tx, n *corev1.Node) {
	at := nodeReady(n)
	if at != nil && at.Status != corev1.ConditionUnknown {
		l, known := c.lives[n.UID]
		if !known || l.state != "silent" {
			l = life{state: "silent", due: c.now().Add(silentAfter)}
			c.lives[n.UID] = l
		}
		if left := l.due.Sub(c.now()); left > 0 {
			c.wake("node", "", n.Name, left)
			return
		}
		n = edit(tx, "nodes", n, func(n *corev1.Node) {
			c.setNodeReady(n, corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status.")
		})
		c.say(tx, "nodes", n, "node-controller", "NodeNotReady", "Node %s status is now: NodeNotReady", n.Name)
		delete(c.lives, n.UID)
		c.unreadyPods(tx, n.Name)
	}
	c.taint(tx, n)
	c.wake("evict", "", n.Name, reaction)
	if n.Annotations[DeadAnnotation] != Terminated {
		return
	}
	if left := nodeReady(n).LastTransitionTime.Add(goneAfter).Sub(c.now()); left > 0 {
		c.wake("node", "", n.Name, left)
		return
	}
	c.say(tx, "nodes", n, "cloud-node-lifecycle-controller", "DeletingNode",
		"Deleting node %s because it does not exist in the cloud provider", n.Name)
	c.remove(tx, "nodes", n)
}

func podsOn(tx *store.Tx, node string) []*corev1.Pod {
	return store.Find(tx, "pods", "", func(p *corev1.Pod) bool { return p.Spec.NodeName == node })
}

func (c *Controllers) wakePods(tx *store.Tx, node string) {
	for _, p := range podsOn(tx, node) {
		c.wake("kubelet", p.Namespace, p.Name, 0)
	}
}

func (c *Controllers) unreadyPods(tx *store.Tx, node string) {
	for _, p := range podsOn(tx, node) {
		if ready(p) {
			edit(tx, "pods", p, func(p *corev1.Pod) {
				setPodCondition(p, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "NodeNotReady",
					Message: "Node is not ready", LastTransitionTime: c.stamp()})
			})
		}
	}
}

// evictTainted deletes the pods that do not tolerate what is wrong with a node, once
// they have tolerated it for as long as they do.
func (c *Controllers) evictTainted(tx *store.Tx, _, name string) {
	n, ok := store.Get[*corev1.Node](tx, "nodes", "", name)
	if !ok {
		return
	}
	for _, p := range podsOn(tx, name) {
		for _, t := range n.Spec.Taints {
			if t.Effect != corev1.TaintEffectNoExecute || !active(p) {
				continue
			}
			patience, forever := tolerated(p, &t)
			if forever || t.TimeAdded == nil {
				continue
			}
			if left := t.TimeAdded.Add(patience).Sub(c.now()); left > 0 {
				c.wake("evict", "", name, left)
				continue
			}
			c.say(tx, "pods", p, "taint-eviction-controller", "TaintManagerEviction", "Marking for deletion Pod %s/%s", p.Namespace, p.Name)
			c.remove(tx, "pods", p)
			break
		}
	}
}

func tolerated(p *corev1.Pod, taint *corev1.Taint) (patience time.Duration, forever bool) {
	for _, t := range p.Spec.Tolerations {
		if !kinds.Tolerates([]corev1.Toleration{t}, taint) {
			continue
		}
		if t.TolerationSeconds == nil {
			return 0, true
		}
		patience = max(patience, time.Duration(*t.TolerationSeconds)*time.Second)
	}
	return patience, false
}

// orphans removes the pods of a node that is gone.
func (c *Controllers) orphans(tx *store.Tx, node string) {
	for _, p := range podsOn(tx, node) {
		l, known := c.lives[p.UID]
		if !known || l.state != "orphaned" {
			l = life{state: "orphaned", due: c.now().Add(leftoversAfter)}
			c.lives[p.UID] = l
		}
		if left := l.due.Sub(c.now()); left > 0 {
			c.wake("node", "", node, left)
			continue
		}
		gone := edit(tx, "pods", p, func(p *corev1.Pod) {
			if !ended(p) {
				p.Status.Phase = corev1.PodFailed
			}
		})
		zero := int64(0)
		kindOf("pods").Delete(tx, gone, c.now(), metav1.DeleteOptions{GracePeriodSeconds: &zero})
	}
}
