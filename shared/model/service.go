package model

import (
	"time"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// Service is a long-running workload on a cluster.
type Service struct {
	Cluster string                 `json:"cluster"`
	Name    string                 `json:"name"`
	Team    string                 `json:"team"`
	Status  contract.ServiceStatus `json:"status"`
	Reason  string                 `json:"reason,omitempty"`

	Generation int64 `json:"generation"`
	Observed   int64 `json:"observed"`

	// Replicas is the number of tasks wanted. It is no part of a release, so a
	// rollback leaves it alone.
	Replicas         int `json:"replicas"`
	ReplicasObserved int `json:"replicasObserved"`

	// Namespace is the one that the service was made in, where its orchestrator has
	// namespaces; the cluster's own when it is empty.
	Namespace string `json:"namespace,omitempty"`

	// Global is true for a service with one task on each node, whatever Replicas says.
	Global bool `json:"global,omitempty"`

	// Release is the newest release wanted, LastRelease the highest number ever
	// given, and ReleaseObserved the one in effect (0 before the first).
	Release         int64 `json:"release"`
	LastRelease     int64 `json:"lastRelease"`
	ReleaseObserved int64 `json:"releaseObserved"`

	// Drift says how what runs differs from what is wanted; empty when it does not.
	Drift string `json:"drift,omitempty"`

	CreatedAt time.Time `json:"createdAt"`
	Version   int64     `json:"version"`
}

// Ref is the service as the orchestrators' drivers know it.
func (s *Service) Ref(c *Cluster) orchestrator.ServiceRef {
	return orchestrator.ServiceRef{Cluster: c.Ref(), Name: s.Name, Namespace: s.Namespace}
}

// Release is one immutable version of a service's description.
type Release struct {
	Cluster string `json:"cluster"`
	Service string `json:"service"`
	Number  int64  `json:"number"`

	// Spec is the description without the number of replicas.
	Spec contract.ServiceSpec `json:"spec"`

	// Image is Spec.Image pinned by digest (repository@sha256:…) where the digest
	// is known.
	Image  string `json:"image"`
	Commit string `json:"commit,omitempty"`

	// BuiltAt is when the pipeline execution that built it started, or the image was
	// pushed or found by the sweeper; zero when none of them asked for it. What was built earlier does not take
	// its place.
	BuiltAt time.Time `json:"builtAt,omitzero"`

	Status    contract.ReleaseStatus `json:"status"`
	Reason    string                 `json:"reason,omitempty"`
	Cause     contract.Cause         `json:"cause"`
	CreatedAt time.Time              `json:"createdAt"`
}

// Policy says what to do while an alarm is in ALARM.
type Policy struct {
	Cluster  string              `json:"cluster"`
	Name     string              `json:"name"`
	Team     string              `json:"team"`
	Spec     contract.PolicySpec `json:"spec"`
	ScaledAt time.Time           `json:"scaledAt,omitzero"`
	Version  int64               `json:"version"`
}

// Decision is what was decided for a policy at one look at its alarm.
type Decision struct {
	Cluster    string    `json:"cluster"`
	Policy     string    `json:"policy"`
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	AlarmState string    `json:"alarmState"`
	From       int       `json:"from"`
	To         int       `json:"to"`
	Applied    bool      `json:"applied"`
	Reason     string    `json:"reason"`
	Operation  string    `json:"operation,omitempty"`
}

// Binding ties a pipeline or an image repository to a service.
type Binding struct {
	Cluster string               `json:"cluster"`
	Name    string               `json:"name"`
	Team    string               `json:"team"`
	Spec    contract.BindingSpec `json:"spec"`

	// ChangedAt is since when it is described so: what was pushed before is none of
	// its business.
	ChangedAt time.Time `json:"changedAt,omitzero"`
	Version   int64     `json:"version"`
}

// AuditRecord is one AWS call that concerned a cluster.
type AuditRecord struct {
	Cluster   string             `json:"cluster"`
	Service   string             `json:"service,omitempty"`
	EventID   string             `json:"eventId"`
	Time      time.Time          `json:"time"`
	Who       string             `json:"who"`
	What      string             `json:"what"`
	SourceIP  string             `json:"sourceIp,omitempty"`
	UserAgent string             `json:"userAgent,omitempty"`
	Region    string             `json:"region"`
	Error     string             `json:"error,omitempty"`
	Detail    string             `json:"detail,omitempty"`
	Operation string             `json:"operation,omitempty"`
	Task      *contract.TaskRole `json:"task,omitempty"`
}
