package kubernetes

import (
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"portolan/shared/contract"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/orchestrator"
)

// serviceOf gives the tasks one address within the cluster.
func serviceOf(release orchestrator.Release) core.Service {
	result := core.Service{Spec: core.ServiceSpec{
		Type: core.ServiceTypeClusterIP, Selector: ofService(release.Service.Name),
	}}
	for _, port := range release.Spec.Ports {
		result.Spec.Ports = append(result.Spec.Ports, core.ServicePort{
			Name: portName(port), Port: int32(port.ContainerPort), TargetPort: intstr.FromInt(port.ContainerPort),
			Protocol: protocolOf(port),
		})
	}
	return result
}

// ingressOf routes requests to the tasks by path and host.
func ingressOf(release orchestrator.Release) networking.Ingress {
	spec := release.Spec
	result := networking.Ingress{ObjectMeta: meta.ObjectMeta{Annotations: map[string]string{
		// What the AWS Load Balancer Controller wants to be told; others do not read it.
		"alb.ingress.kubernetes.io/target-type":      "ip",
		"alb.ingress.kubernetes.io/healthcheck-path": healthCheckPath(spec.LoadBalancer),
	}}}
	if class := spec.Kubernetes.IngressClass; class != "" {
		result.Spec.IngressClassName = &class
	}
	backend := networking.IngressBackend{Service: &networking.IngressServiceBackend{
		Name: release.Service.Name, Port: networking.ServiceBackendPort{Number: int32(spec.LoadBalancer.ContainerPort)},
	}}
	for _, rule := range spec.LoadBalancer.Rules {
		paths := ingressPaths(rule, backend)
		hosts := rule.Hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, host := range hosts {
			result.Spec.Rules = append(result.Spec.Rules, networking.IngressRule{
				Host:             host,
				IngressRuleValue: networking.IngressRuleValue{HTTP: &networking.HTTPIngressRuleValue{Paths: paths}},
			})
		}
	}
	return result
}

func ingressPaths(rule contract.RoutingRule, backend networking.IngressBackend) []networking.HTTPIngressPath {
	paths := rule.Paths
	if len(paths) == 0 {
		paths = []string{"/*"}
	}
	var result []networking.HTTPIngressPath
	for _, path := range paths {
		said, below, _ := kubernetesspec.Path(path)
		kind := networking.PathTypeExact
		if below {
			kind = networking.PathTypePrefix
		}
		result = append(result, networking.HTTPIngressPath{Path: said, PathType: &kind, Backend: backend})
	}
	return result
}

// budgetOf says how many tasks others may move away at a time: as many as a rollout
// may do without, and at least one, because a budget of none would block each upgrade
// of a node by whoever else does it. A task that is not healthy is in nobody's way.
func budgetOf(release orchestrator.Release) policy.PodDisruptionBudget {
	without := intstr.FromInt(1)
	if lowest := release.Spec.Rollout.HealthyPercentMin; lowest != nil && *lowest < 100 {
		without = percent(100 - *lowest)
	}
	always := policy.AlwaysAllow
	return policy.PodDisruptionBudget{Spec: policy.PodDisruptionBudgetSpec{
		MaxUnavailable: &without, UnhealthyPodEvictionPolicy: &always,
		Selector: &meta.LabelSelector{MatchLabels: ofService(release.Service.Name)},
	}}
}
