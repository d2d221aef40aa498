// Package controllers is what happens by itself in a simulated Kubernetes cluster:
// its controllers, its scheduler, and the kubelets of its nodes. Each is woken by a
// change that concerns it, looks at what is there and brings it one step nearer to
// what is asked for, a moment later in virtual time, in an order that a seed decides.
//
// A substring of a container's image, or of a tag that the image was pushed with,
// chooses how the container fares:
//
//	fail-pull, pull-fail   ErrImagePull and ImagePullBackOff
//	fail-exit              ends with exit code 1
//	fail-crash, crash      ends with exit code 1 soon after each start: CrashLoopBackOff
//	fail-ready, unhealthy  runs, and never gets ready
//	fail-later             gets ready, and is unready five seconds afterwards
//
// Any other gets ready, and one of a job succeeds. The annotations testbed/ready-delay
// and testbed/run-time of a pod (such as 5s) say when. A node with the annotation
// testbed/dead has a kubelet that does nothing any more.
//
// It must never know of requests or of HTTP.
package controllers
