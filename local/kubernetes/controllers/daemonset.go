package controllers

import (
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

var daemonSetKind = appsv1.SchemeGroupVersion.WithKind("DaemonSet")

// A daemonLook is one look at a daemon set.
type daemonLook struct {
	*Controllers
	tx     *store.Tx
	set    *appsv1.DaemonSet
	sum    string // of the template of now
	status appsv1.DaemonSetStatus

	replaceable []*corev1.Pod // old pods that still serve, one for each node
}

// daemonSet brings a pod of a daemon set to each node that it is for, and replaces old
// pods as many at a time as may be. With no name, it looks at all daemon sets.
func (c *Controllers) daemonSet(tx *store.Tx, namespace, name string) {
	if name == "" {
		for _, d := range store.Find[*appsv1.DaemonSet](tx, "daemonsets", "", nil) {
			c.wake("daemonset", d.Namespace, d.Name, 0)
		}
		return
	}
	set, ok := store.Get[*appsv1.DaemonSet](tx, "daemonsets", namespace, name)
	if !ok || set.DeletionTimestamp != nil {
		return
	}
	l := &daemonLook{Controllers: c, tx: tx, set: set, sum: hash(&set.Spec.Template, set.Status.CollisionCount),
		status: appsv1.DaemonSetStatus{ObservedGeneration: set.Generation, CollisionCount: set.Status.CollisionCount}}
	on := map[string][]*corev1.Pod{}
	for _, p := range claimed[*corev1.Pod](tx, "pods", set, daemonSetKind, set.Spec.Selector) {
		if p.Status.Phase == corev1.PodFailed && p.DeletionTimestamp == nil {
			c.remove(tx, "pods", p)
			continue
		}
		on[target(p)] = append(on[target(p)], p)
	}
	for _, n := range store.Find[*corev1.Node](tx, "nodes", "", nil) {
		l.node(n, on[n.Name])
	}
	l.replace()
	l.status.NumberUnavailable = max(0, l.status.DesiredNumberScheduled-l.status.NumberAvailable)
	edit(tx, "daemonsets", set, func(d *appsv1.DaemonSet) { d.Status = l.status })
}

// target is the node that a daemon's pod is for.
func target(p *corev1.Pod) string {
	if p.Spec.NodeName != "" || p.Spec.Affinity == nil || p.Spec.Affinity.NodeAffinity == nil {
		return p.Spec.NodeName
	}
	required := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil || len(required.NodeSelectorTerms) == 0 || len(required.NodeSelectorTerms[0].MatchFields) == 0 {
		return ""
	}
	return required.NodeSelectorTerms[0].MatchFields[0].Values[0]
}

// pod is a pod of the set for a node.
func (l *daemonLook) pod(node string) *corev1.Pod {
	p := podOf(&l.set.Spec.Template, l.set, daemonSetKind, l.tx.FreeName("pods", l.set.Namespace, l.set.Name+"-"))
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] = l.sum
	p.Labels["pod-template-generation"] = strconv.FormatInt(l.set.Generation, 10)
	orDefault(&p.Spec.Affinity)
	orDefault(&p.Spec.Affinity.NodeAffinity)
	here := corev1.NodeSelectorRequirement{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}
	orDefault(&p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
	required := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if len(required.NodeSelectorTerms) == 0 {
		required.NodeSelectorTerms = []corev1.NodeSelectorTerm{{}}
	}
	for i := range required.NodeSelectorTerms {
		required.NodeSelectorTerms[i].MatchFields = []corev1.NodeSelectorRequirement{here}
	}
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists,
			Effect: corev1.TaintEffectNoExecute})
	}
	for _, key := range []string{corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure, corev1.TaintNodePIDPressure,
		corev1.TaintNodeUnschedulable} {
		p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists,
			Effect: corev1.TaintEffectNoSchedule})
	}
	return p
}

func orDefault[T any](p **T) {
	if *p == nil {
		*p = new(T)
	}
}

// node looks at one node: there it starts a pod that is missing, and ends those that
// are too many.
func (l *daemonLook) node(n *corev1.Node, pods []*corev1.Pod) {
	wanted := l.pod(n.Name)
	here := untolerated(n, wanted.Spec.Tolerations) == nil && wants(wanted, n)
	var old, now []*corev1.Pod
	for _, p := range pods {
		switch {
		case p.DeletionTimestamp != nil:
		case p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == l.sum:
			now = append(now, p)
		default:
			old = append(old, p)
		}
	}
	if !here {
		l.leave(append(old, now...))
		return
	}
	l.status.DesiredNumberScheduled++
	if len(pods) == 0 {
		if made, ok := create(l.tx, "pods", wanted); ok {
			l.say(l.tx, "daemonsets", l.set, "daemonset-controller", "SuccessfulCreate", "Created pod: %s", made.Name)
			now = append(now, made)
		}
	}
	if len(old)+len(now) > 0 {
		l.status.CurrentNumberScheduled++
	}
	l.count(old, now)
	switch {
	case len(old) == 0:
	case len(now) > 0 && l.isAvailable(now[0]), len(now) == 0 && !l.isAvailable(old[0]) && l.rolling():
		l.end(old[0]) // it is replaced, or it is of no use
	case len(now) == 0:
		l.replaceable = append(l.replaceable, old[0])
	}
}

// leave ends the pods on a node that they are not for any more. A daemon that runs on a
// node with a new taint that only keeps pods from coming may stay.
func (l *daemonLook) leave(pods []*corev1.Pod) {
	for _, p := range pods {
		n, ok := store.Get[*corev1.Node](l.tx, "nodes", "", target(p))
		if ok && p.Spec.NodeName != "" && wants(p, n) && !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
			return t.Effect == corev1.TaintEffectNoExecute && !kinds.Tolerates(p.Spec.Tolerations, &t)
		}) {
			l.status.NumberMisscheduled++
			continue
		}
		l.end(p)
	}
}

func (l *daemonLook) end(p *corev1.Pod) {
	l.remove(l.tx, "pods", p)
	l.say(l.tx, "daemonsets", l.set, "daemonset-controller", "SuccessfulDelete", "Deleted pod: %s", p.Name)
}

func (l *daemonLook) isAvailable(p *corev1.Pod) bool {
	is, left := available(p, l.set.Spec.MinReadySeconds, l.now())
	if !is && left > 0 {
		l.wake("daemonset", l.set.Namespace, l.set.Name, left)
	}
	return is
}

func (l *daemonLook) count(old, now []*corev1.Pod) {
	if len(now) > 0 {
		l.status.UpdatedNumberScheduled++
	}
	both := append(slices.Clone(old), now...)
	if slices.ContainsFunc(both, ready) {
		l.status.NumberReady++
	}
	if slices.ContainsFunc(both, l.isAvailable) {
		l.status.NumberAvailable++
	}
}

func (l *daemonLook) rolling() bool {
	return l.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType
}

// replace takes old pods away that serve still, as many as may be unavailable; or
// starts new ones beside them, as many as there may be more.
func (l *daemonLook) replace() {
	if !l.rolling() {
		return
	}
	u := l.set.Spec.UpdateStrategy.RollingUpdate
	desired := l.status.DesiredNumberScheduled
	if surge := scaled(u.MaxSurge, desired, true); surge > 0 {
		spare := surge - (l.status.UpdatedNumberScheduled - l.onlyUpdated())
		for _, p := range l.replaceable[:max(0, min(len(l.replaceable), int(spare)))] {
			create(l.tx, "pods", l.pod(p.Spec.NodeName))
		}
		return
	}
	spare := max(1, scaled(u.MaxUnavailable, desired, true)) - (desired - l.status.NumberAvailable)
	for _, p := range l.replaceable[:max(0, min(len(l.replaceable), int(spare)))] {
		l.end(p)
	}
}

// onlyUpdated counts the nodes on which a new pod is alone.
func (l *daemonLook) onlyUpdated() (n int32) {
	pods := map[string][]*corev1.Pod{}
	for _, p := range owned[*corev1.Pod](l.tx, "pods", l.set) {
		if active(p) {
			pods[target(p)] = append(pods[target(p)], p)
		}
	}
	for _, list := range pods {
		if len(list) == 1 && list[0].Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == l.sum {
			n++
		}
	}
	return n
}
