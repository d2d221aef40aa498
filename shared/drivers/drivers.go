// Package drivers picks the driver of a cluster's orchestrator.
//
// It must never know what is done with it.
package drivers

import (
	"portolan/shared/ecs"
	"portolan/shared/environment"
	"portolan/shared/kubernetes"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/session"
	"portolan/shared/swarm"
)

// For returns what hands out drivers: for a cluster, by its facts, the one whose calls
// carry an operation's id as the name of their role session. A cluster without facts has
// the driver of ECS, which says that it is none yet. It is safe for concurrent use.
func For(env *environment.Environment, sessions *session.Sessions) func(*model.Cluster, string) orchestrator.Orchestrator {
	connections, swarms := &kubernetes.Connections{}, &swarm.Connections{}
	return func(cluster *model.Cluster, operation string) orchestrator.Orchestrator {
		config := sessions.Config(operation)
		switch {
		case cluster.Facts.Kubernetes != nil:
			return kubernetes.New(kubernetes.Config{
				AWS: config, WrapTransport: env.WrapTransport, Now: env.Now, Log: env.Log, Connections: connections,
			})
		case cluster.Facts.Swarm != nil:
			return swarm.New(swarm.Config{
				AWS: config, WrapTransport: env.WrapTransport, Now: env.Now, Log: env.Log, Connections: swarms,
			})
		}
		return ecs.NewFromConfig(config)
	}
}
