// Package store keeps the objects of one simulated Kubernetes cluster, each with the
// revision of its last change, and the changes of the recent past, from which watches
// and consistent pages are answered. All of it is in memory; on disk are the objects.
//
// It must never know what a kind of object means: kinds do.
package store
