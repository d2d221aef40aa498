package orchestrator

// NodeState is whether a node takes tasks.
type NodeState string

const (
	// NodeReady nodes take new tasks.
	NodeReady NodeState = "Ready"

	// NodeCordoned nodes take no new tasks, and keep those they have.
	NodeCordoned NodeState = "Cordoned"

	// NodeDraining nodes take no new tasks, and lose those they have.
	NodeDraining NodeState = "Draining"

	// NodeDown nodes are not heard of.
	NodeDown NodeState = "Down"
)

// Node is an instance in a cluster.
type Node struct {
	// ID is the orchestrator's own name of the node.
	ID string

	// Instance is the EC2 instance; empty when the node is not one.
	Instance string
	Zone     string
	State    NodeState

	// Manager nodes count for the quorum. Unreachable is true of one that the other
	// managers do not reach, whatever its tasks do.
	Manager     bool
	Unreachable bool

	// Tasks is the number of tasks that run on the node or are about to.
	Tasks int
}

// NodeQuery asks for one page of nodes, or for the node of one EC2 instance.
type NodeQuery struct {
	Cluster  ClusterRef
	Instance string

	// Limit is at most PageMax, which 0 means too.
	Limit int

	// Next is NodePage.Next of the page before; empty for the first.
	Next string
}

// NodePage is one page of nodes. Next is empty on the last.
type NodePage struct {
	Nodes []Node
	Next  string
}

// DrainStatus is how far a drain has come: a node with no task left is drained.
type DrainStatus struct {
	State     NodeState
	TasksLeft int
}

// Drained says whether the node takes no tasks and has none left.
func (s DrainStatus) Drained() bool {
	return s.TasksLeft == 0 && (s.State == NodeCordoned || s.State == NodeDraining)
}

// Quorum is how the managers or masters of a cluster stand.
type Quorum struct {
	Managers  int
	Reachable int
}

// Kept says whether a majority of the managers can be reached.
func (q Quorum) Kept() bool { return q.Reachable > q.Managers/2 }
