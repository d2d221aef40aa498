package swarm

import (
	"context"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/orchestrator"
)

// Glance implements orchestrator.Glancer. It makes one request, however many services are
// asked for: the swarm counts their tasks itself.
func (d *Driver) Glance(ctx context.Context, cluster orchestrator.ClusterRef, names []string) (map[string]orchestrator.Observation, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return nil, err
	}
	all, err := c.services(ctx, client.Filters{}.Add("label", labelCluster+"="+cluster.Name))
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	seen := map[string]orchestrator.Observation{}
	for i := range all {
		s := &all[i]
		name := s.Spec.Name
		if !wanted[name] || !isOurs(s, orchestrator.ServiceRef{Cluster: cluster, Name: name}) {
			continue
		}
		o := orchestrator.Observation{Desired: replicasOf(s), Foreign: foreign(s)}
		if s.ServiceStatus != nil {
			o.Running = int(s.ServiceStatus.RunningTasks)
			if isGlobal(s) {
				o.Desired = int(s.ServiceStatus.DesiredTasks)
			}
		}
		if o.Foreign == "" {
			o.Rollout.Release = releaseOf(s.Spec.Labels)
		}
		seen[name] = o
	}
	return seen, nil
}

// services lists services with the numbers of their tasks.
func (c *connection) services(ctx context.Context, filters client.Filters) ([]swarm.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	out, err := c.client.ServiceList(ctx, client.ServiceListOptions{Filters: filters, Status: true})
	return out.Items, classify(err, "listing the services of cluster "+c.cluster.Name)
}
