package cluster

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"
)

// A node is an engine in the swarm.
type node struct {
	swarm.Node

	// Role is what the node is; Spec.Role is what it is to be.
	Role swarm.NodeRole
	Port string // of a manager's address

	// Silent nodes are not heard of, since SilentSince. What runs on them is only known
	// once they are back.
	Silent      bool
	SilentSince time.Time

	// Images are those that were pulled there.
	Images map[string]bool

	failures map[string][]time.Time // of tasks, by service
}

// A Joining is what a new node tells of itself.
type Joining struct {
	Description  swarm.NodeDescription
	Availability swarm.NodeAvailability
	Addr, Port   string
}

// Join adds a node.
func (c *Cluster) Join(j Joining, manager bool) (nodeID string) {
	n := &node{Role: swarm.NodeRoleWorker, Port: j.Port, Images: map[string]bool{}}
	if manager {
		n.Role = swarm.NodeRoleManager
	}
	n.ID, n.Meta = c.newID(), c.meta()
	n.Spec = swarm.NodeSpec{Annotations: swarm.Annotations{Labels: map[string]string{}}, Role: n.Role,
		Availability: cmp.Or(j.Availability, swarm.NodeAvailabilityActive)}
	n.Description = j.Description
	n.Description.TLSInfo = c.object.TLSInfo
	n.Status = swarm.NodeStatus{State: swarm.NodeStateReady, Addr: j.Addr}
	c.nodes[n.ID] = n
	if manager {
		c.addMember(n)
	}
	c.touch(KindNode, n.ID)
	c.emit("node", "create", n.ID, "")
	c.wakeAll()
	return n.ID
}

// findNode finds a node by its id, its name or the beginning of its id.
func (c *Cluster) findNode(input string) (*node, error) {
	if n, ok := c.nodes[input]; ok {
		return n, nil
	}
	return find("node", input, c.nodes, func(n *node) string { return n.Description.Hostname })
}

// find finds an object by its name, or else by the beginning of its id.
func find[T any](kind, input string, all map[string]T, name func(T) string) (none T, err error) {
	var named, begin []T
	for _, id := range sortedKeys(all) {
		if name(all[id]) == input {
			named = append(named, all[id])
		}
		if strings.HasPrefix(id, input) && input != "" {
			begin = append(begin, all[id])
		}
	}
	if len(named) == 0 {
		named = begin
	}
	switch len(named) {
	case 0:
		return none, Errorf(http.StatusNotFound, "%s %s not found", kind, input)
	case 1:
		return named[0], nil
	}
	return none, Errorf(http.StatusBadRequest, "%s %s is ambiguous (%d matches found)", kind, input, len(named))
}

func (c *Cluster) viewNode(n *node) swarm.Node {
	view := n.Node
	view.ManagerStatus = c.managerStatus(n.ID)
	return view
}

// Node returns one node.
func (c *Cluster) Node(input string) (swarm.Node, error) {
	n, err := c.findNode(input)
	if err != nil {
		return swarm.Node{}, err
	}
	return c.viewNode(n), nil
}

// Nodes returns those that match.
func (c *Cluster) Nodes(f Filters) ([]swarm.Node, error) {
	out := []swarm.Node{}
	if err := f.check("name", "id", "label", "role", "membership", "node.label"); err != nil {
		return nil, err
	}
	for _, role := range f["role"] {
		if r := strings.ToLower(role); r != "manager" && r != "worker" && r != "" {
			return nil, Errorf(http.StatusInternalServerError, "Invalid role filter: '%s'", role)
		}
	}
	for _, id := range sortedKeys(c.nodes) {
		n := c.nodes[id]
		if f.prefix("name", n.Description.Hostname) && f.prefix("id", id) && f.labels("label", n.Description.Engine.Labels) &&
			f.labels("node.label", n.Spec.Labels) && f.any("role", string(n.Role)) && f.any("membership", "accepted") {
			out = append(out, c.viewNode(n))
		}
	}
	return out, nil
}

// UpdateNode changes a node's role, availability and labels.
func (c *Cluster) UpdateNode(input string, version uint64, spec swarm.NodeSpec) error {
	if spec.Role != swarm.NodeRoleManager && spec.Role != swarm.NodeRoleWorker {
		return Errorf(http.StatusBadRequest, "invalid Role: %q", spec.Role)
	}
	switch spec.Availability {
	case swarm.NodeAvailabilityActive, swarm.NodeAvailabilityPause, swarm.NodeAvailabilityDrain:
	default:
		return Errorf(http.StatusBadRequest, "invalid Availability: %q", spec.Availability)
	}
	n, err := c.findNode(input)
	if err != nil {
		return err
	}
	if n.Spec.Role == swarm.NodeRoleManager && spec.Role == swarm.NodeRoleWorker {
		if err := c.mayDemote(n); err != nil {
			return err
		}
	}
	if version != n.Version.Index {
		return errOutOfSequence
	}
	was := n.Spec
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	n.Spec = spec
	c.bump(&n.Meta)
	c.nodeChanged(n)
	c.emit("node", "update", n.ID, n.Description.Hostname, changes("availability", string(was.Availability), string(spec.Availability),
		"role", string(was.Role), string(spec.Role))...)
	if n.Role != spec.Role || was.Role != spec.Role {
		c.reconcileRole(n.ID, c.between(roleLow, roleHigh))
	}
	return nil
}

// changes are the attributes of an event that tells what was and is different.
func changes(parts ...string) (out []string) {
	for i := 0; i+2 < len(parts); i += 3 {
		if parts[i+1] != parts[i+2] {
			out = append(out, parts[i]+".old", parts[i+1], parts[i]+".new", parts[i+2])
		}
	}
	return out
}

func (c *Cluster) mayDemote(n *node) error {
	managers := 0
	for _, other := range c.nodes {
		if other.Role == swarm.NodeRoleManager {
			managers++
		}
	}
	switch {
	case managers == 1 && n.Role == swarm.NodeRoleManager:
		return rpc(failedPrecondition, "attempting to demote the last manager of the swarm")
	case !c.IsMember(n.ID):
		return rpc(notFound, "can't find manager in raft memberlist")
	case !c.canRemove(n.ID):
		return rpc(failedPrecondition, "can't remove member from the raft: this would result in a loss of quorum")
	}
	return nil
}

// reconcileRole makes a node what it is to be, a little later.
func (c *Cluster) reconcileRole(id string, after time.Duration) {
	c.at("role "+id, c.now().Add(after), func() {
		n, ok := c.nodes[id]
		if !ok || n.Role == n.Spec.Role && (n.Role == swarm.NodeRoleWorker || c.IsMember(id)) {
			return
		}
		if !c.Led() || n.Spec.Role == swarm.NodeRoleManager && n.Silent || n.Spec.Role == swarm.NodeRoleWorker && c.IsMember(id) && !c.canRemove(id) {
			c.reconcileRole(id, roleAgain)
			return
		}
		if n.Spec.Role == swarm.NodeRoleWorker && c.IsMember(id) {
			// It takes part in no decision any more, and is a worker a while later.
			c.removeMember(id)
			c.reconcileRole(id, roleAgain)
			return
		}
		n.Role = n.Spec.Role
		c.bump(&n.Meta)
		if n.Role == swarm.NodeRoleManager {
			c.addMember(n)
		}
		c.nodeChanged(n)
		if c.config.RoleChanged != nil {
			c.config.RoleChanged(id, n.Role == swarm.NodeRoleManager)
		}
	})
}

// RemoveNode forgets a node that is down, or with force any that is no manager.
func (c *Cluster) RemoveNode(input string, force bool) error {
	n, err := c.findNode(input)
	if err != nil {
		return err
	}
	if n.Spec.Role == swarm.NodeRoleManager && c.IsMember(n.ID) {
		return rpc(failedPrecondition, "node %s is a cluster manager and is a member of the raft cluster. "+
			"It must be demoted to worker before removal", n.ID)
	}
	if !force && n.Status.State == swarm.NodeStateReady {
		return rpc(failedPrecondition, "node %s is not down and can't be removed", n.ID)
	}
	delete(c.nodes, n.ID)
	c.touch(KindNode, n.ID)
	if c.IsMember(n.ID) {
		c.removeMember(n.ID)
	}
	for _, id := range sortedKeys(c.tasks) {
		if t := c.tasks[id]; t.NodeID == n.ID && !ended(t.Status.State) {
			c.setStatus(t, swarm.TaskStateOrphaned, "Task belonged to a node that has been deleted", "")
		}
	}
	c.emit("node", "remove", n.ID, n.Description.Hostname)
	c.wakeAll()
	return nil
}

func (c *Cluster) nodeChanged(n *node) {
	c.touch(KindNode, n.ID)
	c.wakeAll()
}

// Silence tells that a node is not heard of any more: it died, left, or is cut off.
func (c *Cluster) Silence(nodeID string) {
	n, ok := c.nodes[nodeID]
	if !ok || n.Silent {
		return
	}
	n.Silent, n.SilentSince = true, c.now()
	c.touch(KindNode, nodeID)
	c.expect(n, "heartbeat failure")
	c.considerLeader()
}

// expect takes a node for down unless it is heard of in time.
func (c *Cluster) expect(n *node, otherwise string) {
	id := n.ID
	c.at("heartbeat "+id, c.now().Add(c.between(missedLow, missedHigh)), func() {
		if n, ok := c.nodes[id]; !ok || !n.Silent || !c.Led() || n.Node.Status.State == swarm.NodeStateDown {
			return
		}
		n.Node.Status.State, n.Node.Status.Message = swarm.NodeStateDown, otherwise
		c.bump(&n.Meta)
		c.nodeChanged(n)
		c.emit("node", "update", id, n.Description.Hostname, changes("state", "ready", "down")...)
		c.at("orphan "+id, c.now().Add(giveUpAfter), func() { c.giveUp(id) })
	})
}

// giveUp gives up the tasks of a node that is down for long.
func (c *Cluster) giveUp(nodeID string) {
	if n, ok := c.nodes[nodeID]; !ok || n.Node.Status.State != swarm.NodeStateDown || !c.Led() {
		return
	}
	for _, id := range sortedKeys(c.tasks) {
		t := c.tasks[id]
		if t.NodeID == nodeID && order[t.Status.State] >= order[swarm.TaskStateAssigned] && !ended(t.Status.State) {
			c.setStatus(t, swarm.TaskStateOrphaned, t.Status.Message, t.Status.Err)
		}
	}
}

// Hear tells that a silent node is back. Its containers ran on meanwhile, or with it
// died they are gone.
func (c *Cluster) Hear(nodeID string, died bool) {
	n, ok := c.nodes[nodeID]
	if !ok || !n.Silent {
		return
	}
	n.Silent, n.SilentSince = false, time.Time{}
	c.touch(KindNode, nodeID)
	c.considerLeader()
	c.at("register "+nodeID, c.now().Add(c.between(100*time.Millisecond, 900*time.Millisecond)), func() { c.register(nodeID) })
	for _, id := range sortedKeys(c.tasks) {
		if t := c.tasks[id]; t.NodeID == nodeID {
			if died {
				c.diedWithNode(t)
			}
			c.arm(t)
		}
	}
}

// register takes a node for ready that is heard of.
func (c *Cluster) register(id string) {
	n, ok := c.nodes[id]
	if !ok || n.Silent || !c.Led() || n.Node.Status.State == swarm.NodeStateReady {
		return
	}
	was := n.Node.Status.State
	n.Node.Status.State, n.Node.Status.Message = swarm.NodeStateReady, ""
	c.bump(&n.Meta)
	c.nodeChanged(n)
	c.emit("node", "update", id, n.Description.Hostname, changes("state", string(was), "ready")...)
}

// valid says whether a node keeps its tasks.
func (n *node) valid() bool {
	return n != nil && n.Node.Status.State != swarm.NodeStateDown && n.Spec.Availability != swarm.NodeAvailabilityDrain
}

// takes says whether a node takes new tasks.
func (n *node) takes() bool {
	return n.Node.Status.State == swarm.NodeStateReady && n.Spec.Availability == swarm.NodeAvailabilityActive
}
