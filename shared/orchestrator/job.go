package orchestrator

import (
	"context"
	"time"

	"portolan/shared/contract"
)

// Jobs runs workloads that end by themselves. It is implemented where Capabilities.Jobs
// is true.
type Jobs interface {
	// RunJob starts a job that is not there, and the next task of one whose last task
	// failed, as often as its retries say. What runs or has ended is not started again
	// under the same operation. Conflict when somebody else has something of its name;
	// Unavailable when there is no room for it now.
	RunJob(ctx context.Context, job Job) error

	// ObserveJob looks at a job. NotFound when the orchestrator does not know it: it was
	// never started, was removed, or ended so long ago that it is forgotten.
	ObserveJob(ctx context.Context, job Job) (JobObservation, error)

	// RemoveJob takes the next step of removing a job and returns what is left, by ARN or
	// name. It stops what still runs. A job that does not exist is removed.
	RemoveJob(ctx context.Context, job Job) (left []string, err error)
}

// Job is a run-once workload.
type Job struct {
	Cluster ClusterRef
	Name    string
	Spec    contract.JobSpec

	// Operation is the id of the operation that asked for the job first. It tells this
	// job from an earlier one of its name.
	Operation string
}

// Namespace is where the job is, where an orchestrator has namespaces; the cluster's own
// when it is empty.
func (j Job) Namespace() string { return j.Spec.Kubernetes.Namespace }

// Deadline is how long the job may take, from when it was started first.
func (j Job) Deadline() time.Duration {
	if j.Spec.DeadlineSeconds == 0 {
		return DefaultJobDeadline
	}
	return time.Duration(j.Spec.DeadlineSeconds) * time.Second
}

// DefaultJobDeadline is how long a job may take whose description does not say.
const DefaultJobDeadline = time.Hour

// AsService is a job's description in the words of a service's, for what the two have in
// common.
func AsService(spec contract.JobSpec) contract.ServiceSpec {
	return contract.ServiceSpec{
		Container: spec.Container, Image: spec.Image, Command: spec.Command, Environment: spec.Environment,
		Secrets: spec.Secrets, Cpu: spec.Cpu, Memory: spec.Memory, Role: spec.Role, Placement: spec.Placement,
		Logging: spec.Logging, Ecs: spec.Ecs, Kubernetes: spec.Kubernetes,
		Swarm: contract.SwarmService{
			Networks: spec.Swarm.Networks, Configs: spec.Swarm.Configs, SecretFiles: spec.Swarm.SecretFiles, Mounts: spec.Swarm.Mounts,
		},
	}
}

// JobState is how far a job has come; it only moves forward.
type JobState string

const (
	// JobRunning jobs have a task that runs or is about to, or will have another one.
	JobRunning JobState = "Running"

	// JobSucceeded means that a task ended well.
	JobSucceeded JobState = "Succeeded"

	// JobFailed means that as many tasks failed as may, or that none can ever run.
	JobFailed JobState = "Failed"
)

// JobObservation is what a job is like at one moment.
type JobObservation struct {
	State JobState

	// Reason says in words that a developer understands why it failed, or what keeps it
	// from running; empty when nothing is wrong.
	Reason string

	// ExitCode is that of the task that ended last; nil before one did.
	ExitCode *int

	// Task is the id of the newest task, and Failed counts those that failed.
	Task   string
	Failed int

	// Again is true when the last task failed and RunJob has to start the next one.
	Again bool

	StartedAt, EndedAt time.Time
}
