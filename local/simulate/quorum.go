package simulate

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// members count the managers that have a vote.
type members struct{ count, reachable int }

func (m members) majority() bool { return m.reachable > m.count/2 }

// withOneMore is what they are when another manager joins them and fails as it does.
func (m members) withOneMore() members { return members{m.count + 1, m.reachable} }

// membersOf counts managers, but for some.
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

// onTheirWayOut are the managers that were demoted and still have a vote, but for one.
func onTheirWayOut(nodes []swarm.Node, but string) (ids []string) {
	for _, n := range nodes {
		if n.ManagerStatus != nil && n.Spec.Role == swarm.NodeRoleWorker && n.ID != but {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// keepsQuorum checks what becomes of a swarm's nodes: who makes it, who is let in, and who
// leaves.
func keepsQuorum(o *oracle, c *call) {
	if !c.changesSwarm() {
		return
	}
	switch path := c.enginePath(); {
	case len(path) == 2 && path[0] == "swarm" && path[1] == "init":
		makesSwarm(o, c)
	case len(path) == 2 && path[0] == "swarm" && path[1] == "join":
		joinsSwarm(o, c)
	case len(path) >= 2 && path[0] == "nodes":
		leavesSwarm(o, c, path[1])
	}
}

// machine is the instance whose engine a call is made of; empty when it is none of ours.
func (o *oracle) machine(c *call) string {
	at, err := url.Parse(c.engine.URL)
	if err != nil {
		return ""
	}
	for id, address := range o.w.Engines.Addresses() {
		if host, _, err := net.SplitHostPort(at.Host); err == nil && host == address {
			return id
		}
	}
	return ""
}

// makesSwarm checks that a swarm is made once, by the engine that the table says, and that
// only one without a majority is forced to begin anew.
func makesSwarm(o *oracle, c *call) {
	var request swarm.InitRequest
	_ = json.Unmarshal(c.engine.Body, &request) // what it cannot read forces nothing
	s, machine := o.w.dockerSwarm(c.cluster), o.machine(c)
	if request.ForceNewCluster {
		if s.socket != nil {
			o.broken(5, "swarm %s is forced to begin anew on %s while it has its majority: %+v", c.cluster, machine, membersOf(s.nodes()))
		}
		return
	}
	found, err := o.w.mirror.cluster(c.cluster)
	if err != nil || found.Facts.Swarm == nil || found.Facts.Swarm.Initiator != machine {
		o.broken(4, "instance %s makes a swarm of %s, which the table does not know as intended", machine, c.cluster)
	}
}

// joinsSwarm checks that a manager joins only where the others keep a majority should it
// fail meanwhile, or all of them are there.
func joinsSwarm(o *oracle, c *call) {
	var request swarm.JoinRequest
	_ = json.Unmarshal(c.engine.Body, &request) // what it cannot read has no token
	var is swarm.Swarm
	s := o.w.dockerSwarm(c.cluster)
	if s.ask(http.MethodGet, "/swarm", nil, &is) != nil || request.JoinToken != is.JoinTokens.Manager {
		return
	}
	if now := membersOf(s.nodes()); now.reachable < now.count && !now.withOneMore().majority() {
		o.broken(5, "instance %s becomes a manager of %s, of which %+v", o.machine(c), c.cluster, now)
	}
}

// leavesSwarm checks that a node leaves only when it is empty and no manager, and that a
// manager becomes none only when it is empty, no other one is on its way out, and those
// that are left keep a majority.
func leavesSwarm(o *oracle, c *call, id string) {
	s := o.w.dockerSwarm(c.cluster)
	nodes := s.nodes()
	at := slices.IndexFunc(nodes, func(n swarm.Node) bool { return n.ID == id })
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
		if others := onTheirWayOut(nodes, n.ID); len(others) > 0 {
			o.broken(5, "manager %s of %s is demoted while %v are on their way out", n.ID, c.cluster, others)
		}
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
// more, or one that is down, and that there is a majority that could have let it go.
func (o *oracle) emptyInSwarm(cluster, instance string) {
	if o.retiring(cluster) || !o.ofCluster(cluster, instance) {
		return
	}
	s := o.w.dockerSwarm(cluster)
	if s.socket == nil {
		o.broken(5, "instance %s of %s is terminated while no manager can be asked whether it may", instance, cluster)
	}
	for _, n := range s.nodes() {
		if n.Spec.Labels[instanceOfNode] == instance && n.Status.State == swarm.NodeStateReady {
			o.broken(5, "instance %s is terminated while it is node %s of %s with %d tasks", instance, n.ID, cluster, len(s.tasksOn(n.ID)))
		}
	}
}

// ofCluster says whether an instance is in one of a swarm's groups.
func (o *oracle) ofCluster(cluster, instance string) bool {
	for _, pool := range []string{managersPool, nodesPool} {
		if _, instances, _ := o.poolOf(cluster, pool); slices.Contains(instances, instance) {
			return true
		}
	}
	return false
}

// withoutMajority says whether a swarm that was made, and not retired, has no majority of its
// managers.
func (o *oracle) withoutMajority(cluster string) bool {
	if !o.w.ofSwarm(cluster) {
		return false
	}
	c, err := o.w.mirror.cluster(cluster)
	return err == nil && c.Status == contract.ClusterReady && o.w.dockerSwarm(cluster).socket == nil
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
