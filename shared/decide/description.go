package decide

import (
	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
)

// CheckMove returns what is wrong with a description of a service that is there: a
// service cannot move to another namespace. current is nil for a new one.
func CheckMove(current *model.Service, spec contract.ServiceSpec) []fault.Field {
	var b blame
	if current != nil && current.Status != contract.ServiceRetired && current.Namespace != spec.Kubernetes.Namespace {
		b.add("/kubernetes/namespace", "must stay %q for the service's life, not %q; retire the service to move it",
			current.Namespace, spec.Kubernetes.Namespace)
	}
	return b
}

// CheckService returns what is wrong with a description of a service beyond what
// its schema says, on whatever orchestrator.
func CheckService(spec contract.ServiceSpec) []fault.Field {
	var b blame
	if spec.Mode == contract.Global && spec.Replicas != nil {
		b.add("/replicas", "must be left out in mode global, which runs one task on each node")
	}
	return b
}
