package swarm

import (
	"cmp"
	"context"
	"slices"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// labelStack is by whom a service of a stack was made: docker stack deploy.
const labelStack = "com.docker.stack.namespace"

// Survey implements orchestrator.Surveyor. It makes three requests. The Engine API knows
// no rights: who has a certificate may do everything, so nothing is ever missing.
func (d *Driver) Survey(ctx context.Context, cluster orchestrator.ClusterRef, _ []contract.Verb) (orchestrator.Survey, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return orchestrator.Survey{}, err
	}
	version, err := c.engineVersion(ctx)
	if err != nil {
		return orchestrator.Survey{}, err
	}
	nodes, err := c.nodes(ctx)
	if err != nil {
		return orchestrator.Survey{}, err
	}
	all, err := c.services(ctx, client.Filters{})
	if err != nil {
		return orchestrator.Survey{}, err
	}
	s := orchestrator.Survey{Version: version, Nodes: len(nodes)}
	for i := range all {
		s.Workloads = append(s.Workloads, workloadOf(&all[i], cluster))
	}
	slices.SortFunc(s.Workloads, func(a, b orchestrator.Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	if more := len(s.Workloads) - orchestrator.WorkloadsMax; more > 0 {
		s.Workloads, s.More = s.Workloads[:orchestrator.WorkloadsMax], more
	}
	return s, nil
}

// engineVersion is that of the manager that answers.
func (c *connection) engineVersion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	out, err := c.client.Info(ctx, client.InfoOptions{})
	return out.Info.ServerVersion, classify(err, "asking for the version of cluster "+c.cluster.Name)
}

func workloadOf(s *swarm.Service, cluster orchestrator.ClusterRef) orchestrator.Workload {
	w := orchestrator.Workload{Namespace: s.Spec.Labels[labelStack], Kind: "Service", Name: s.Spec.Name, Replicas: replicasOf(s)}
	switch {
	case s.Spec.Mode.ReplicatedJob != nil, s.Spec.Mode.GlobalJob != nil:
		w.Kind = "Job"
	case isGlobal(s):
		w.Kind = "GlobalService"
	}
	if s.ServiceStatus != nil {
		w.Ready = int(s.ServiceStatus.RunningTasks)
		if w.Kind != "Service" {
			w.Replicas = int(s.ServiceStatus.DesiredTasks)
		}
	}
	if c := s.Spec.TaskTemplate.ContainerSpec; c != nil {
		w.Images = []string{c.Image}
	}
	if w.Namespace != "" {
		w.Managers = []string{"docker stack"}
	}
	if isOurs(s, orchestrator.ServiceRef{Cluster: cluster, Name: s.Spec.Name}) {
		w.Service, w.Managers = s.Spec.Name, []string{"portolan"}
	}
	return w
}
