package model

import (
	"time"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// Cluster is one orchestrator with its nodes.
type Cluster struct {
	// Spec is what the team asked for. The sizes in it are those of the first
	// request; NodePools has those of now.
	Spec   contract.ClusterSpec   `json:"spec"`
	Status contract.ClusterStatus `json:"status"`
	Reason string                 `json:"reason,omitempty"`

	// Generation is raised by each change of what is wanted; an operation that
	// ends well raises Observed to the generation that it put into effect.
	Generation int64 `json:"generation"`
	Observed   int64 `json:"observed"`

	NodePools []NodePool `json:"nodePools,omitempty"`

	// Stacks are the names of all stacks that the cluster may ever have, written
	// before the first is created: what is not listed here is not ours.
	Stacks []string `json:"stacks,omitempty"`

	// Facts are what provisioning found out about the cluster, and Endpoint is the
	// DNS name of its load balancer.
	Facts    orchestrator.Facts `json:"facts,omitzero"`
	Endpoint string             `json:"endpoint,omitempty"`

	// Survey names the last look at an adopted cluster, which kept what runs there.
	Survey string `json:"survey,omitempty"`

	// OrchestratorVersion is what the orchestrator said of itself when the cluster was
	// last looked at.
	OrchestratorVersion string `json:"orchestratorVersion,omitempty"`

	// Blockers are what the last look at an adopted cluster found in the way of its next
	// version.
	Blockers []string `json:"blockers,omitempty"`

	CreatedAt time.Time `json:"createdAt"`

	// Version is raised by each write, and each write names the one it read.
	Version int64 `json:"version"`
}

// Name is the cluster's name, unique in the control plane.
func (c *Cluster) Name() string { return c.Spec.Name }

// NodePool is the wanted and the seen size of nodes of one shape.
type NodePool struct {
	Name         string `json:"name"`
	Size         int    `json:"size"`
	SizeMax      int    `json:"sizeMax"`
	SizeObserved int    `json:"sizeObserved"`
}

// Pool returns the node pool of that name, or nil.
func (c *Cluster) Pool(name string) *NodePool {
	for i := range c.NodePools {
		if c.NodePools[i].Name == name {
			return &c.NodePools[i]
		}
	}
	return nil
}

// Ref is the cluster as the orchestrators' drivers know it.
func (c *Cluster) Ref() orchestrator.ClusterRef {
	return orchestrator.ClusterRef{Name: c.Name(), Team: c.Spec.Team, Facts: c.Facts}
}
