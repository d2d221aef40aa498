package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"
)

// A node on which a service's tasks fail again and again is taken last.
const (
	failuresMax  = 5
	failuresPast = 5 * time.Minute
)

// A usage is what the tasks on a node take of it.
type usage struct {
	cpus, memory int64
	tasks        int
	byService    map[string]int
	hostPorts    map[portKey]bool
}

// usages counts what tasks take of the nodes.
func (c *Cluster) usages() map[string]*usage {
	out := map[string]*usage{}
	for id := range c.nodes {
		out[id] = &usage{byService: map[string]int{}, hostPorts: map[portKey]bool{}}
	}
	for _, t := range c.tasks {
		if u, ok := out[t.NodeID]; ok && t.active() {
			u.add(t)
		}
	}
	return out
}

func (u *usage) add(t *task) {
	if r := reserved(t); r != nil {
		u.cpus, u.memory = u.cpus+r.NanoCPUs, u.memory+r.MemoryBytes
	}
	if t.wanted() {
		u.tasks++
		u.byService[t.ServiceID]++
	}
	for _, p := range portsOf(t.Endpoint) {
		if p.PublishMode == swarm.PortConfigPublishModeHost && p.PublishedPort != 0 {
			u.hostPorts[keyOf(p)] = true
		}
	}
}

func reserved(t *task) *swarm.Resources {
	if t.Spec.Resources == nil {
		return nil
	}
	return t.Spec.Resources.Reservations
}

// The reasons why a node does not take a task, in the order in which they are looked
// for, with how they are told of one node and of more.
var reasons = []struct{ one, more string }{
	{"1 node not available for new tasks", "%d nodes not available for new tasks"},
	{"insufficient resources on 1 node", "insufficient resources on %d nodes"},
	{"scheduling constraints not satisfied on 1 node", "scheduling constraints not satisfied on %d nodes"},
	{"unsupported platform on 1 node", "unsupported platform on %d nodes"},
	{"host-mode port already in use on 1 node", "host-mode port already in use on %d nodes"},
	{"max replicas per node limit exceed", "max replicas per node limit exceed"},
}

// suits returns the first reason why a node does not take a task; none is -1.
func suits(t *task, n *node, u *usage) int {
	placement := t.Spec.Placement
	r := reserved(t)
	switch {
	case !n.takes():
		return 0
	case r != nil && (u.cpus+r.NanoCPUs > n.Description.Resources.NanoCPUs || u.memory+r.MemoryBytes > n.Description.Resources.MemoryBytes):
		return 1
	case !admits(placement, n):
		return 2
	case placement != nil && !onPlatform(placement.Platforms, n):
		return 3
	case slices.ContainsFunc(portsOf(t.Endpoint), func(p swarm.PortConfig) bool {
		return p.PublishMode == swarm.PortConfigPublishModeHost && p.PublishedPort != 0 && u.hostPorts[keyOf(p)]
	}):
		return 4
	case placement != nil && placement.MaxReplicas > 0 && uint64(u.byService[t.ServiceID]) >= placement.MaxReplicas:
		return 5
	}
	return -1
}

func onPlatform(asked []swarm.Platform, n *node) bool {
	return len(asked) == 0 || slices.ContainsFunc(asked, func(p swarm.Platform) bool {
		return (p.OS == "" || p.OS == n.Description.Platform.OS) &&
			(p.Architecture == "" || architecture(p.Architecture) == architecture(n.Description.Platform.Architecture))
	})
}

func architecture(name string) string {
	switch name {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return name
}

// schedule gives each task that has none a node, and lets nodes take tasks that were
// made for them.
func (c *Cluster) schedule() {
	var waiting []*task
	for _, t := range c.tasks {
		if t.Status.State == swarm.TaskStatePending && t.wanted() {
			waiting = append(waiting, t)
		}
	}
	if len(waiting) == 0 {
		return
	}
	slices.SortFunc(waiting, older)
	uses := c.usages()
	for _, t := range waiting {
		if t.NodeID != "" {
			c.confirm(t, uses)
			continue
		}
		c.place(t, uses)
	}
}

// confirm lets a node take the task that was made for it.
func (c *Cluster) confirm(t *task, uses map[string]*usage) {
	n, ok := c.nodes[t.NodeID]
	if !ok {
		return
	}
	if why := suits(t, n, uses[n.ID]); why >= 0 {
		c.refuse(t, reasons[why].one)
		return
	}
	c.assign(t, n, uses, "scheduler confirmed task can run on preassigned node")
}

func (c *Cluster) place(t *task, uses map[string]*usage) {
	var open []*node
	counts := make([]int, len(reasons))
	for _, id := range sortedKeys(c.nodes) {
		if why := suits(t, c.nodes[id], uses[id]); why >= 0 {
			counts[why]++
			continue
		}
		open = append(open, c.nodes[id])
	}
	if len(open) == 0 {
		c.refuse(t, "no suitable node"+explain(counts))
		return
	}
	c.assign(t, c.best(t, open, uses), uses, "scheduler assigned task to node")
}

// explain tells why no node takes a task, the reason of most nodes first.
func explain(counts []int) string {
	var parts []int
	for why, n := range counts {
		if n > 0 {
			parts = append(parts, why)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	slices.SortStableFunc(parts, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
	var told []string
	for _, why := range parts {
		if counts[why] == 1 || !strings.Contains(reasons[why].more, "%d") {
			told = append(told, reasons[why].one)
		} else {
			told = append(told, fmt.Sprintf(reasons[why].more, counts[why]))
		}
	}
	return " (" + strings.Join(told, "; ") + ")"
}

// refuse tells why a task has no node yet.
func (c *Cluster) refuse(t *task, why string) {
	if t.Status.Err == why {
		return
	}
	t.Status.Err, t.Status.Timestamp = why, c.now()
	c.bump(&t.Meta)
	c.touch(KindTask, t.ID)
}

func (c *Cluster) assign(t *task, n *node, uses map[string]*usage, message string) {
	t.NodeID = n.ID
	c.setStatus(t, swarm.TaskStateAssigned, message, "")
	uses[n.ID].add(t)
	c.arm(t)
}

// best is the node that is taken: one on which the service does not fail again and
// again, where the preferences leave the tasks most even, with the fewest of the
// service's tasks, and the fewest of all.
func (c *Cluster) best(t *task, open []*node, uses map[string]*usage) *node {
	now := c.now()
	spread := c.spread(t, uses)
	return slices.MinFunc(open, func(a, b *node) int {
		failedA, failedB := a.countFailures(t.ServiceID, now), b.countFailures(t.ServiceID, now)
		if failedA >= failuresMax || failedB >= failuresMax {
			if by := cmp.Compare(failedA, failedB); by != 0 {
				return by
			}
		}
		if by := slices.Compare(spread(a), spread(b)); by != 0 {
			return by
		}
		return cmp.Or(cmp.Compare(uses[a.ID].byService[t.ServiceID], uses[b.ID].byService[t.ServiceID]),
			cmp.Compare(uses[a.ID].tasks, uses[b.ID].tasks), cmp.Compare(a.Version.Index, b.Version.Index), cmp.Compare(a.ID, b.ID))
	})
}

// spread returns what says how many of the service's tasks there are around a node, for
// each preference one number.
func (c *Cluster) spread(t *task, uses map[string]*usage) func(*node) []int {
	if t.Spec.Placement == nil || len(t.Spec.Placement.Preferences) == 0 {
		return func(*node) []int { return nil }
	}
	counts := map[string]int{}
	branches := func(n *node) (out []string) {
		branch := ""
		for _, p := range t.Spec.Placement.Preferences {
			if p.Spread == nil {
				continue
			}
			value, _ := describe(n, p.Spread.SpreadDescriptor)
			branch += "\x00" + value
			out = append(out, branch)
		}
		return out
	}
	for _, n := range c.nodes {
		for _, b := range branches(n) {
			counts[b] += uses[n.ID].byService[t.ServiceID]
		}
	}
	return func(n *node) (out []int) {
		for _, b := range branches(n) {
			out = append(out, counts[b])
		}
		return out
	}
}

func (n *node) failed(serviceID string, at time.Time) {
	if n.failures == nil {
		n.failures = map[string][]time.Time{}
	}
	past := n.failures[serviceID]
	n.failures[serviceID] = append(past[max(0, len(past)-failuresMax):], at)
}

func (n *node) countFailures(serviceID string, now time.Time) (count int) {
	for _, at := range n.failures[serviceID] {
		if now.Sub(at) < failuresPast {
			count++
		}
	}
	return count
}
