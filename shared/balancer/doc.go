// Package balancer is what services have on a load balancer: target groups, rules of a
// listener that all share, and listeners of their own. Everything that it makes carries
// the tags of its service, and what does not carry them is left alone.
//
// It must never know which orchestrator runs the tasks behind it.
package balancer
