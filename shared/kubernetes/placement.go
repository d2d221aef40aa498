package kubernetes

import (
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/contract"
)

// wellKnown are the labels that stand for attributes of the description:
// https://kubernetes.io/docs/reference/labels-annotations-taints/.
var wellKnown = map[string]string{
	"zone":         core.LabelTopologyZone,
	"instanceType": core.LabelInstanceTypeStable,
	"architecture": core.LabelArchStable,
}

// architectures are the names of ECS and EC2, in Kubernetes's words.
var architectures = map[string]string{"x86_64": "amd64"}

func affinity(constraints []contract.Constraint) *core.Affinity {
	if len(constraints) == 0 {
		return nil
	}
	var term core.NodeSelectorTerm
	for _, constraint := range constraints {
		requirement := core.NodeSelectorRequirement{
			Key: constraint.Attribute, Operator: core.NodeSelectorOpIn, Values: constraint.Values,
		}
		if known, ok := wellKnown[constraint.Attribute]; ok {
			requirement.Key = known
		}
		if constraint.Attribute == "architecture" {
			requirement.Values = nil
			for _, value := range constraint.Values {
				if known, ok := architectures[value]; ok {
					value = known
				}
				requirement.Values = append(requirement.Values, value)
			}
		}
		if constraint.Operator == contract.NotIn {
			requirement.Operator = core.NodeSelectorOpNotIn
		}
		term.MatchExpressions = append(term.MatchExpressions, requirement)
	}
	return &core.Affinity{NodeAffinity: &core.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &core.NodeSelector{
			NodeSelectorTerms: []core.NodeSelectorTerm{term},
		},
	}}
}

// spread spreads the tasks of each release by itself, so that a rollout does not see
// those that it replaces. It is a wish, as on the other orchestrators: a task that
// cannot be spread runs nevertheless.
func spread(service string, spec contract.ServiceSpec) []core.TopologySpreadConstraint {
	var result []core.TopologySpreadConstraint
	for _, over := range spec.Placement.Spread {
		key := core.LabelTopologyZone
		if over == contract.Node {
			key = core.LabelHostname
		}
		result = append(result, core.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: core.ScheduleAnyway,
			LabelSelector:  &meta.LabelSelector{MatchLabels: ofService(service)},
			MatchLabelKeys: []string{"pod-template-hash"},
		})
	}
	return result
}

func tolerations(tolerations []contract.Toleration) []core.Toleration {
	var result []core.Toleration
	for _, toleration := range tolerations {
		said := core.Toleration{
			Key: toleration.Key, Operator: core.TolerationOpExists, Effect: core.TaintEffect(toleration.Effect),
		}
		if toleration.Value != "" {
			said.Operator, said.Value = core.TolerationOpEqual, toleration.Value
		}
		result = append(result, said)
	}
	return result
}
