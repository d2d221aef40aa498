package orchestrator

import "context"

// Upgrader is implemented by the orchestrators whose version Portolan raises.
type Upgrader interface {
	// Blockers looks for what stands in the way of a minor version, such as 1.35: nodes
	// too old for it, APIs in use that it has no more, disruption budgets that let no
	// task go. Each is said with its name and what would help. It changes nothing, and
	// makes a bounded number of calls.
	Blockers(ctx context.Context, cluster ClusterRef, version string) ([]string, error)
}
