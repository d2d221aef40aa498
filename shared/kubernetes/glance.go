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
// of Portolan's, and one for its DaemonSets where not all of the services are Deployments,
// however many are asked for; for one service it asks for that one. Scaler is told, too: with
// one, the number of tasks is no drift. Credentials that do not see all namespaces see the
// services of the cluster's own.
func (d *Driver) Glance(ctx context.Context, cluster orchestrator.ClusterRef, names []string) (map[string]orchestrator.Observation, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return nil, err
	}
	only := ""
	if len(names) == 1 {
		only = names[0]
	}
	missing := map[string]bool{}
	for _, name := range names {
		missing[name] = true
	}
	seen := map[string]orchestrator.Observation{}
	for _, k := range []kind{deployments, daemonSets} {
		all, err := c.workloads(ctx, k, "", only)
		if denied(err) {
			all, err = c.workloads(ctx, k, namespaceOf(orchestrator.ServiceRef{Cluster: cluster}), only)
		}
		if err != nil {
			return nil, err
		}
		for _, w := range all {
			if missing[w.Name] && w.Labels[labelService] == w.Name {
				seen[w.Name] = w.glance()
			}
		}
		for name := range seen {
			delete(missing, name)
		}
		if len(missing) == 0 {
			break
		}
	}
	return seen, nil
}

// glance is what a look from afar sees of a workload.
func (w *workload) glance() orchestrator.Observation {
	o := orchestrator.Observation{Desired: w.desired, Running: w.current, Foreign: w.foreign(), Scaler: scalerOf(w)}
	if o.Foreign == "" {
		o.Rollout.Release = releaseOf(w.Annotations)
	}
	return o
}

// workloads lists the Deployments or the DaemonSets of the cluster's services, or of only
// one of them.
func (c *connection) workloads(ctx context.Context, k kind, namespace, only string) ([]*workload, error) {
	s := selection{labels: labelManagedBy + "=" + manager + "," + labelPartOf + "=" + c.cluster.Name, limit: workloadsPage}
	if only != "" {
		s.labels += "," + labelService + "=" + only
	}
	var all []*workload
	for range workloadsPages {
		page, next, err := c.pageOf(ctx, k, namespace, s)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if s.next = next; next == "" {
			break
		}
	}
	return all, nil
}

// pageOf lists one page of them, and where the next one begins.
func (c *connection) pageOf(ctx context.Context, k kind, namespace string, s selection) (page []*workload, next string, err error) {
	if k == daemonSets {
		var list apps.DaemonSetList
		err = c.list(ctx, k, namespace, s, &list)
		for i := range list.Items {
			page = append(page, daemonSetSeen(&list.Items[i]))
		}
		return page, list.Continue, err
	}
	var list apps.DeploymentList
	err = c.list(ctx, k, namespace, s, &list)
	for i := range list.Items {
		page = append(page, deploymentSeen(&list.Items[i]))
	}
	return page, list.Continue, err
}
