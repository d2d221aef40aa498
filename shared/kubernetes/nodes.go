package kubernetes

import (
	"context"
	"regexp"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// How many requests a look at nodes makes at most: one for each node of a small page,
// and otherwise so many pages of all pods.
const (
	nodesAskedSingly = 4
	podPagesMax      = 80
	nodesPagesMax    = 20
	nodesPage        = 250
)

// ListNodes implements orchestrator.Nodes. It makes one request for the nodes, 20 at
// most to find the one of an instance, and for their tasks one for each of up to 4
// nodes or one for each 250 pods, 80 at most.
func (d *Driver) ListNodes(ctx context.Context, query orchestrator.NodeQuery) (orchestrator.NodePage, error) {
	c, err := d.connect(ctx, query.Cluster)
	if err != nil {
		return orchestrator.NodePage{}, err
	}
	if query.Instance != "" {
		return c.nodeOfInstance(ctx, query.Instance)
	}
	var list core.NodeList
	if err := c.list(ctx, nodes, "", selection{next: query.Next, limit: pageSize(query.Limit)}, &list); err != nil {
		return orchestrator.NodePage{}, err
	}
	page := orchestrator.NodePage{Next: list.Continue}
	for i := range list.Items {
		page.Nodes = append(page.Nodes, nodeOf(&list.Items[i]))
	}
	return page, c.countTasks(ctx, page.Nodes)
}

// nodeOfInstance looks for the node that an EC2 instance is.
func (c *connection) nodeOfInstance(ctx context.Context, instance string) (orchestrator.NodePage, error) {
	s := selection{limit: nodesPage}
	for range nodesPagesMax {
		var list core.NodeList
		if err := c.list(ctx, nodes, "", s, &list); err != nil {
			return orchestrator.NodePage{}, err
		}
		for i := range list.Items {
			if node := nodeOf(&list.Items[i]); node.Instance == instance {
				page := orchestrator.NodePage{Nodes: []orchestrator.Node{node}}
				return page, c.countTasks(ctx, page.Nodes)
			}
		}
		if s.next = list.Continue; s.next == "" {
			break
		}
	}
	return orchestrator.NodePage{}, nil
}

// countTasks counts the tasks of nodes.
func (c *connection) countTasks(ctx context.Context, all []orchestrator.Node) error {
	if len(all) <= nodesAskedSingly {
		for i := range all {
			found, err := c.podsOn(ctx, all[i].ID)
			if err != nil {
				return err
			}
			all[i].Tasks = len(found)
		}
		return nil
	}
	counts := map[string]int{}
	s := selection{limit: podsPage, fields: living}
	for range podPagesMax {
		var list core.PodList
		if err := c.list(ctx, pods, "", s, &list); err != nil {
			return err
		}
		for i := range list.Items {
			if counted(&list.Items[i]) {
				counts[list.Items[i].Spec.NodeName]++
			}
		}
		if s.next = list.Continue; s.next == "" {
			break
		}
	}
	if s.next != "" {
		return fault.New(fault.Invalid, "the cluster has more than %d pods: ask for pages of at most %d nodes", podPagesMax*podsPage,
			nodesAskedSingly)
	}
	for i := range all {
		all[i].Tasks = counts[all[i].ID]
	}
	return nil
}

// living selects pods that have not ended.
const living = "status.phase!=Succeeded,status.phase!=Failed"

// podsOn lists the pods of a node that are tasks of it.
func (c *connection) podsOn(ctx context.Context, node string) ([]core.Pod, error) {
	var found []core.Pod
	s := selection{limit: podsPage, fields: "spec.nodeName=" + node + "," + living}
	for range podsPages {
		var list core.PodList
		if err := c.list(ctx, pods, "", s, &list); err != nil {
			return nil, err
		}
		for _, pod := range list.Items {
			if counted(&pod) {
				found = append(found, pod)
			}
		}
		if s.next = list.Continue; s.next == "" {
			break
		}
	}
	return found, nil
}

// counted says whether a pod is a task that can be moved: what a DaemonSet or the
// node's own kubelet runs there belongs to the node.
func counted(pod *core.Pod) bool {
	if _, mirrored := pod.Annotations[core.MirrorPodAnnotationKey]; mirrored {
		return false
	}
	owner := meta.GetControllerOf(pod)
	return owner == nil || owner.Kind != daemonSets.name && owner.Kind != nodes.name
}

// instanceOf finds the EC2 instance in a node's provider id, which AWS's clouds write
// as aws:///eu-central-1a/i-0123456789abcdef0.
var instanceOf = regexp.MustCompile(`^aws://.*/(i-[0-9a-f]+)$`)

func nodeOf(node *core.Node) orchestrator.Node {
	result := orchestrator.Node{ID: node.Name, Zone: node.Labels[core.LabelTopologyZone], State: nodeState(node)}
	if found := instanceOf.FindStringSubmatch(node.Spec.ProviderID); found != nil {
		result.Instance = found[1]
	}
	return result
}

func nodeState(node *core.Node) orchestrator.NodeState {
	for _, condition := range node.Status.Conditions {
		if condition.Type == core.NodeReady && condition.Status == core.ConditionTrue {
			switch {
			case node.Spec.Unschedulable && node.Annotations[annotationDraining] != "":
				return orchestrator.NodeDraining
			case node.Spec.Unschedulable:
				return orchestrator.NodeCordoned
			}
			return orchestrator.NodeReady
		}
	}
	return orchestrator.NodeDown
}

// Cordon implements orchestrator.Nodes.
func (d *Driver) Cordon(ctx context.Context, ref orchestrator.NodeRef) error {
	return d.mark(ctx, ref, map[string]any{"spec": map[string]any{"unschedulable": true}})
}

// mark changes a node.
func (d *Driver) mark(ctx context.Context, ref orchestrator.NodeRef, body map[string]any) error {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	return c.node(ref, c.patch(ctx, nodes, "", ref.ID, "", body, nil))
}

// node says of an error that there is no such node.
func (c *connection) node(ref orchestrator.NodeRef, err error) error {
	if fault.IsNotFound(err) {
		return fault.New(fault.NotFound, "cluster %q has no node %q", ref.Cluster.Name, ref.ID)
	}
	return err
}

// DrainStatus implements orchestrator.Nodes. It makes two requests, and one more for
// each further 250 pods.
func (d *Driver) DrainStatus(ctx context.Context, ref orchestrator.NodeRef) (orchestrator.DrainStatus, error) {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return orchestrator.DrainStatus{}, err
	}
	var node core.Node
	if err := c.node(ref, c.get(ctx, nodes, "", ref.ID, &node)); err != nil {
		return orchestrator.DrainStatus{}, err
	}
	left, err := c.podsOn(ctx, ref.ID)
	return orchestrator.DrainStatus{State: nodeState(&node), TasksLeft: len(left)}, err
}

// Leave implements orchestrator.Nodes. It makes three requests.
func (d *Driver) Leave(ctx context.Context, ref orchestrator.NodeRef) error {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	var node core.Node
	if err := c.get(ctx, nodes, "", ref.ID, &node); err != nil {
		return fault.IgnoreNotFound(err)
	}
	left, err := c.podsOn(ctx, ref.ID)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fault.New(fault.Conflict, "node %q has %d tasks left", ref.ID, len(left))
	}
	return c.delete(ctx, nodes, node.ObjectMeta, meta.DeletePropagationBackground)
}
