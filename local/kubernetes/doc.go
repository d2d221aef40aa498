// Package kubernetes is the API server of a simulated Kubernetes cluster, with its
// controllers, scheduler and nodes beneath it, in virtual time. It speaks Kubernetes's
// own protocol in JSON, for the resources that Portolan works with, so that client-go
// and kubectl drive it; what it does not know it refuses by name.
//
// It differs from a real one on purpose: what a controller or kubelet writes has no entry
// in managedFields; nothing listens on a pod's or a service's address, so probes are
// stored and an image's name says how they end; init containers pass at once; a cron job
// is stored and starts no jobs; an indexed job is run as a plain one; no pod is preempted.
//
// It must never know what the control plane makes of a cluster.
package kubernetes
