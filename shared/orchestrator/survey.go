package orchestrator

import (
	"context"

	"portolan/shared/contract"
)

// Surveyor is implemented by the orchestrators whose clusters can be adopted.
type Surveyor interface {
	// Survey looks at a cluster that somebody else made, and changes nothing. It
	// makes a bounded number of calls however much runs there.
	Survey(ctx context.Context, cluster ClusterRef, verbs []contract.Verb) (Survey, error)
}

// Survey is what an adopted cluster is like.
type Survey struct {
	// Version is the orchestrator's own, such as v1.34.2.
	Version string
	Nodes   int

	// Workloads are those that run there, by namespace, kind and name. More counts
	// those beyond WorkloadsMax that are not among them.
	Workloads []Workload
	More      int

	// Missing are the rights that the verbs asked for need and the credentials do
	// not have, in words such as "patch deployments.apps in namespace shop".
	Missing []string

	// Blockers say what stands in the way of the version after this one: nodes too old
	// for it, APIs in use that it has no more, disruption budgets that let no task go.
	// They are BlockersMax at most, and one that counts those beyond.
	Blockers []string
}

// BlockersMax bounds the blockers of a survey.
const BlockersMax = 20

// WorkloadsMax bounds the workloads of a survey.
const WorkloadsMax = 1000

// Workload is something that runs on an adopted cluster and starts tasks.
type Workload struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`

	// Images are those of its containers, in their order.
	Images   []string `json:"images"`
	Replicas int      `json:"replicas"`
	Ready    int      `json:"ready"`

	// Managers are who set its fields, such as kubectl, Helm or Argo CD.
	Managers []string `json:"managers,omitempty"`

	// Service is Portolan's service that it is; empty when it is none.
	Service string `json:"service,omitempty"`
}
