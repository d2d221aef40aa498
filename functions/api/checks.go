package api

import (
	"portolan/shared/contract"
	"portolan/shared/ecs/ecsspec"
	"portolan/shared/fault"
	"portolan/shared/model"
)

// Checks are the checks of all orchestrators.
func Checks() map[contract.Orchestrator]Check {
	return map[contract.Orchestrator]Check{contract.Ecs: checkECS}
}

func checkECS(spec contract.ServiceSpec, cluster *model.Cluster) []fault.Field {
	return ecsspec.Check(cluster.Spec.Ecs.Capacity, spec)
}
