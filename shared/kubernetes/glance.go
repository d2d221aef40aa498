package kubernetes

import (
	"context"

	apps "k8s.io/api/apps/v1"

	"portolan/shared/orchestrator"
)

// Bounds of looking at all services of a cluster: how many objects one request lists,
// and how many requests one list has.
const (
	workloadsPage  = 250
	workloadsPages = 20
)

// Glance implements orchestrator.Glancer. It makes one request for each 250 Deployments
// of Portolan's and one for its DaemonSets, however many services are asked for; for one
// service it asks for that one. Scaler is told, too: with one, the number of tasks is no
// drift. Credentials that do not see all namespaces see the services of the cluster's own.
func (d *Driver) Glance(ctx context.Context, cluster orchestrator.ClusterRef, names []string) (map[string]orchestrator.Observation, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return nil, err
	}
	only := ""
	if len(names) == 1 {
		only = names[0]
	}
	all, err := c.workloads(ctx, "", only)
	if denied(err) {
		all, err = c.workloads(ctx, namespaceOf(orchestrator.ServiceRef{Cluster: cluster}), only)
	}
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	seen := map[string]orchestrator.Observation{}
	for _, w := range all {
		if !wanted[w.Name] || w.Labels[labelService] != w.Name {
			continue
		}
		o := orchestrator.Observation{Desired: w.desired, Running: w.current, Foreign: w.foreign(), Scaler: scalerOf(w)}
		if o.Foreign == "" {
			o.Rollout.Release = releaseOf(w.Annotations)
		}
		seen[w.Name] = o
	}
	return seen, nil
}

// workloads lists the workloads of the cluster's services, or of only one of them.
func (c *connection) workloads(ctx context.Context, namespace, only string) ([]*workload, error) {
	ours := labelManagedBy + "=" + manager + "," + labelPartOf + "=" + c.cluster.Name
	if only != "" {
		ours += "," + labelService + "=" + only
	}
	var all []*workload
	s := selection{labels: ours, limit: workloadsPage}
	for range workloadsPages {
		var page apps.DeploymentList
		if err := c.list(ctx, deployments, namespace, s, &page); err != nil {
			return nil, err
		}
		for i := range page.Items {
			all = append(all, deploymentSeen(&page.Items[i]))
		}
		if s.next = page.Continue; s.next == "" {
			break
		}
	}
	s = selection{labels: ours, limit: workloadsPage}
	for range workloadsPages {
		var page apps.DaemonSetList
		if err := c.list(ctx, daemonSets, namespace, s, &page); err != nil {
			return nil, err
		}
		for i := range page.Items {
			all = append(all, daemonSetSeen(&page.Items[i]))
		}
		if s.next = page.Continue; s.next == "" {
			break
		}
	}
	return all, nil
}
