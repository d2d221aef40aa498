package cluster

import (
	"net"
	"slices"
	"time"

	"github.com/moby/moby/api/types/swarm"
)

// How fast managers and agents notice each other.
const (
	heartbeat = 5 * time.Second

	// A node is down once three of its heartbeats were missed.
	missedLow, missedHigh = 2 * heartbeat, 3 * heartbeat

	// A manager that is not there is unreachable to the others after unreachableAfter.
	unreachableAfter = 5 * time.Second

	// The others choose a leader when they have not heard of it for so many ticks.
	electLow, electHigh = 10 * time.Second, 20 * time.Second

	// What ran on a node that is down for so long is given up.
	giveUpAfter = 24 * time.Hour

	// Roles are changed by the leader, one after the other.
	roleLow, roleHigh = time.Second, 3 * time.Second
	roleAgain         = 5 * time.Second
)

// A member is a manager, as the others know it.
type member struct {
	NodeID string
	Addr   string // host:port
}

func (c *Cluster) member(nodeID string) *member {
	for i := range c.object.Members {
		if c.object.Members[i].NodeID == nodeID {
			return &c.object.Members[i]
		}
	}
	return nil
}

// there says whether a manager can be spoken to.
func (c *Cluster) there(nodeID string) bool {
	n, ok := c.nodes[nodeID]
	return ok && !n.Silent
}

// thereCount is how many managers can speak to each other.
func (c *Cluster) thereCount() (n int) {
	for _, m := range c.object.Members {
		if c.there(m.NodeID) {
			n++
		}
	}
	return n
}

func (c *Cluster) quorum() bool { return c.thereCount() > len(c.object.Members)/2 }

// Led says whether the managers have a leader, without which nothing is decided.
func (c *Cluster) Led() bool { return c.object.Leader != "" }

// canRemove says whether enough managers would be left to decide anything.
func (c *Cluster) canRemove(nodeID string) bool {
	left := 0
	for _, m := range c.object.Members {
		if m.NodeID != nodeID && c.there(m.NodeID) {
			left++
		}
	}
	return left >= (len(c.object.Members)-1)/2+1
}

// IsMember says whether a node is a manager that takes part in decisions.
func (c *Cluster) IsMember(nodeID string) bool { return c.member(nodeID) != nil }

// Managers are the managers' nodes and addresses.
func (c *Cluster) Managers() (peers []swarm.Peer) {
	for _, m := range c.object.Members {
		peers = append(peers, swarm.Peer{NodeID: m.NodeID, Addr: m.Addr})
	}
	return peers
}

// CountManagers counts those that can be reached and those that cannot.
func (c *Cluster) CountManagers() (reachable, unreachable int) {
	for _, m := range c.object.Members {
		if c.reachability(m.NodeID) == swarm.ReachabilityReachable {
			reachable++
		} else {
			unreachable++
		}
	}
	return reachable, unreachable
}

func (c *Cluster) reachability(nodeID string) swarm.Reachability {
	n, ok := c.nodes[nodeID]
	if !ok || n.Silent && c.now().Sub(n.SilentSince) >= unreachableAfter {
		return swarm.ReachabilityUnreachable
	}
	return swarm.ReachabilityReachable
}

func (c *Cluster) managerStatus(nodeID string) *swarm.ManagerStatus {
	m := c.member(nodeID)
	if m == nil {
		return nil
	}
	return &swarm.ManagerStatus{Leader: c.object.Leader == nodeID, Reachability: c.reachability(nodeID), Addr: m.Addr}
}

// addMember lets a node take part in decisions.
func (c *Cluster) addMember(n *node) {
	if c.IsMember(n.ID) {
		return
	}
	c.object.Members = append(c.object.Members, member{NodeID: n.ID, Addr: net.JoinHostPort(n.Node.Status.Addr, n.Port)})
	if len(c.object.Members) == 1 {
		c.object.Leader = n.ID
	}
	c.touch(KindObject, c.object.ID)
}

func (c *Cluster) removeMember(nodeID string) {
	c.object.Members = slices.DeleteFunc(c.object.Members, func(m member) bool { return m.NodeID == nodeID })
	c.touch(KindObject, c.object.ID)
	if c.object.Leader == nodeID {
		c.object.Leader = ""
		c.elect(0)
	}
}

// considerLeader looks whether the managers keep their leader after one of them went or
// came back.
func (c *Cluster) considerLeader() {
	switch {
	case c.Led() && !c.there(c.object.Leader):
		c.object.Leader = ""
		c.touch(KindObject, c.object.ID)
		c.elect(c.between(electLow, electHigh))
	case c.Led() && !c.quorum():
		// A leader that hears of no majority steps down.
		c.object.Leader = ""
		c.touch(KindObject, c.object.ID)
	case !c.Led() && c.quorum():
		c.elect(c.between(roleLow, roleHigh))
	}
}

// elect chooses the next leader after a while, if a majority is there then.
func (c *Cluster) elect(after time.Duration) {
	if due := c.now().Add(after); c.object.Elects.IsZero() || due.Before(c.object.Elects) || after == 0 {
		c.object.Elects = due
	}
	c.at("elect", c.object.Elects, c.elected)
}

func (c *Cluster) elected() {
	c.object.Elects = time.Time{}
	if c.Led() || !c.quorum() {
		return
	}
	for _, m := range c.object.Members {
		if c.there(m.NodeID) {
			c.object.Leader = m.NodeID
			break
		}
	}
	c.touch(KindObject, c.object.ID)
	c.leaderChanged()
}

// leaderChanged makes the new leader look at everything: nodes are unknown to it until
// they are heard of.
func (c *Cluster) leaderChanged() {
	for _, id := range sortedKeys(c.nodes) {
		n := c.nodes[id]
		if n.Node.Status.State == swarm.NodeStateDown {
			continue
		}
		n.Node.Status.State = swarm.NodeStateUnknown
		n.Node.Status.Message = `Node moved to "unknown" state due to leadership change in cluster`
		c.nodeChanged(n)
		if n.Silent {
			c.expect(n, `heartbeat failure for node in "unknown" state`)
			continue
		}
		c.at("register "+id, c.now().Add(c.between(100*time.Millisecond, 900*time.Millisecond)), func() { c.register(id) })
	}
	for _, id := range sortedKeys(c.tasks) {
		c.arm(c.tasks[id])
	}
	clear(c.updates)
	clear(c.updated)
	c.working = false
	c.wakeAll()
}

// ForceNew makes a node the only manager of what it knows of the swarm.
func (c *Cluster) ForceNew(nodeID string) {
	own := c.member(nodeID)
	c.object.Members = []member{*own}
	c.object.Leader = nodeID
	c.object.Elects = time.Time{}
	c.touch(KindObject, c.object.ID)
	c.leaderChanged()
}

// Choosing says whether there is no leader, and the managers are about to choose one.
func (c *Cluster) Choosing() bool { return !c.Led() && c.quorum() }
