package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"portolan/local/kubernetes/store"
)

// schedule puts each pod that runs nowhere on the node that suits it best, the oldest
// first, and says of the others why no node does.
func (c *Controllers) schedule(tx *store.Tx, _, _ string) {
	var waiting []*corev1.Pod
	room := newRoom(store.Find[*corev1.Node](tx, "nodes", "", nil))
	for _, p := range store.Find[*corev1.Pod](tx, "pods", "", nil) {
		switch {
		case p.Spec.NodeName != "" && !ended(p):
			room.take(p)
		case p.Spec.NodeName == "" && p.DeletionTimestamp == nil:
			waiting = append(waiting, p)
		}
	}
	slices.SortStableFunc(waiting, func(a, b *corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for _, p := range waiting {
		if refusal := c.claimsMissing(tx, p, len(room.nodes)); refusal != "" {
			c.unschedulable(tx, p, refusal)
			continue
		}
		best, refusal := room.place(p)
		if best == "" {
			c.unschedulable(tx, p, refusal)
			continue
		}
		bound := edit(tx, "pods", p, func(p *corev1.Pod) {
			p.Spec.NodeName = best
			setPodCondition(p, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: c.stamp()})
		})
		room.take(bound)
		c.say(tx, "pods", p, "default-scheduler", "Scheduled", "Successfully assigned %s/%s to %s", p.Namespace, p.Name, best)
	}
}

func (c *Controllers) unschedulable(tx *store.Tx, p *corev1.Pod, why string) {
	is := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
		Message: why, LastTransitionTime: c.stamp()}
	if was := condition(p, corev1.PodScheduled); was != nil && was.Status == is.Status && was.Message == is.Message {
		return
	}
	edit(tx, "pods", p, func(p *corev1.Pod) { setPodCondition(p, is) })
	c.say(tx, "pods", p, "default-scheduler", "FailedScheduling", "%s", why)
}

// setPodCondition sets a condition, and keeps since when where its status stays.
func setPodCondition(p *corev1.Pod, is corev1.PodCondition) {
	if was := condition(p, is.Type); was != nil {
		if was.Status == is.Status {
			is.LastTransitionTime = was.LastTransitionTime
		}
		*was = is
		return
	}
	p.Status.Conditions = append(p.Status.Conditions, is)
}

// A room is what the nodes have left.
type room struct {
	nodes []*place
}

// A place is one node and what is on it.
type place struct {
	node        *corev1.Node
	cpu, memory int64 // that are left, in millicores and bytes
	slots       int64
	pods        []*corev1.Pod
}

func newRoom(nodes []*corev1.Node) *room {
	r := &room{}
	for _, n := range nodes {
		a := n.Status.Allocatable
		r.nodes = append(r.nodes, &place{node: n, cpu: a.Cpu().MilliValue(), memory: a.Memory().Value(), slots: a.Pods().Value()})
	}
	return r
}

// requests are what a pod wants to have for itself.
func requests(p *corev1.Pod) (cpu, memory int64) {
	for _, c := range p.Spec.Containers {
		cpu += c.Resources.Requests.Cpu().MilliValue()
		memory += c.Resources.Requests.Memory().Value()
	}
	for _, c := range p.Spec.InitContainers {
		cpu = max(cpu, c.Resources.Requests.Cpu().MilliValue())
		memory = max(memory, c.Resources.Requests.Memory().Value())
	}
	return cpu, memory
}

func (r *room) take(p *corev1.Pod) {
	cpu, memory := requests(p)
	for _, at := range r.nodes {
		if at.node.Name == p.Spec.NodeName {
			at.cpu, at.memory, at.slots = at.cpu-cpu, at.memory-memory, at.slots-1
			at.pods = append(at.pods, p)
		}
	}
}

// place is the node that suits a pod best, or a sentence that tells why none does.
func (r *room) place(p *corev1.Pod) (node, refusal string) {
	if len(r.nodes) == 0 {
		return "", "no nodes available to schedule pods"
	}
	reasons := map[string]int{}
	helpless := 0 // nodes on which it would not help to remove other pods
	var best *place
	var most score
	kin := r.kinOf(p)
	for _, at := range r.nodes {
		why, final := at.refuses(p)
		if len(why) == 0 {
			why, final = r.refusesBySpread(p, at)
		}
		for _, reason := range why {
			reasons[reason]++
		}
		if final {
			helpless++
		}
		if len(why) > 0 {
			continue
		}
		if s := r.score(p, at, kin); best == nil || s.better(most) {
			best, most = at, s
		}
	}
	if best != nil {
		return best.node.Name, ""
	}
	return "", explain(len(r.nodes), reasons, helpless)
}

// explain says in the scheduler's words why no node takes a pod.
func explain(nodes int, reasons map[string]int, helpless int) string {
	list := func(counts map[string]int) string {
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(counts)) {
			parts = append(parts, fmt.Sprintf("%d %s", counts[reason], reason))
		}
		slices.Sort(parts)
		return strings.Join(parts, ", ")
	}
	preemption := map[string]int{}
	if helpless > 0 {
		preemption["Preemption is not helpful for scheduling"] = helpless
	}
	if nodes > helpless {
		preemption["No preemption victims found for incoming pod"] = nodes - helpless
	}
	return fmt.Sprintf("0/%d nodes are available: %s. preemption: 0/%d nodes are available: %s.",
		nodes, list(reasons), nodes, list(preemption))
}
