// Package drivers picks the orchestrator's driver for a cluster.
//
// Only functions that talk to orchestrators link it: it brings their clients.
package drivers

import (
	"portolan/shared/ecs"
	"portolan/shared/environment"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/session"
)

// For returns what makes the driver for a cluster, whose calls carry an operation's
// id as the name of their role session.
func For(_ *environment.Environment, sessions *session.Sessions) func(*model.Cluster, string) orchestrator.Orchestrator {
	return func(_ *model.Cluster, operation string) orchestrator.Orchestrator {
		return ecs.NewFromConfig(sessions.Config(operation))
	}
}
