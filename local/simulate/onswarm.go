package simulate

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// Marks that Portolan makes on what is its own, which are part of what it promises.
const (
	instanceOfNode   = "portolan.instance"
	serviceInSwarm   = "portolan.service"
	releaseInSwarm   = "portolan.release"
	removedFromThere = "portolan.removing"
)

// changesSwarm says whether a call changes a swarm or an engine.
func (c *call) changesSwarm() bool {
	return c.engine != nil && c.engine.Method != http.MethodGet && c.engine.Method != http.MethodHead
}

// swarmChange reads a call that changes a service of a swarm.
func (c *call) swarmChange() (change, bool) {
	if c.engine == nil || c.engine.Method != http.MethodPost {
		return change{}, false
	}
	path := c.enginePath()
	if len(path) < 2 || path[0] != "services" || path[len(path)-1] != "create" && path[len(path)-1] != "update" {
		return change{}, false
	}
	var spec swarm.ServiceSpec
	if json.Unmarshal(c.engine.Body, &spec) != nil || spec.Labels[removedFromThere] != "" {
		return change{}, false
	}
	out := change{service: spec.Labels[serviceInSwarm]}
	if replicated := spec.Mode.Replicated; replicated != nil && replicated.Replicas != nil {
		count := int(*replicated.Replicas)
		out.replicas = &count
	}
	return out, true
}

// intendedInSwarm checks that what is made of a service is made for one that the table has.
func intendedInSwarm(o *oracle, c *call) {
	change, ok := c.swarmChange()
	if !ok {
		return
	}
	v, err := o.w.store.Service(o.ctx(), c.cluster, change.service)
	if err != nil || v.Status == contract.ServiceRetired {
		o.broken(4, "service %q is changed on %s, which the table does not know as intended", change.service, c.cluster)
	}
}

// runningInSwarm is a service as its swarm has it.
func (o *oracle) runningInSwarm(cluster, name string) running {
	s, err := o.w.dockerSwarm(cluster).service(name)
	if err != nil || s.Spec.Labels[serviceInSwarm] != name {
		return running{}
	}
	seen := running{found: true, release: s.Spec.Labels[releaseInSwarm], image: s.Spec.TaskTemplate.ContainerSpec.Image}
	if replicated := s.Spec.Mode.Replicated; replicated != nil && replicated.Replicas != nil {
		seen.desired = int(*replicated.Replicas)
	}
	return seen
}

// members count the managers that have a vote.
type members struct{ count, reachable int }

func (m members) majority() bool { return m.reachable > m.count/2 }

// membersOf counts managers, but for one.
func membersOf(nodes []swarm.Node, but ...string) (m members) {
	for _, n := range nodes {
		if n.ManagerStatus == nil || slices.Contains(but, n.ID) {
			continue
		}
		m.count++
		if n.ManagerStatus.Reachability == swarm.ReachabilityReachable {
			m.reachable++
		}
	}
	return m
}

// leavesSwarm checks that a node leaves only when it is empty and no manager, and that a
// manager becomes none only when it is empty, and the others keep a majority.
func leavesSwarm(o *oracle, c *call) {
	if !c.changesSwarm() {
		return
	}
	path := c.enginePath()
	if len(path) < 2 || path[0] != "nodes" {
		return
	}
	s := o.w.dockerSwarm(c.cluster)
	nodes := s.nodes()
	at := slices.IndexFunc(nodes, func(n swarm.Node) bool { return n.ID == path[1] })
	if at < 0 {
		return
	}
	var wish swarm.NodeSpec
	_ = json.Unmarshal(c.engine.Body, &wish) // what it cannot read wishes nothing
	n := nodes[at]
	switch {
	case c.engine.Method == http.MethodDelete:
		o.emptyNode(s, c.cluster, n, "is removed")
		if n.ManagerStatus != nil {
			o.broken(5, "node %s of %s is removed while it is a manager", n.ID, c.cluster)
		}
	case n.Spec.Role == swarm.NodeRoleManager && wish.Role == swarm.NodeRoleWorker:
		o.emptyNode(s, c.cluster, n, "is demoted")
		if now, then := membersOf(nodes), membersOf(nodes, n.ID); !now.majority() || !then.majority() {
			o.broken(5, "manager %s of %s is demoted, of %+v, and %+v are left", n.ID, c.cluster, now, then)
		}
	}
}

// emptyNode checks that a node which is up takes no tasks and has none.
func (o *oracle) emptyNode(s dockerSwarm, cluster string, n swarm.Node, what string) {
	if n.Status.State != swarm.NodeStateReady || o.retiring(cluster) {
		return
	}
	if n.Spec.Availability == swarm.NodeAvailabilityActive {
		o.broken(5, "node %s of %s %s while it takes tasks", n.ID, cluster, what)
	} else if left := s.tasksOn(n.ID); len(left) > 0 {
		o.broken(5, "node %s of %s %s with %d tasks", n.ID, cluster, what, len(left))
	}
}

// emptyInSwarm checks that an instance which is about to end is no node of the swarm any
// more, or one that is down.
func (o *oracle) emptyInSwarm(cluster, instance string) {
	if o.retiring(cluster) {
		return
	}
	for _, n := range o.w.dockerSwarm(cluster).nodes() {
		if n.Spec.Labels[instanceOfNode] == instance && n.Status.State == swarm.NodeStateReady {
			o.broken(5, "instance %s is terminated while it is node %s of %s", instance, n.ID, cluster)
		}
	}
}

// nodesInSwarm are the nodes of a swarm.
func (o *oracle) nodesInSwarm(cluster string) (out []node) {
	s := o.w.dockerSwarm(cluster)
	for _, n := range s.nodes() {
		out = append(out, node{n.ID, n.Spec.Availability != swarm.NodeAvailabilityActive, len(s.tasksOn(n.ID))})
	}
	return out
}

// swarmIsWhole checks that a swarm's managers are as many as wanted, and all there.
func (o *oracle) swarmIsWhole(c *model.Cluster) {
	if !o.w.ofSwarm(c.Name()) {
		return
	}
	nodes := o.w.dockerSwarm(c.Name()).nodes()
	down := slices.ContainsFunc(nodes, func(n swarm.Node) bool { return n.Status.State != swarm.NodeStateReady })
	wanted, total := 0, 0
	for _, pool := range c.NodePools {
		total += pool.Size
		if pool.Name == managersPool {
			wanted = pool.Size
		}
	}
	if m := membersOf(nodes); m.count != wanted || m.reachable != wanted || down || len(nodes) != total {
		o.broken(5, "swarm %s is to have %d managers among %d nodes, and has %+v among %d: %s", c.Name(), wanted, total, m, len(nodes),
			told(nodes))
	}
}

func told(nodes []swarm.Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Spec.Labels[instanceOfNode]+" "+string(n.Spec.Role)+" "+string(n.Status.State)+" "+
			strconv.FormatBool(n.ManagerStatus != nil))
	}
	return strings.Join(all, ", ")
}
