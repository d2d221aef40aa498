package orchestrator

import "context"

// Glancer looks at many services of one cluster in few calls, and sees what drift is
// about.
type Glancer interface {
	// Glance returns of each service what it was told to run: Desired, Running,
	// Rollout.Release, Foreign and Scaler are those of Services.Observe, and the rest is zero.
	// A service that does not exist is not in it. It makes no more than one call for
	// ten services and one for each release of theirs that it did not see lately.
	Glance(ctx context.Context, cluster ClusterRef, services []string) (map[string]Observation, error)
}
