package api

import (
	"reflect"

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
	return Checks()
}

func checkKubernetes(name string, spec contract.ServiceSpec, cluster *model.Cluster) []fault.Field {
	// A cluster that Portolan makes is one of EKS, also before it is known under which name.
	eks := !decide.Adopted(cluster.Spec) || cluster.Spec.Kubernetes.EksCluster != ""
	return append(notSwarm("Kubernetes", spec), kubernetesspec.Check(kubernetesspec.Cluster{EKS: eks}, name, spec)...)
}

func checkECS(_ string, spec contract.ServiceSpec, cluster *model.Cluster) []fault.Field {
	return append(notSwarm("ECS", spec), ecsspec.Check(cluster.Spec.Ecs.Capacity, spec)...)
}

// notSwarm refuses what only a swarm knows.
func notSwarm(orchestrator string, spec contract.ServiceSpec) []fault.Field {
	if reflect.ValueOf(spec.Swarm).IsZero() {
		return nil
	}
	return []fault.Field{{Pointer: "/swarm", Detail: orchestrator + ": is for swarm"}}
}

func checkSwarm(name string, spec contract.ServiceSpec, cluster *model.Cluster) []fault.Field {
	made := !decide.Adopted(cluster.Spec)
	logs := cluster.Spec.Swarm.CloudWatchLogs
	return swarmspec.Check(swarmspec.Cluster{Balanced: made, Logs: made && (logs == nil || *logs)}, name, spec)
}
