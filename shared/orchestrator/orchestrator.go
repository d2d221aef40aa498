package orchestrator

import "context"

// Orchestrator is the whole contract. A user declares the part that it calls:
// Services, Tasks, Nodes, or less.
//
// The kinds of errors are those of package fault: Invalid for what this
// orchestrator cannot do, NotFound for a service, node or cluster that does not
// exist, Conflict for what somebody else is changing, Unavailable for what may
// work later.
type Orchestrator interface {
	Services
	Tasks
	Nodes

	// Capabilities say what the cluster has; they need no call.
	Capabilities(cluster ClusterRef) Capabilities

	// Health says whether the cluster can be used. A cluster that does not exist
	// is NotFound.
	Health(ctx context.Context, cluster ClusterRef) (Health, error)
}

// Services puts releases into effect.
type Services interface {
	// Apply puts a release into effect at release.Replicas, and creates the
	// service if it does not exist. Applying what is in effect, or on its way,
	// starts nothing again. An earlier release is applied like any other, which is
	// what a rollback is. A release whose rollout failed is tried again only by
	// another operation. Conflict when the service is being removed.
	Apply(ctx context.Context, release Release) error

	// Observe looks at a service. NotFound when it does not exist, or is removed
	// but for the traces that Remove still has to take away.
	Observe(ctx context.Context, service ServiceRef) (Observation, error)

	// Scale changes the number of tasks of whatever release is in effect.
	// Conflict for a service in global mode, and for one that is being removed.
	Scale(ctx context.Context, service ServiceRef, replicas int) error

	// Remove takes the next step of removing a service and returns what is left,
	// by ARN or name. The caller waits and calls again until nothing is left. It
	// stops the tasks first, and takes away only what Portolan made. A service
	// that does not exist is removed.
	Remove(ctx context.Context, service ServiceRef) (left []string, err error)
}

// Tasks looks at the copies of a service.
type Tasks interface {
	// Tasks returns one page of the tasks of a service, in no promised order. A
	// service that does not exist has none.
	Tasks(ctx context.Context, query TaskQuery) (TaskPage, error)
}

// Nodes looks at nodes and takes them out of service. NotFound when the node does
// not exist, but for Leave.
type Nodes interface {
	// ListNodes returns one page of nodes, in no promised order.
	ListNodes(ctx context.Context, query NodeQuery) (NodePage, error)

	// Cordon keeps new tasks away from the node.
	Cordon(ctx context.Context, node NodeRef) error

	// Uncordon takes back Cordon and Drain.
	Uncordon(ctx context.Context, node NodeRef) error

	// Drain cordons the node and starts to move its tasks away, replacements
	// first as far as each service's rollout settings say. Where tasks are moved
	// one by one (Kubernetes) it goes on with what was refused before, so it is
	// called again before each look at DrainStatus.
	Drain(ctx context.Context, node NodeRef) error

	// DrainStatus says how many tasks are left, those that are ending included:
	// they may still answer their last requests. A task that no service replaces
	// stays until it ends: the caller has the deadline.
	DrainStatus(ctx context.Context, node NodeRef) (DrainStatus, error)

	// Leave makes the orchestrator forget a drained node. Conflict while it has
	// tasks, or when the quorum would be lost; a node that is not there has left.
	// It does not end the instance.
	Leave(ctx context.Context, node NodeRef) error
}

// Managers is implemented where Capabilities.Quorum is true.
type Managers interface {
	// Quorum counts the managers or masters of the cluster.
	Quorum(ctx context.Context, cluster ClusterRef) (Quorum, error)

	// Demote makes a manager a plain node. Conflict when the quorum would be lost;
	// a node that is no manager stays as it is.
	Demote(ctx context.Context, node NodeRef) error
}
