package decide

import (
	"fmt"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// CheckPolicy returns what is wrong with a scaling policy beyond what its schema
// says.
func CheckPolicy(spec contract.PolicySpec) []fault.Field {
	var b blame
	b.exactlyOne("service", spec.Service, "nodePool", spec.NodePool)
	if spec.Adjustment == 0 {
		b.add("/adjustment", "must not be 0: a number of tasks or nodes to add, or with a minus to take away")
	}
	if spec.SizeMin > spec.SizeMax {
		b.add("/sizeMin", "must be at most sizeMax, which is %d, not %d", spec.SizeMax, spec.SizeMin)
	}
	return b
}

// exactlyOne blames when both of two fields are given, or neither.
func (b *blame) exactlyOne(one, oneValue, other, otherValue string) {
	switch {
	case oneValue == "" && otherValue == "":
		b.add("", "must have exactly one of %s and %s, and has neither", one, other)
	case oneValue != "" && otherValue != "":
		b.add("/"+other, "must be left out beside %s: exactly one of the two is given", one)
	}
}

// CheckPolicyTarget returns what is wrong with what a policy scales. service is
// nil when there is none of that name.
func CheckPolicyTarget(spec contract.PolicySpec, cluster *model.Cluster, service *model.Service) []fault.Field {
	var b blame
	switch {
	case spec.NodePool != "":
		if cluster.Pool(spec.NodePool) == nil {
			b.add("/nodePool", "%q is no node pool of cluster %s%s", spec.NodePool, cluster.Name(), poolsOf(cluster))
		}
		if cluster.Facts.Swarm != nil && spec.NodePool == orchestrator.SwarmManagersPool {
			b.managersPolicy(spec)
		}
	case !lives(service):
		b.noService(spec.Service, cluster)
	case service.Global:
		b.add("/service", "%q runs one task on each node, so there is no number of tasks to change", spec.Service)
	}
	return b
}

// managersPolicy blames a policy that could lead to a number of managers that no swarm
// may have: from an odd number, even steps between odd limits lead to odd numbers only.
func (b *blame) managersPolicy(spec contract.PolicySpec) {
	if spec.Adjustment%2 != 0 {
		b.add("/adjustment", "must be even for the managers of a swarm, not %d: they are 1, 3, 5 or 7, and an odd step "+
			"leads to an even number", spec.Adjustment)
	}
	if wrong := managerCount(spec.SizeMin); wrong != "" {
		b.add("/sizeMin", "%s", wrong)
	}
	if wrong := managerCount(spec.SizeMax); wrong != "" {
		b.add("/sizeMax", "%s", wrong)
	}
}

func poolsOf(c *model.Cluster) string {
	if len(c.NodePools) == 0 {
		return ", which has none"
	}
	text := "; there is: "
	for i, pool := range c.NodePools {
		if i > 0 {
			text += ", "
		}
		text += pool.Name
	}
	return text
}

// lives says whether a service exists and will go on to.
func lives(service *model.Service) bool {
	return service != nil && service.Status != contract.ServiceRetiring &&
		service.Status != contract.ServiceRetired
}

func (b *blame) noService(name string, cluster *model.Cluster) {
	b.add("/service", "%q is no service of cluster %s; put the service first", name, cluster.Name())
}

// PutPolicy decides what a description changes of a policy, which is nil for a new
// one. It says whether anything.
func PutPolicy(cluster *model.Cluster, name string, current *model.Policy,
	spec contract.PolicySpec) (model.Policy, bool) {
	if current == nil {
		return model.Policy{Cluster: cluster.Name(), Name: name, Team: cluster.Spec.Team, Spec: spec}, true
	}
	next := *current
	next.Spec = spec
	return next, current.Spec != spec
}

// DescribePolicy says in a few words what a policy does.
func DescribePolicy(spec contract.PolicySpec) string {
	target := "service " + spec.Service
	if spec.NodePool != "" {
		target = "node pool " + spec.NodePool
	}
	return fmt.Sprintf("%s by %+d between %d and %d", target, spec.Adjustment, spec.SizeMin, spec.SizeMax)
}
