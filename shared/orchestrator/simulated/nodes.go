package simulated

import (
	"context"
	"slices"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

type node struct {
	id       string
	instance string
	zone     string
	state    orchestrator.NodeState
	manager  bool
}

// staying says whether tasks that run on the node may go on doing so.
func (n *node) staying() bool {
	return n.state == orchestrator.NodeReady || n.state == orchestrator.NodeCordoned
}

func (o *Orchestrator) addNode(manager bool) *node {
	n := &node{id: o.id("node"), instance: o.id("i"), state: orchestrator.NodeReady, manager: manager}
	n.zone = []string{"zone-a", "zone-b", "zone-c"}[len(o.nodes)%3]
	o.nodes = append(o.nodes, n)
	return n
}

// AddNode adds a ready node and returns its id.
func (o *Orchestrator) AddNode() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.catchUp()
	return o.addNode(false).id
}

// KillNode makes a node unreachable, with all its tasks. It panics when there is
// no such node.
func (o *Orchestrator) KillNode(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.catchUp()
	n := o.node(id)
	n.state = orchestrator.NodeDown
	for _, t := range o.tasks() {
		if t.node == n && t.state != orchestrator.TaskStopped {
			o.end(t, "its node was lost")
		}
	}
}

func (o *Orchestrator) node(id string) *node {
	for _, n := range o.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// onNode runs the effect of a verb on a node that exists.
func (o *Orchestrator) onNode(
	ctx context.Context, verb string, ref orchestrator.NodeRef, effect func(*node) error,
) error {
	return o.do(ctx, verb, func() error {
		n := o.node(ref.ID)
		if n == nil {
			return fault.New(fault.NotFound, "there is no node %q", ref.ID)
		}
		return effect(n)
	})
}

// ListNodes implements orchestrator.Nodes.
func (o *Orchestrator) ListNodes(
	ctx context.Context, query orchestrator.NodeQuery,
) (orchestrator.NodePage, error) {
	var result orchestrator.NodePage
	err := o.do(ctx, "ListNodes", func() error {
		var nodes []orchestrator.Node
		for _, n := range o.nodes {
			if query.Instance != "" && query.Instance != n.instance {
				continue
			}
			nodes = append(nodes, orchestrator.Node{
				ID: n.id, Instance: n.instance, Zone: n.zone, State: n.state,
				Manager: n.manager, Tasks: o.load(n),
			})
		}
		var err error
		result.Nodes, result.Next, err = page(nodes, query.Limit, query.Next)
		return err
	})
	return result, err
}

// Cordon implements orchestrator.Nodes.
func (o *Orchestrator) Cordon(ctx context.Context, ref orchestrator.NodeRef) error {
	return o.onNode(ctx, "Cordon", ref, func(n *node) error {
		if n.state == orchestrator.NodeReady {
			n.state = orchestrator.NodeCordoned
		}
		return nil
	})
}

// Uncordon implements orchestrator.Nodes.
func (o *Orchestrator) Uncordon(ctx context.Context, ref orchestrator.NodeRef) error {
	return o.onNode(ctx, "Uncordon", ref, func(n *node) error {
		if n.state != orchestrator.NodeDown {
			n.state = orchestrator.NodeReady
		}
		return nil
	})
}

// Drain implements orchestrator.Nodes.
func (o *Orchestrator) Drain(ctx context.Context, ref orchestrator.NodeRef) error {
	return o.onNode(ctx, "Drain", ref, func(n *node) error {
		if n.state != orchestrator.NodeDown {
			n.state = orchestrator.NodeDraining
		}
		return nil
	})
}

// DrainStatus implements orchestrator.Nodes.
func (o *Orchestrator) DrainStatus(
	ctx context.Context, ref orchestrator.NodeRef,
) (orchestrator.DrainStatus, error) {
	var status orchestrator.DrainStatus
	err := o.onNode(ctx, "DrainStatus", ref, func(n *node) error {
		status = orchestrator.DrainStatus{State: n.state, TasksLeft: o.load(n)}
		return nil
	})
	return status, err
}

// Leave implements orchestrator.Nodes. A manager has to be demoted before.
func (o *Orchestrator) Leave(ctx context.Context, ref orchestrator.NodeRef) error {
	return fault.IgnoreNotFound(o.onNode(ctx, "Leave", ref, func(n *node) error {
		if left := o.load(n); left > 0 {
			return fault.New(fault.Conflict, "node %q has %d tasks left", n.id, left)
		}
		if n.manager {
			return fault.New(fault.Conflict, "node %q is a manager: demote it first", n.id)
		}
		o.nodes = slices.DeleteFunc(o.nodes, func(x *node) bool { return x == n })
		return nil
	}))
}

func (o *Orchestrator) quorum() orchestrator.Quorum {
	var q orchestrator.Quorum
	for _, n := range o.nodes {
		if !n.manager {
			continue
		}
		q.Managers++
		if n.state != orchestrator.NodeDown {
			q.Reachable++
		}
	}
	return q
}

// Quorum implements orchestrator.Managers.
func (o *Orchestrator) Quorum(
	ctx context.Context, _ orchestrator.ClusterRef,
) (orchestrator.Quorum, error) {
	var q orchestrator.Quorum
	err := o.do(ctx, "Quorum", func() error {
		q = o.quorum()
		return nil
	})
	return q, err
}

// Demote implements orchestrator.Managers.
func (o *Orchestrator) Demote(ctx context.Context, ref orchestrator.NodeRef) error {
	return o.onNode(ctx, "Demote", ref, func(n *node) error {
		if !n.manager {
			return nil
		}
		n.manager = false
		if q := o.quorum(); !q.Kept() {
			n.manager = true
			return fault.New(fault.Conflict,
				"demoting node %q leaves %d of %d managers", n.id, q.Reachable, q.Managers)
		}
		return nil
	})
}
