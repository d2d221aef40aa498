// Package swarm is simulated Docker engines in swarm mode, in virtual time. Each speaks
// the Engine API 1.41 of a machine of its own, so that Docker's client drives it; what
// the swarm itself does is in package cluster. A call that Docker has and the simulation
// has not is answered with 501, and one that Docker has not with 404.
//
// It must never know what the control plane makes of a swarm.
package swarm
