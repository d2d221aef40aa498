package swarm

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// ListNodes implements orchestrator.Nodes. It makes one request for all nodes and one for
// their tasks: the Engine API has no pages.
func (d *Driver) ListNodes(ctx context.Context, query orchestrator.NodeQuery) (orchestrator.NodePage, error) {
	c, err := d.connect(ctx, query.Cluster)
	if err != nil {
		return orchestrator.NodePage{}, err
	}
	all, err := c.nodes(ctx)
	if err != nil {
		return orchestrator.NodePage{}, err
	}
	page, next := pageOf(all, query)
	result := orchestrator.NodePage{Next: next}
	if len(page) == 0 {
		return result, nil
	}
	filters := client.Filters{}
	if len(page) == 1 {
		filters.Add("node", page[0].ID)
	}
	tasks, err := c.tasks(ctx, filters)
	if err != nil {
		return orchestrator.NodePage{}, err
	}
	counts := map[string]int{}
	for _, task := range tasks {
		if alive(&task) {
			counts[task.NodeID]++
		}
	}
	for _, node := range page {
		described := nodeOf(&node)
		described.Tasks = counts[node.ID]
		result.Nodes = append(result.Nodes, described)
	}
	return result, nil
}

// pageOf picks the nodes of a page; the mark of the next one is the last id of this.
func pageOf(all []swarm.Node, query orchestrator.NodeQuery) (page []swarm.Node, next string) {
	slices.SortFunc(all, func(a, b swarm.Node) int { return strings.Compare(a.ID, b.ID) })
	limit := pageSize(query.Limit)
	for _, node := range all {
		if node.ID <= query.Next || query.Instance != "" && node.Spec.Labels[LabelInstance] != query.Instance {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1].ID
		}
		page = append(page, node)
	}
	return page, ""
}

func pageSize(limit int) int {
	if limit <= 0 || limit > orchestrator.PageMax {
		return orchestrator.PageMax
	}
	return limit
}

// nodes lists all nodes of the swarm.
func (c *connection) nodes(ctx context.Context) ([]swarm.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	out, err := c.client.NodeList(ctx, client.NodeListOptions{})
	return out.Items, classify(err, "listing the nodes of cluster "+c.cluster.Name)
}

// tasks lists tasks, of whatever state, but for those that the swarm has forgotten.
func (c *connection) tasks(ctx context.Context, filters client.Filters) ([]swarm.Task, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	out, err := c.client.TaskList(ctx, client.TaskListOptions{Filters: filters})
	return out.Items, classify(err, "listing tasks of cluster "+c.cluster.Name)
}

// node looks at a node. NotFound when there is none of that id.
func (c *connection) node(ctx context.Context, id string) (swarm.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	out, err := c.client.NodeInspect(ctx, id, client.NodeInspectOptions{})
	if err := classify(err, "looking at node "+id); err != nil && !fault.IsNotFound(err) {
		return swarm.Node{}, err
	}
	// The engine takes a host's name or the beginning of an id, too.
	if err != nil || out.Node.ID != id {
		return swarm.Node{}, fault.New(fault.NotFound, "cluster %q has no node %q", c.cluster.Name, id)
	}
	return out.Node, nil
}

// changesMost bounds how often a change is tried of what the swarm changes itself
// meanwhile, as it does with a node for some moments after a demotion.
const changesMost = 5

// untilInSequence makes a change again as long as what it changes has changed since it was
// read, so the change has to read that again.
func untilInSequence(change func(again bool) error) error {
	err := change(false)
	for tried := 1; err != nil && strings.Contains(err.Error(), outOfSequence) && tried < changesMost; tried++ {
		err = change(true)
	}
	return err
}

// changeNode changes the spec of a node, unless the change leaves it as it is. One that
// changed since it was read is read again.
func (c *connection) changeNode(ctx context.Context, read *swarm.Node, change func(*swarm.NodeSpec)) error {
	node := *read
	return untilInSequence(func(again bool) (err error) {
		if again {
			if node, err = c.node(ctx, read.ID); err != nil {
				return err
			}
		}
		return c.changeAsRead(ctx, &node, change)
	})
}

// changeAsRead changes the spec of a node if it is still as it was read.
func (c *connection) changeAsRead(ctx context.Context, node *swarm.Node, change func(*swarm.NodeSpec)) error {
	spec := node.Spec
	spec.Labels = maps.Clone(node.Spec.Labels)
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	change(&spec)
	if spec.Role == node.Spec.Role && spec.Availability == node.Spec.Availability && maps.Equal(spec.Labels, node.Spec.Labels) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	_, err := c.client.NodeUpdate(ctx, node.ID, client.NodeUpdateOptions{Version: node.Version, Spec: spec})
	return classify(err, "changing node "+node.ID)
}

// onNode changes the spec of a node that is named.
func (d *Driver) onNode(ctx context.Context, ref orchestrator.NodeRef, change func(*swarm.NodeSpec)) error {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	node, err := c.node(ctx, ref.ID)
	if err != nil {
		return err
	}
	return c.changeNode(ctx, &node, change)
}

// Label writes labels on a node, such as LabelInstance, and leaves its others. It makes
// at most two requests. An instance that is named is behind the cluster's load balancer
// from then on.
func (d *Driver) Label(ctx context.Context, ref orchestrator.NodeRef, labels map[string]string) error {
	if err := d.onNode(ctx, ref, func(spec *swarm.NodeSpec) { maps.Copy(spec.Labels, labels) }); err != nil {
		return err
	}
	return d.balance(ctx, ref.Cluster, labels[LabelInstance], true)
}

func nodeOf(node *swarm.Node) orchestrator.Node {
	return orchestrator.Node{
		ID: node.ID, Instance: node.Spec.Labels[LabelInstance], Zone: node.Spec.Labels[LabelZone],
		State: nodeState(node), Manager: isManager(node),
		Unreachable: node.ManagerStatus != nil && node.ManagerStatus.Reachability == swarm.ReachabilityUnreachable,
	}
}

func nodeState(node *swarm.Node) orchestrator.NodeState {
	switch {
	case node.Status.State != swarm.NodeStateReady:
		return orchestrator.NodeDown
	case node.Spec.Availability == swarm.NodeAvailabilityDrain, node.Spec.Labels[labelDraining] != "":
		return orchestrator.NodeDraining
	case node.Spec.Availability == swarm.NodeAvailabilityPause:
		return orchestrator.NodeCordoned
	}
	return orchestrator.NodeReady
}

// alive says whether a task is on a node and has not ended, or may be about to.
func alive(task *swarm.Task) bool {
	return task.NodeID != "" && !ended(task.Status.State)
}

// ended says whether a state is one that a task does not come back from.
func ended(state swarm.TaskState) bool {
	switch state {
	case swarm.TaskStateComplete, swarm.TaskStateShutdown, swarm.TaskStateFailed, swarm.TaskStateRejected,
		swarm.TaskStateRemove, swarm.TaskStateOrphaned:
		return true
	}
	return false
}

// Cordon implements orchestrator.Nodes. A node that is drained stays so.
func (d *Driver) Cordon(ctx context.Context, ref orchestrator.NodeRef) error {
	return d.onNode(ctx, ref, func(spec *swarm.NodeSpec) {
		if spec.Availability != swarm.NodeAvailabilityDrain {
			spec.Availability = swarm.NodeAvailabilityPause
		}
	})
}

// DrainStatus implements orchestrator.Nodes. It makes two requests.
//
// A node that is down cannot be told to stop anything, and the swarm has started its tasks
// elsewhere already: of it only counts whether it would get tasks if it came back.
func (d *Driver) DrainStatus(ctx context.Context, ref orchestrator.NodeRef) (orchestrator.DrainStatus, error) {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return orchestrator.DrainStatus{}, err
	}
	node, err := c.node(ctx, ref.ID)
	if err != nil {
		return orchestrator.DrainStatus{}, err
	}
	if nodeState(&node) == orchestrator.NodeDown && node.Spec.Availability == swarm.NodeAvailabilityDrain {
		return orchestrator.DrainStatus{State: orchestrator.NodeDraining}, nil
	}
	on, err := c.tasksOn(ctx, ref.ID)
	return orchestrator.DrainStatus{State: nodeState(&node), TasksLeft: len(on)}, err
}

// tasksOn lists the tasks of a node that have not ended.
func (c *connection) tasksOn(ctx context.Context, id string) ([]swarm.Task, error) {
	all, err := c.tasks(ctx, client.Filters{}.Add("node", id))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(task swarm.Task) bool { return !alive(&task) }), nil
}

// Leave implements orchestrator.Nodes. A manager is demoted first, as Demote does it; it
// is Unavailable until the other managers have let go of it. It makes at most six
// requests.
func (d *Driver) Leave(ctx context.Context, ref orchestrator.NodeRef) error {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	node, err := c.node(ctx, ref.ID)
	if err != nil {
		return fault.IgnoreNotFound(err)
	}
	on, err := c.tasksOn(ctx, ref.ID)
	if err != nil {
		return err
	}
	if len(on) > 0 && nodeState(&node) != orchestrator.NodeDown {
		return fault.New(fault.Conflict, "node %q has %d tasks left", ref.ID, len(on))
	}
	if isManager(&node) && !leftBehind(&node) {
		if err := c.demote(ctx, ref.ID); err != nil {
			return err
		}
		if node, err = c.node(ctx, ref.ID); err != nil {
			return fault.IgnoreNotFound(err)
		}
		if isManager(&node) {
			return fault.New(fault.Unavailable, "node %q is on its way out of the managers", ref.ID)
		}
	}
	if err := d.balance(ctx, ref.Cluster, node.Spec.Labels[LabelInstance], false); err != nil {
		return err
	}
	return c.removeNode(ctx, ref.ID)
}

// removeNode makes the swarm forget a node. A node that is up is forced out: its engine
// may run on for a while, and is let into no swarm again without a token.
func (c *connection) removeNode(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	_, err := c.client.NodeRemove(ctx, id, client.NodeRemoveOptions{Force: true})
	return fault.IgnoreNotFound(classify(err, "removing node "+id))
}
