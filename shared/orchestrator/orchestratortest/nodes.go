package orchestratortest

import (
	"slices"
	"time"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

func testTaskPages(f *fixture) {
	f.apply(f.release(1, "web", 5))
	f.awaitHealthy(1, 5)
	whole := ids(f.tasks(false, 0))
	if byOne := ids(f.tasks(false, 1)); !slices.Equal(whole, byOne) {
		f.Errorf("one by one the tasks are %q, and as a whole %q", byOne, whole)
	}
	if byTwo := ids(f.tasks(false, 2)); !slices.Equal(whole, byTwo) {
		f.Errorf("two by two the tasks are %q, and as a whole %q", byTwo, whole)
	}
}

func testNodePages(f *fixture) {
	whole := f.nodes(0)
	if !f.caps.Nodes {
		if len(whole) > 0 {
			f.Errorf("a cluster without nodes has %+v", whole)
		}
		return
	}
	if byOne := f.nodes(1); len(byOne) != len(whole) || len(whole) < 2 {
		f.Errorf("one by one there are %d nodes, and as a whole %d", len(byOne), len(whole))
	}
	for _, node := range whole {
		if node.State != orchestrator.NodeReady || node.Instance == "" || node.Tasks != 0 {
			f.Errorf("got node %+v", node)
		}
		page, err := f.Orchestrator.ListNodes(f.Context(),
			orchestrator.NodeQuery{Cluster: f.Cluster, Instance: node.Instance})
		if err != nil || len(page.Nodes) != 1 || page.Nodes[0].ID != node.ID {
			f.Errorf("asking for instance %s: %+v, %v", node.Instance, page, err)
		}
	}
	page, err := f.Orchestrator.ListNodes(f.Context(),
		orchestrator.NodeQuery{Cluster: f.Cluster, Instance: "i-00000000000000000"})
	if err != nil || len(page.Nodes) != 0 {
		f.Errorf("asking for an instance that is no node: %+v, %v", page, err)
	}
}

// busiest returns the node with the most tasks.
func busiest(f *fixture) orchestrator.Node {
	return slices.MaxFunc(f.nodes(0), func(a, b orchestrator.Node) int {
		return a.Tasks - b.Tasks
	})
}

func find(f *fixture, id string) orchestrator.Node {
	f.Helper()
	for _, node := range f.nodes(0) {
		if node.ID == id {
			return node
		}
	}
	f.Fatalf("node %s is not listed", id)
	return orchestrator.Node{}
}

func testCordon(f *fixture) {
	if !f.caps.Nodes {
		return
	}
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	node := busiest(f)
	for range 2 {
		if err := f.Orchestrator.Cordon(f.Context(), f.node(node.ID)); err != nil {
			f.Fatal(err)
		}
	}
	if err := f.Orchestrator.Scale(f.Context(), f.service(), 6); err != nil {
		f.Fatal(err)
	}
	f.awaitHealthy(1, 6)
	cordoned := find(f, node.ID)
	if cordoned.State != orchestrator.NodeCordoned && !f.caps.CordonDrains {
		f.Errorf("got %+v", cordoned)
	}
	if cordoned.Tasks > node.Tasks {
		f.Errorf("a cordoned node had %d tasks and has %d", node.Tasks, cordoned.Tasks)
	}
	if cordoned.Tasks < node.Tasks && !f.caps.CordonDrains {
		f.Errorf("a cordoned node lost tasks: it had %d and has %d", node.Tasks, cordoned.Tasks)
	}
	if err := f.Orchestrator.Uncordon(f.Context(), f.node(node.ID)); err != nil {
		f.Fatal(err)
	}
	if after := find(f, node.ID); after.State != orchestrator.NodeReady {
		f.Errorf("after uncordon: %+v", after)
	}
}

// awaitDrained waits for the node to be empty, while the service keeps serving.
func awaitDrained(f *fixture, id string, replicas int) {
	f.Helper()
	start := time.Now()
	for {
		status, err := f.Orchestrator.DrainStatus(f.Context(), f.node(id))
		if err != nil {
			f.Fatal(err)
		}
		if seen := f.observe(); seen.Running < replicas {
			f.Fatalf("fewer than %d tasks run: %+v", replicas, seen)
		}
		if status.Drained() {
			return
		}
		if time.Since(start) > f.patience {
			f.Fatalf("never drained: %+v", status)
		}
		time.Sleep(f.pause)
		if err := f.Orchestrator.Drain(f.Context(), f.node(id)); err != nil {
			f.Fatal(err)
		}
	}
}

func testDrain(f *fixture) {
	if !f.caps.Nodes {
		return
	}
	f.apply(f.release(1, "web", 4))
	f.awaitHealthy(1, 4)
	node := busiest(f)
	if node.Tasks == 0 {
		f.Fatalf("the busiest node is %+v", node)
	}
	if err := f.Orchestrator.Cordon(f.Context(), f.node(node.ID)); err != nil {
		f.Fatal(err)
	}
	if err := f.Orchestrator.Drain(f.Context(), f.node(node.ID)); err != nil {
		f.Fatal(err)
	}
	status, err := f.Orchestrator.DrainStatus(f.Context(), f.node(node.ID))
	if err != nil || status.Drained() || status.State != orchestrator.NodeDraining {
		f.Errorf("right after the drain: %+v, %v", status, err)
	}
	awaitDrained(f, node.ID, 4)
	f.awaitHealthy(1, 4)
	for _, task := range f.tasks(false, 0) {
		if task.Node == node.ID {
			f.Errorf("a drained node has task %+v", task)
		}
	}
	if err := f.Orchestrator.Uncordon(f.Context(), f.node(node.ID)); err != nil {
		f.Fatal(err)
	}
	if after := find(f, node.ID); after.State != orchestrator.NodeReady || after.Tasks != 0 {
		f.Errorf("after uncordon: %+v", after)
	}
}

func testLeave(f *fixture) {
	if !f.caps.Nodes {
		return
	}
	f.apply(f.release(1, "web", 4))
	f.awaitHealthy(1, 4)
	node := busiest(f)
	if err := f.Orchestrator.Leave(f.Context(), f.node(node.ID)); !fault.IsConflict(err) {
		f.Errorf("a node left with %d tasks: %v", node.Tasks, err)
	}
	if node.Manager {
		managers := f.Orchestrator.(orchestrator.Managers)
		if err := managers.Demote(f.Context(), f.node(node.ID)); err != nil {
			f.Fatal(err)
		}
		awaitDemoted(f, node.ID)
		f.awaitHealthy(1, 4) // who leads from now on has to hear of the tasks first
	}
	if err := f.Orchestrator.Drain(f.Context(), f.node(node.ID)); err != nil {
		f.Fatal(err)
	}
	awaitDrained(f, node.ID, 4)
	for range 2 {
		if err := f.Orchestrator.Leave(f.Context(), f.node(node.ID)); err != nil {
			f.Fatal(err)
		}
	}
	for _, other := range f.nodes(0) {
		if other.ID == node.ID {
			f.Errorf("a node that left is listed: %+v", other)
		}
	}
}

// awaitDemoted waits until a node is no manager any more. While the others choose who leads
// them in its place, what they answer may be Unavailable.
func awaitDemoted(f *fixture, id string) {
	f.Helper()
	start := time.Now()
	for {
		page, err := f.Orchestrator.ListNodes(f.Context(), orchestrator.NodeQuery{Cluster: f.Cluster})
		isManager := slices.ContainsFunc(page.Nodes, func(n orchestrator.Node) bool { return n.ID == id && n.Manager })
		switch {
		case err == nil && !isManager:
			return
		case err != nil && !fault.IsUnavailable(err):
			f.Fatal(err)
		case time.Since(start) > f.patience:
			f.Fatalf("node %s is still a manager: %v", id, err)
		}
		time.Sleep(f.pause)
	}
}

func testQuorum(f *fixture) {
	managers, implemented := f.Orchestrator.(orchestrator.Managers)
	if !f.caps.Quorum {
		return
	}
	if !implemented {
		f.Fatal("a cluster with a quorum has a driver that does not know it")
	}
	quorum, err := managers.Quorum(f.Context(), f.Cluster)
	if err != nil || !quorum.Kept() || quorum.Reachable != quorum.Managers {
		f.Fatalf("a ready cluster has %+v, %v", quorum, err)
	}
	demoted := 0
	for _, node := range f.nodes(0) {
		err := managers.Demote(f.Context(), f.node(node.ID))
		switch {
		case err == nil && node.Manager:
			demoted++
			awaitDemoted(f, node.ID)
		case err != nil && !fault.IsConflict(err):
			f.Errorf("demoting %+v: %v", node, err)
		}
	}
	quorum, err = managers.Quorum(f.Context(), f.Cluster)
	if err != nil || !quorum.Kept() || quorum.Managers == 0 || demoted == 0 {
		f.Errorf("after %d demotions: %+v, %v", demoted, quorum, err)
	}
}
