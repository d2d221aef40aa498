package swarm

import (
	"encoding/json"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/contract/schema/schematest"
	"portolan/shared/decide"
	"portolan/shared/orchestrator"
	"portolan/shared/swarm/swarmspec"
)

// made is what a swarm that Portolan made has to give.
var made = swarmspec.Cluster{Balanced: true, Logs: true}

var madeFacts = orchestrator.SwarmFacts{LoadBalancerARN: "balancer", ListenerARN: "listener", LogGroup: "logs"}

// named are ids of whatever a description names.
var named = references{
	networks: map[string]string{"front": "n-1", "backend": "n-2"}, secrets: map[string]string{"database": "s-1", "backend": "s-2"},
	configs: map[string]string{"web": "c-1", "backend": "c-2"},
}

// fullService says something wherever a field means nothing without another one.
func fullService() contract.ServiceSpec {
	return contract.ServiceSpec{
		Image: "web:1", Memory: contract.Memory{LimitMiB: 64}, HealthCheck: contract.HealthCheck{Command: []string{"check"}},
		Rollout:      contract.Rollout{HealthyPercentMax: 110}, // with no room for one of four more
		Ports:        []contract.Port{{ContainerPort: 8080, HostPort: 443}},
		LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, Rules: []contract.RoutingRule{{Paths: []string{"/"}}}},
		Volumes:      []contract.Volume{{Name: "data", ContainerPath: "/srv", FileSystemId: "fs-1"}},
		Placement:    contract.Placement{Constraints: []contract.Constraint{{Attribute: "rack", Operator: contract.In, Values: []string{"a"}}}},
		Swarm: contract.SwarmService{
			Networks: []string{"front"}, Configs: []contract.SwarmFile{{Name: "web"}}, SecretFiles: []contract.SwarmFile{{Name: "database"}},
			Mounts:       []contract.SwarmMount{{Volume: "cache", ContainerPath: "/tmp"}},
			Certificates: []contract.ListenerCertificate{{Port: 443, Certificate: "arn"}},
		},
	}
}

func asText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A field that is added to the description of services has to be decided for swarms too.
func TestEachFieldOfAServiceIsUsedOrRefused(t *testing.T) {
	refused := func(spec contract.ServiceSpec) bool {
		return len(append(decide.CheckService(spec), swarmspec.Check(made, "web", spec)...)) > 0
	}
	effect := func(spec contract.ServiceSpec) string {
		release := orchestrator.Release{Service: orchestrator.ServiceRef{Name: "web"}, Spec: spec, Image: spec.Image, Replicas: 4}
		if spec.Replicas != nil {
			release.Replicas = *spec.Replicas
		}
		w := workload{release: release, facts: madeFacts, references: named}
		return asText(t, []any{w.spec(), listening(spec, madeFacts), deadline(spec)})
	}
	schematest.Decided(t, "ServiceSpec", fullService(), refused, effect, map[string]string{
		"/loadBalancer/healthCheckPath": "TestPublishedPortsBecomeListeners", "/loadBalancer/rules/0/paths/0": "TestPublishedPortsBecomeListeners",
		"/swarm/certificates/0/certificate": "TestPublishedPortsBecomeListeners",
	})
}

// What a job says beyond that is about its tries.
func TestEachFieldOfAJobIsUsedOrRefused(t *testing.T) {
	refused := func(spec contract.JobSpec) bool {
		return len(append(decide.CheckJob(spec), swarmspec.Check(made, "migrate", orchestrator.AsService(spec))...)) > 0
	}
	effect := func(spec contract.JobSpec) string {
		job := orchestrator.Job{Name: "migrate", Spec: spec}
		return asText(t, []any{jobSpec(job, madeFacts, "", named), job.Deadline()})
	}
	full := fullService()
	schematest.Decided(t, "JobSpec", contract.JobSpec{
		Image: full.Image, Memory: full.Memory, Placement: full.Placement,
		Swarm: contract.SwarmJob{Networks: full.Swarm.Networks, Configs: full.Swarm.Configs, SecretFiles: full.Swarm.SecretFiles, Mounts: full.Swarm.Mounts},
	}, refused, effect, nil)
}
