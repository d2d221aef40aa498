package model

import (
	"time"

	"portolan/shared/contract"
)

// Job is a run-once workload on a cluster.
type Job struct {
	Cluster string             `json:"cluster"`
	Name    string             `json:"name"`
	Team    string             `json:"team"`
	Spec    contract.JobSpec   `json:"spec"`
	Status  contract.JobStatus `json:"status"`
	Reason  string             `json:"reason,omitempty"`

	// Operation is the id of the operation that asked for the job first. What the
	// orchestrator starts is named or marked by it, so that nothing starts twice.
	Operation string `json:"operation"`

	// ExitCode is that of the task that ended last, Task the newest one, and TasksFailed
	// how many failed.
	ExitCode    *int   `json:"exitCode,omitempty"`
	Task        string `json:"task,omitempty"`
	TasksFailed int    `json:"tasksFailed,omitempty"`

	// Left names what could not be removed from the cluster.
	Left []string `json:"left,omitempty"`

	// StartedAt is when it was first about to be started; its deadline counts from then.
	CreatedAt time.Time `json:"createdAt"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	Version   int64     `json:"version"`
}
