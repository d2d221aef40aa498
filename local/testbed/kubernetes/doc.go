// Package kubernetes is a real Kubernetes on one machine, for tests: etcd,
// kube-apiserver, kube-controller-manager and kube-scheduler as they are released,
// and kwok, which plays the nodes. Nothing is installed and no container runs: the
// Go toolchain builds the five from the sources that the module proxy has.
//
// Objects are stored, checked, reconciled, scheduled, evicted and refused as in any
// cluster. What is played is a pod's life on its node; a substring of the name of its
// first container's image chooses it:
//
//	fail-pull   Pending with ImagePullBackOff, never ready
//	fail-crash  CrashLoopBackOff, one more restart every 5 s, never ready
//	fail-ready  runs, and never passes its readiness probe
//	fail-later  gets ready, and is unready 5 s afterwards
//	fail-exit   ends at once with exit code 1, as a job that fails
//
// Any other pod is ready at once, and a job's pod succeeds. The annotation
// testbed/ready-delay (such as 5s) delays the first, testbed/run-time the end of a
// job's pod. A node with the annotation testbed/dead is not ready until it is removed.
//
// Probes, limits, environments and commands are therefore stored and without effect;
// nothing listens on a pod's or a service's address, and there is no metrics server.
//
// It must never know what the control plane makes of a cluster.
package kubernetes
