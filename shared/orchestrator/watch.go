package orchestrator

import (
	"context"
	"time"
)

// Watcher is implemented by the orchestrators that send Portolan no events, and can
// be listened to instead.
type Watcher interface {
	// Watch listens to a service until its rollout has ended or the time has come,
	// and returns what it saw last. It asks once and then is told: it makes no more
	// calls the longer it listens, but for a connection that has to be made again.
	Watch(ctx context.Context, service ServiceRef, until time.Time) (Observation, error)
}
