package kubernetes

import (
	"context"
	"fmt"

	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"

	"portolan/shared/fault"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/orchestrator"
)

const (
	// skewMax is how many minor versions a kubelet may be older than the API server.
	// https://kubernetes.io/releases/version-skew-policy/
	skewMax = 3

	// budgetsPagesMax bounds the disruption budgets that are looked at.
	budgetsPagesMax = 20
	budgetsPage     = 250
)

// Blockers implements orchestrator.Upgrader. It makes one request for each 250 nodes
// and each 250 disruption budgets, 20 at most of either. Which APIs are in use that the
// version has no more is EKS's to say.
func (d *Driver) Blockers(ctx context.Context, cluster orchestrator.ClusterRef, version string) ([]string, error) {
	to, ok := kubernetesspec.Minor(version)
	if !ok {
		return nil, fault.New(fault.Invalid, "%q is no version such as 1.35", version)
	}
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return nil, err
	}
	blockers, err := c.oldNodes(ctx, to)
	if err != nil {
		return nil, err
	}
	budgets, err := c.fullBudgets(ctx)
	if err != nil {
		return nil, err
	}
	return append(blockers, budgets...), nil
}

// oldNodes names the nodes whose kubelets the new API server would not talk to.
func (c *connection) oldNodes(ctx context.Context, to int) (blockers []string, err error) {
	s := selection{limit: nodesPage}
	for range nodesPagesMax {
		var list core.NodeList
		if err := c.list(ctx, nodes, "", s, &list); err != nil {
			return nil, err
		}
		for _, node := range list.Items {
			kubelet := node.Status.NodeInfo.KubeletVersion
			if has, ok := kubernetesspec.Minor(kubelet); ok && has < to-skewMax {
				blockers = append(blockers, fmt.Sprintf("node %s has kubelet %s, and 1.%d needs 1.%d at least: replace the node first",
					node.Name, kubelet, to, to-skewMax))
			}
		}
		if s.next = list.Continue; s.next == "" {
			break
		}
	}
	return blockers, nil
}

// fullBudgets names the disruption budgets that let no pod go, on which each drain
// would wait for ever.
func (c *connection) fullBudgets(ctx context.Context) (blockers []string, err error) {
	s := selection{limit: budgetsPage}
	for range budgetsPagesMax {
		var list policy.PodDisruptionBudgetList
		if err := c.list(ctx, budgets, "", s, &list); err != nil {
			return nil, err
		}
		for _, budget := range list.Items {
			if status := budget.Status; status.ExpectedPods > 0 && status.DisruptionsAllowed == 0 {
				blockers = append(blockers, fmt.Sprintf(
					"%s lets none of its %d pods go (%d are healthy, %d have to be): add a pod, mend those that are not healthy, or widen it",
					budgets.say(budget.Namespace, budget.Name), status.ExpectedPods, status.CurrentHealthy, status.DesiredHealthy))
			}
		}
		if s.next = list.Continue; s.next == "" {
			break
		}
	}
	return blockers, nil
}
