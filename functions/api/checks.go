package api

import (
	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/ecs/ecsspec"
	"portolan/shared/fault"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/model"
	"portolan/shared/swarm/swarmspec"
)

// Checks are the checks of all orchestrators.
func Checks() map[contract.Orchestrator]Check {
	return map[contract.Orchestrator]Check{
		contract.Ecs: checkECS, contract.Kubernetes: checkKubernetes, contract.Swarm: checkSwarm,
	}
}

// JobChecks are the checks of the orchestrators that run jobs.
func JobChecks() map[contract.Orchestrator]Check {
	return map[contract.Orchestrator]Check{contract.Ecs: checkECS, contract.Kubernetes: checkKubernetes}
}

func checkKubernetes(name string, spec contract.ServiceSpec, cluster *model.Cluster) []fault.Field {
	// A cluster that Portolan makes is one of EKS, also before it is known under which name.
	eks := !decide.Adopted(cluster.Spec) || cluster.Spec.Kubernetes.EksCluster != ""
	return kubernetesspec.Check(kubernetesspec.Cluster{EKS: eks}, name, spec)
}

func checkECS(_ string, spec contract.ServiceSpec, cluster *model.Cluster) []fault.Field {
	return ecsspec.Check(cluster.Spec.Ecs.Capacity, spec)
}

func checkSwarm(name string, spec contract.ServiceSpec, cluster *model.Cluster) []fault.Field {
	made := !decide.Adopted(cluster.Spec)
	logs := cluster.Spec.Swarm.CloudWatchLogs
	return swarmspec.Check(swarmspec.Cluster{Balanced: made, Logs: made && (logs == nil || *logs)}, name, spec)
}
