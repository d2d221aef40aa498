// Package kubernetes is the orchestrator contract on Kubernetes: a service is a
// Deployment (a DaemonSet in global mode) with a Service, an Ingress, a
// PodDisruptionBudget, a ServiceAccount and claims for its volumes, all of them
// applied by the server under a field manager of our own, so that what others set on
// them stays theirs.
//
// It must never know Portolan's state or decide what comes next. It deletes only what
// it made itself, which carries its labels, and no secret of a cluster's credentials
// ever gets into an error or a log.
package kubernetes
