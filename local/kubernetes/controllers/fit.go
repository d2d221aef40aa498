package controllers

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"portolan/local/kubernetes/kinds"
)

// refuses says why a node does not take a pod, and whether it would not even without
// its other pods. The filters are asked in the scheduler's order, and the first that
// refuses is the one that counts.
func (at *place) refuses(p *corev1.Pod) (reasons []string, final bool) {
	unschedulable := &corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	if at.node.Spec.Unschedulable && !kinds.Tolerates(p.Spec.Tolerations, unschedulable) {
		return []string{"node(s) were unschedulable"}, true
	}
	if taint := untolerated(at.node, p.Spec.Tolerations); taint != nil {
		if taint.Value == "" {
			return []string{fmt.Sprintf("node(s) had untolerated taint {%s}", taint.Key)}, true
		}
		return []string{fmt.Sprintf("node(s) had untolerated taint {%s: %s}", taint.Key, taint.Value)}, true
	}
	if !wants(p, at.node) {
		return []string{"node(s) didn't match Pod's node affinity/selector"}, true
	}
	if at.portTaken(p) {
		return []string{"node(s) didn't have free ports for the requested pod ports"}, false
	}
	return at.lacks(p)
}

func untolerated(n *corev1.Node, tolerations []corev1.Toleration) *corev1.Taint {
	for i := range n.Spec.Taints {
		taint := &n.Spec.Taints[i]
		if taint.Effect != corev1.TaintEffectPreferNoSchedule && !kinds.Tolerates(tolerations, taint) {
			return taint
		}
	}
	return nil
}

// lacks says what a node has too little of.
func (at *place) lacks(p *corev1.Pod) (reasons []string, final bool) {
	cpu, memory := requests(p)
	if at.slots < 1 {
		reasons = append(reasons, "Too many pods")
	}
	if cpu > 0 && cpu > at.cpu {
		reasons = append(reasons, "Insufficient cpu")
		final = final || cpu > at.node.Status.Allocatable.Cpu().MilliValue()
	}
	if memory > 0 && memory > at.memory {
		reasons = append(reasons, "Insufficient memory")
		final = final || memory > at.node.Status.Allocatable.Memory().Value()
	}
	return reasons, final
}

func (at *place) portTaken(p *corev1.Pod) bool {
	taken := map[int32]bool{}
	each := func(p *corev1.Pod, fn func(port int32)) {
		for _, c := range p.Spec.Containers {
			for _, port := range c.Ports {
				if port.HostPort != 0 {
					fn(port.HostPort)
				}
			}
		}
	}
	for _, other := range at.pods {
		each(other, func(port int32) { taken[port] = true })
	}
	clash := false
	each(p, func(port int32) { clash = clash || taken[port] })
	return clash
}

// wants says whether a pod's node selector and the node affinity that it requires
// admit a node.
func wants(p *corev1.Pod, n *corev1.Node) bool {
	if !containsAll(n.Labels, p.Spec.NodeSelector) {
		return false
	}
	if p.Spec.Affinity == nil || p.Spec.Affinity.NodeAffinity == nil {
		return true
	}
	required := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return true
	}
	return slices.ContainsFunc(required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool { return admits(t, n) })
}

func admits(term corev1.NodeSelectorTerm, n *corev1.Node) bool {
	if len(term.MatchExpressions)+len(term.MatchFields) == 0 {
		return false
	}
	for _, e := range term.MatchExpressions {
		if value, ok := n.Labels[e.Key]; !fulfils(e, value, ok) {
			return false
		}
	}
	for _, e := range term.MatchFields {
		if e.Key != metav1.ObjectNameField || !fulfils(e, n.Name, true) {
			return false
		}
	}
	return true
}

func fulfils(e corev1.NodeSelectorRequirement, value string, has bool) bool {
	switch e.Operator {
	case corev1.NodeSelectorOpIn:
		return has && slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !has || !slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpExists:
		return has
	case corev1.NodeSelectorOpDoesNotExist:
		return !has
	}
	is, err := strconv.Atoi(value)
	if err != nil || len(e.Values) != 1 {
		return false
	}
	than, err := strconv.Atoi(e.Values[0])
	if e.Operator == corev1.NodeSelectorOpGt {
		return err == nil && is > than
	}
	return err == nil && is < than
}

// refusesBySpread says whether a pod would come too near to others of its kind.
func (r *room) refusesBySpread(p *corev1.Pod, at *place) (reasons []string, final bool) {
	for _, constraint := range p.Spec.TopologySpreadConstraints {
		if constraint.WhenUnsatisfiable != corev1.DoNotSchedule {
			continue
		}
		here, ok := at.node.Labels[constraint.TopologyKey]
		if !ok {
			return []string{"node(s) didn't match pod topology spread constraints (missing required label)"}, true
		}
		counts := r.spread(p, constraint.TopologyKey, constraint.LabelSelector)
		fewest := counts[here]
		for _, n := range counts {
			fewest = min(fewest, n)
		}
		if counts[here]+1-fewest > int(constraint.MaxSkew) {
			return []string{"node(s) didn't match pod topology spread constraints"}, false
		}
	}
	if p.Spec.Affinity != nil && p.Spec.Affinity.PodAntiAffinity != nil {
		for _, term := range p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			if here := at.node.Labels[term.TopologyKey]; r.spread(p, term.TopologyKey, term.LabelSelector)[here] > 0 {
				return []string{"node(s) didn't match pod anti-affinity rules"}, false
			}
		}
	}
	return nil, false
}

// spread counts the pods of a pod's namespace that a selector matches by the values of
// a label of their nodes, of the nodes that the pod wants.
func (r *room) spread(p *corev1.Pod, key string, selector *metav1.LabelSelector) map[string]int {
	counts := map[string]int{}
	s, err := metav1.LabelSelectorAsSelector(selector)
	for _, at := range r.nodes {
		value, ok := at.node.Labels[key]
		if !ok || err != nil || !wants(p, at.node) {
			continue
		}
		counts[value] += 0
		for _, other := range at.pods {
			if other.Namespace == p.Namespace && other.DeletionTimestamp == nil && s.Matches(labels.Set(other.Labels)) {
				counts[value]++
			}
		}
	}
	return counts
}

// A score tells how well a node suits a pod. Less of each is better, the first first.
type score struct {
	dislike       int // what the pod would rather avoid
	alike, zone   int // pods of the same owner on the node, and in its zone
	used          float64
	pods          int
	notPreferable int // taints that ask to stay away
}

func (s score) better(than score) bool {
	for _, pair := range [][2]float64{{float64(s.dislike), float64(than.dislike)}, {float64(s.notPreferable), float64(than.notPreferable)},
		{float64(s.alike), float64(than.alike)}, {float64(s.zone), float64(than.zone)}, {s.used, than.used},
		{float64(s.pods), float64(than.pods)}} {
		if pair[0] != pair[1] {
			return pair[0] < pair[1]
		}
	}
	return false
}

// kin counts the pods of a pod's owner by node and by zone.
type kin struct{ onNode, inZone map[string]int }

func (r *room) kinOf(p *corev1.Pod) kin {
	k := kin{map[string]int{}, map[string]int{}}
	owner := metav1.GetControllerOf(p)
	if owner == nil {
		return k
	}
	for _, at := range r.nodes {
		for _, other := range at.pods {
			if controlledBy(other, owner.UID) {
				k.onNode[at.node.Name]++
				k.inZone[at.node.Labels[corev1.LabelTopologyZone]]++
			}
		}
	}
	return k
}

func (r *room) score(p *corev1.Pod, at *place, k kin) score {
	s := score{pods: len(at.pods), used: at.used(), dislike: r.dislike(p, at), alike: k.onNode[at.node.Name],
		zone: k.inZone[at.node.Labels[corev1.LabelTopologyZone]]}
	for i := range at.node.Spec.Taints {
		taint := &at.node.Spec.Taints[i]
		if taint.Effect == corev1.TaintEffectPreferNoSchedule && !kinds.Tolerates(p.Spec.Tolerations, taint) {
			s.notPreferable++
		}
	}
	return s
}

// used is how much of a node's processors and memory is requested, in parts of each.
func (at *place) used() float64 {
	total := 0.0
	if cpu := at.node.Status.Allocatable.Cpu().MilliValue(); cpu > 0 {
		total += 1 - float64(at.cpu)/float64(cpu)
	}
	if memory := at.node.Status.Allocatable.Memory().Value(); memory > 0 {
		total += 1 - float64(at.memory)/float64(memory)
	}
	return total
}

// dislike is the weight of what a pod prefers and does not find on a node.
func (r *room) dislike(p *corev1.Pod, at *place) (weight int) {
	for _, constraint := range p.Spec.TopologySpreadConstraints {
		if constraint.WhenUnsatisfiable == corev1.ScheduleAnyway {
			weight += r.spread(p, constraint.TopologyKey, constraint.LabelSelector)[at.node.Labels[constraint.TopologyKey]]
		}
	}
	if p.Spec.Affinity == nil {
		return weight
	}
	if affinity := p.Spec.Affinity.NodeAffinity; affinity != nil {
		for _, preferred := range affinity.PreferredDuringSchedulingIgnoredDuringExecution {
			if !admits(preferred.Preference, at.node) {
				weight += int(preferred.Weight)
			}
		}
	}
	if affinity := p.Spec.Affinity.PodAntiAffinity; affinity != nil {
		for _, preferred := range affinity.PreferredDuringSchedulingIgnoredDuringExecution {
			term := preferred.PodAffinityTerm
			weight += int(preferred.Weight) * r.spread(p, term.TopologyKey, term.LabelSelector)[at.node.Labels[term.TopologyKey]]
		}
	}
	return weight
}
