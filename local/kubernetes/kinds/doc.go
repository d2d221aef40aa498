// Package kinds is what Kubernetes knows of each kind of object apart from what
// becomes of it: the names of its resource, its defaults, what is checked and set when
// one is created, changed or deleted, and how kubectl's tables show it. Messages are
// Kubernetes's own.
//
// It must never know of HTTP, and nothing in it happens by itself: controllers act.
package kinds
