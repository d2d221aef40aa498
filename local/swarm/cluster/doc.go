// Package cluster is one swarm: its managers and their quorum, its nodes, services,
// tasks, secrets, configs and networks, and all that its leader and its agents do by
// themselves, in virtual time. It differs from a real one on purpose: managers share
// one state in place of a raft log, so that none of them ever lags behind; nothing
// listens on a task's address, and an image's name says how its containers fare:
//
//	fail-pull, pull-fail   the image is not there: rejected
//	fail-exit              exits with 1 at once
//	fail-crash, crash      exits with 1 soon after its start
//	fail-ready, unhealthy  never gets healthy
//	fail-later             gets healthy, and is unhealthy later
//
// The last two need a health check, which such an image brings along where the service
// has none of its own.
//
// Methods are called by one caller at a time, and so is what a Cluster gives Config.At.
//
// It must never know of HTTP, nor of what the control plane makes of a swarm.
package cluster
