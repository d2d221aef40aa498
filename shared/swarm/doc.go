// Package swarm is the orchestrator contract on Docker engines in swarm mode: a service
// is a swarm service whose labels tell of the release, and each published port of it is
// a listener of the cluster's load balancer. Beneath the contract it has what a swarm is
// made by, engine by engine: look, init, join, leave, tokens.
//
// It must never know Portolan's state or decide what comes next. It removes only what
// carries Portolan's labels or tags, and no certificate, key or token of a cluster ever
// gets into an error or a log.
package swarm
