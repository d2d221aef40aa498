package decide

import (
	"portolan/shared/contract"
	"portolan/shared/fault"
)

// CheckService returns what is wrong with a description of a service beyond what
// its schema says, on whatever orchestrator.
func CheckService(spec contract.ServiceSpec) []fault.Field {
	var b blame
	if spec.Mode == contract.Global && spec.Replicas != nil {
		b.add("/replicas", "must be left out in mode global, which runs one task on each node")
	}
	return b
}
