package swarm

import (
	"context"

	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// A member is a manager as the quorum sees it.
type member struct {
	id string

	// reachable managers answer the leader.
	reachable bool

	// leaving managers were demoted, and the others have not let go of them yet.
	leaving bool
}

// isManager says whether a node is one of the managers, or is until its demotion is done.
func isManager(node *swarm.Node) bool {
	return node.Spec.Role == swarm.NodeRoleManager || node.ManagerStatus != nil
}

// leftBehind says whether a node was a manager of a swarm whose lost quorum was forced anew
// without it: the role is still its, and no vote. The engine refuses to demote it and lets
// it be removed.
func leftBehind(node *swarm.Node) bool {
	return node.Spec.Role == swarm.NodeRoleManager && node.ManagerStatus == nil && nodeState(node) == orchestrator.NodeDown
}

// membersOf are the managers that have a vote. A node that is to be a manager and has none
// is not in yet, or was left behind when a lost quorum was forced anew.
func membersOf(nodes []swarm.Node) []member {
	var members []member
	for i := range nodes {
		status := nodes[i].ManagerStatus
		if status == nil {
			continue
		}
		members = append(members, member{
			id: nodes[i].ID, leaving: nodes[i].Spec.Role != swarm.NodeRoleManager,
			reachable: status.Reachability == swarm.ReachabilityReachable,
		})
	}
	return members
}

// quorumOf counts managers.
func quorumOf(members []member) orchestrator.Quorum {
	quorum := orchestrator.Quorum{Managers: len(members)}
	for _, m := range members {
		if m.reachable {
			quorum.Reachable++
		}
	}
	return quorum
}

// afterDemotion is the quorum of those that are left when all that are leaving and the
// one of that id have left.
func afterDemotion(members []member, id string) orchestrator.Quorum {
	var left []member
	for _, m := range members {
		if m.id != id && !m.leaving {
			left = append(left, m)
		}
	}
	return quorumOf(left)
}

// mayDemote says why a manager may not be demoted: there is no quorum that could decide
// it, or there would be none without it. One at a time leaves, since the quorum that two
// leave behind depends on which of them goes first.
func mayDemote(members []member, id string) error {
	for _, m := range members {
		if m.leaving && m.id != id {
			return fault.New(fault.Conflict, "manager %q is on its way out, and only one at a time leaves", m.id)
		}
	}
	now, after := quorumOf(members), afterDemotion(members, id)
	switch {
	case !now.Kept():
		return fault.New(fault.Conflict, "%d of %d managers can be reached: no node can be demoted without a quorum", now.Reachable,
			now.Managers)
	case after.Managers == 0:
		return fault.New(fault.Conflict, "node %q is the last manager", id)
	case !after.Kept():
		return fault.New(fault.Conflict, "without node %q, %d of %d managers could be reached: the quorum would be lost", id,
			after.Reachable, after.Managers)
	}
	return nil
}

// Quorum implements orchestrator.Managers. It makes one request. A swarm that has
// lost its quorum does not answer it, and is Unavailable.
func (d *Driver) Quorum(ctx context.Context, cluster orchestrator.ClusterRef) (orchestrator.Quorum, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return orchestrator.Quorum{}, err
	}
	nodes, err := c.nodes(ctx)
	if err != nil {
		return orchestrator.Quorum{}, err
	}
	return quorumOf(membersOf(nodes)), nil
}

// Demote implements orchestrator.Managers. It makes two requests: one to see who the
// managers are, and one to demote.
func (d *Driver) Demote(ctx context.Context, ref orchestrator.NodeRef) error {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	return c.demote(ctx, ref.ID)
}

func (c *connection) demote(ctx context.Context, id string) error {
	return untilInSequence(func(bool) error { return c.demoteAsSeen(ctx, id) })
}

// demoteAsSeen demotes a manager if the majority holds without it, by a look at all.
func (c *connection) demoteAsSeen(ctx context.Context, id string) error {
	nodes, err := c.nodes(ctx)
	if err != nil {
		return err
	}
	for i := range nodes {
		if nodes[i].ID != id {
			continue
		}
		if nodes[i].Spec.Role != swarm.NodeRoleManager {
			return nil
		}
		if err := mayDemote(membersOf(nodes), id); err != nil {
			return err
		}
		return c.changeAsRead(ctx, &nodes[i], func(spec *swarm.NodeSpec) { spec.Role = swarm.NodeRoleWorker })
	}
	return fault.New(fault.NotFound, "cluster %q has no node %q", c.cluster.Name, id)
}

// Promote makes a worker a manager; one that is a manager stays so. It makes at most two
// requests.
func (d *Driver) Promote(ctx context.Context, ref orchestrator.NodeRef) error {
	return d.onNode(ctx, ref, func(spec *swarm.NodeSpec) { spec.Role = swarm.NodeRoleManager })
}
