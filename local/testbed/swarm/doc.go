// Package swarm is real Docker engines on one machine, for tests: dockerd from
// Debian's packages, each a host of its own with its own network, host name, processes
// and data, on a private bridge. They are reached with mutual TLS on port 2376, as
// engines in production are, and on a socket. It needs root on Linux.
//
// On the bridge is a registry too, which answers for every name of registries that the
// Config lists. Its images are one static program each, which behaves as the image's
// tag or name says; Workloads lists them.
//
// All of it ends with the process that started it, however that ends: an engine, its
// containerd, its containers, its mounts and its network live in namespaces whose first
// process the kernel kills with its parent. What is then left on disk is removed by the
// next testbed that takes its place.
//
// It makes no swarm of its engines: that is the matter of what is tested.
package swarm
