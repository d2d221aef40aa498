// Package eks is Amazon EKS of the embedded AWS: clusters, each of which is a simulated
// Kubernetes cluster, their node groups, add-ons, access entries and Pod Identity.
//
// What it needs of other services it has made there: an Auto Scaling group for each node
// group, whose instances join as nodes, and a security group for each cluster. It differs
// from a real one on purpose: node groups launch by the launch template that they were
// given and not by a copy of it, and an image is known by its version only.
//
// It must never know what the control plane makes of a cluster.
package eks
