package simulate

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// A node is one as its orchestrator has it.
type node struct {
	id       string
	cordoned bool
	tasks    int
}

// nodes are those of a cluster, in order.
func (o *oracle) nodes(cluster string) (out []node) {
	if c := o.w.kubernetes(cluster); c != nil {
		return o.nodesThere(c)
	}
	if o.w.ofSwarm(cluster) {
		return o.nodesInSwarm(cluster)
	}
	for _, i := range o.containerInstances(cluster) {
		out = append(out, node{lastPart(i.ContainerInstanceArn), aws.ToString(i.Status) == "DRAINING", int(i.RunningTasksCount)})
	}
	return out
}

// drainNode is a team that wants a node to be empty, or to take tasks again: then of
// those that were drained the one that was so first.
func (w *World) drainNode(s Step) error {
	var id string
	switch drained, all := w.drained[s.Cluster], w.watch.nodes(s.Cluster); {
	case s.Text != "drain" && len(drained) > 0:
		id, w.drained[s.Cluster] = drained[0], drained[1:]
	case s.Text != "drain" || len(all) == 0:
		return fmt.Errorf("there is no such node of cluster %s", s.Cluster)
	default:
		id = all[s.Count%len(all)].id
		w.drained[s.Cluster] = append(drained, id)
	}
	return w.putNode(s.Cluster, id, s.Text == "drain")
}

func (w *World) putNode(name, id string, drained bool) error {
	return w.api(http.MethodPut, cluster(Step{Cluster: name})+"/nodes/"+id, contract.NodeChange{Drained: drained})
}

// takeNodesBack lets all nodes take tasks again that were drained.
func (w *World) takeNodesBack() (err error) {
	for _, name := range slices.Sorted(maps.Keys(w.drained)) {
		for _, id := range w.drained[name] {
			err = errors.Join(err, w.putNode(name, id, false))
		}
	}
	clear(w.drained)
	return err
}

// nodesAsWanted checks that a node which was drained is empty and stays so, and that
// any other serves.
func (o *oracle) nodesAsWanted(cluster string) {
	for _, n := range o.nodes(cluster) {
		about, wanted := o.about(cluster, n.id), contract.KindUncordon
		if len(about) > 0 {
			last := about[len(about)-1]
			if last.Status == contract.OperationFailedDirty || last.Status == contract.OperationFailedClean && len(about) > 1 {
				continue // its end says what is left, or it is as it was before
			}
			if last.Status == contract.OperationSucceeded {
				wanted = last.Kind
			}
		}
		switch {
		case wanted == contract.KindDrain && (!n.cordoned || n.tasks > 0):
			o.broken(5, "node %s of %s was drained; cordoned: %t; tasks: %d", n.id, cluster, n.cordoned, n.tasks)
		case wanted == contract.KindUncordon && n.cordoned && !o.poolDirty(cluster):
			o.broken(5, "node %s of %s takes no tasks, and nobody wants that", n.id, cluster)
		}
	}
}

// poolDirty says whether the newest operation on a cluster ended dirty, and says what
// of its nodes is left.
func (o *oracle) poolDirty(cluster string) bool {
	last, ok := o.newest("cluster/" + cluster)
	return ok && last.Status == contract.OperationFailedDirty
}

// about are the operations about a node, oldest first.
func (o *oracle) about(cluster, node string) (out []model.Operation) {
	for _, x := range o.sorted() {
		if x.Target.Cluster == cluster && x.Node == node {
			out = append(out, x)
		}
	}
	return out
}
