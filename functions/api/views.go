package api

import (
	"strings"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

func clusterView(c model.Cluster) contract.Cluster {
	out := contract.Cluster{
		Name: c.Name(), Team: c.Spec.Team, Orchestrator: c.Spec.Orchestrator, Drift: c.Spec.Drift,
		Status: c.Status, StatusReason: c.Reason, Generation: c.Generation, ObservedGeneration: c.Observed,
		Network: c.Spec.Network, Adopted: c.Spec.Adopted, Ecs: c.Spec.Ecs, Kubernetes: c.Spec.Kubernetes,
		Swarm: c.Spec.Swarm, Version: c.OrchestratorVersion, UpgradeBlockers: c.Blockers, Stacks: c.Stacks, Endpoint: c.Endpoint,
		CreatedAt: c.CreatedAt, NodePools: make([]contract.NodePool, len(c.NodePools)),
	}
	for i, pool := range c.NodePools {
		out.NodePools[i] = nodePoolView(&c, pool)
	}
	return out
}

// nodePoolView joins the sizes of now with the shape that was asked for.
func nodePoolView(c *model.Cluster, pool model.NodePool) contract.NodePool {
	out := contract.NodePool{
		Name: pool.Name, Size: pool.Size, SizeMax: pool.SizeMax, SizeObserved: pool.SizeObserved,
	}
	for _, spec := range c.Spec.NodePools {
		if spec.Name == pool.Name {
			out.InstanceType, out.Spot = spec.InstanceType, spec.Spot
			out.KeyPair, out.RootVolumeGiB = spec.KeyPair, spec.RootVolumeGiB
			out.RootVolumeType, out.EbsOptimized = spec.RootVolumeType, spec.EbsOptimized
		}
	}
	if m := c.Spec.Swarm.Managers; m.Count > 0 && pool.Name == orchestrator.SwarmManagersPool {
		out.InstanceType, out.KeyPair, out.RootVolumeGiB = m.InstanceType, m.KeyPair, m.RootVolumeGiB
		out.RootVolumeType, out.EbsOptimized = m.RootVolumeType, m.EbsOptimized
	}
	return out
}

// serviceView shows a service without its description.
func serviceView(v model.Service) contract.Service {
	return contract.Service{
		Name: v.Name, Cluster: v.Cluster, Team: v.Team, Status: v.Status, StatusReason: v.Reason,
		Replicas: v.Replicas, ReplicasObserved: v.ReplicasObserved,
		Generation: v.Generation, ObservedGeneration: v.Observed,
		Release: v.Release, ReleaseObserved: v.ReleaseObserved, Drift: v.Drift, CreatedAt: v.CreatedAt,
	}
}

// describedView shows a service with the description of the release wanted, so
// that putting what was got changes nothing.
func describedView(v model.Service, release *model.Release) contract.Service {
	out := serviceView(v)
	if release != nil {
		out.Spec = release.Spec
		if out.Spec.Mode != contract.Global {
			out.Spec.Replicas = &v.Replicas
		}
	}
	return out
}

func releaseView(r model.Release) contract.Release {
	_, digest, _ := strings.Cut(r.Image, "@")
	return contract.Release{
		Number: r.Number, Image: r.Spec.Image, ImageDigest: digest, Commit: r.Commit,
		Status: r.Status, Reason: r.Reason, Cause: r.Cause, CreatedAt: r.CreatedAt,
	}
}

func policyView(p model.Policy) contract.Policy {
	return contract.Policy{Name: p.Name, Cluster: p.Cluster, Spec: p.Spec, ScaledAt: p.ScaledAt}
}

func decisionView(d model.Decision) contract.Decision {
	return contract.Decision{
		Time: d.Time, AlarmState: d.AlarmState, From: d.From, To: d.To,
		Applied: d.Applied, Reason: d.Reason, Operation: d.Operation,
	}
}

func bindingView(b model.Binding) contract.Binding {
	return contract.Binding{Name: b.Name, Cluster: b.Cluster, Spec: b.Spec}
}

func operationView(o model.Operation) contract.Operation {
	return contract.Operation{
		Id: o.ID, Kind: o.Kind, Target: o.Target, Generation: o.Generation, Status: o.Status,
		Reason: o.Reason, Left: o.Left, Cause: o.Cause, NodePool: o.NodePool, Node: o.Node, Release: o.Release,
		Parent: o.Parent, Joined: o.Joined, Execution: o.Execution, Attempt: o.Attempt, CreatedAt: o.CreatedAt,
		StartedAt: o.StartedAt, EndedAt: o.EndedAt, Deadline: o.Deadline,
	}
}

func auditView(a model.AuditRecord) contract.AuditRecord {
	out := contract.AuditRecord{
		EventId: a.EventID, Time: a.Time, Who: a.Who, What: a.What, SourceIp: a.SourceIP,
		UserAgent: a.UserAgent, Region: a.Region, Service: a.Service, Error: a.Error,
		Detail: a.Detail, Operation: a.Operation,
	}
	if a.Task != nil {
		out.Task = *a.Task
	}
	return out
}
