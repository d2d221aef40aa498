package kubernetes

import (
	"context"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

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
func (c *connection) pageOf(ctx context.Context, k kind, namespace string, s selection) ([]*workload, string, error) {
	var list struct {
		Metadata meta.ListMeta `json:"metadata"`
		Items    []afar        `json:"items"`
	}
	err := c.list(ctx, k, namespace, s, &list)
	page := make([]*workload, 0, len(list.Items))
	for i := range list.Items {
		page = append(page, list.Items[i].seen(k))
	}
	return page, list.Metadata.Continue, err
}

// An afar is what a look from afar reads of a Deployment or a DaemonSet. Most of the answer is
// passed over, which costs a part of reading it.
type afar struct {
	Metadata meta.ObjectMeta `json:"metadata"`
	Spec     struct {
		Replicas *int `json:"replicas"`
		Template struct {
			Metadata struct {
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
			Spec struct {
				Containers []struct {
					Image string `json:"image"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		Replicas               int `json:"replicas"`
		DesiredNumberScheduled int `json:"desiredNumberScheduled"`
		CurrentNumberScheduled int `json:"currentNumberScheduled"`
	} `json:"status"`
}

func (a *afar) seen(k kind) *workload {
	w := &workload{ObjectMeta: a.Metadata, kind: k, desired: 1, current: a.Status.Replicas}
	switch {
	case k == daemonSets:
		w.desired, w.current = a.Status.DesiredNumberScheduled, a.Status.CurrentNumberScheduled
	case a.Spec.Replicas != nil:
		w.desired = *a.Spec.Replicas
	}
	w.template.Annotations = a.Spec.Template.Metadata.Annotations
	for _, container := range a.Spec.Template.Spec.Containers {
		w.template.Spec.Containers = append(w.template.Spec.Containers, core.Container{Image: container.Image})
	}
	return w
}
