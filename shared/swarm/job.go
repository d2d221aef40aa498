package swarm

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/swarm/swarmspec"
)

// jobPrefix is how the service begins that a job is on the swarm. No service of ours has
// an underscore in its name, so the one is never taken for the other.
const jobPrefix = "job_"

// labelJob is on what a job made.
const labelJob = "portolan.job"

// forgotten is for how long a task that failed may be the last one before it is certain
// that the swarm starts no other: it decides so at once.
const forgotten = 10 * time.Second

// RunJob implements orchestrator.Jobs. It makes one request to look for the job, one for
// each kind of thing that it names (networks, secrets, configs), and one to make it. The
// swarm itself starts another task when one failed.
func (d *Driver) RunJob(ctx context.Context, job orchestrator.Job) error {
	facts, err := factsOf(job.Cluster)
	if err != nil {
		return err
	}
	cluster, spec := swarmspec.Cluster{Balanced: facts.ListenerARN != "", Logs: facts.LogGroup != ""}, orchestrator.AsService(job.Spec)
	if fields := swarmspec.Runnable(cluster, job.Name, spec); len(fields) > 0 {
		return fault.NewInvalid(fields, "Swarm cannot run job %s", job.Name)
	}
	c, err := d.connect(ctx, job.Cluster)
	if err != nil {
		return err
	}
	if existing, err := c.job(ctx, job); existing != nil || err != nil {
		return err
	}
	named, err := c.references(ctx, spec)
	if err != nil {
		return err
	}
	timed, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	_, err = c.client.ServiceCreate(timed, client.ServiceCreateOptions{Spec: jobSpec(job, facts, d.config.AWS.Region, named)})
	err = classify(err, "creating job "+job.Name)
	if !fault.IsConflict(err) {
		return err
	}
	// Somebody made it in between, or the answer to our own request was lost.
	if made, lookErr := c.job(ctx, job); made != nil && lookErr == nil {
		return nil
	}
	return err
}

// job returns the job as it is on the swarm; nil when there is none, and a Conflict when
// it is somebody else's.
func (c *connection) job(ctx context.Context, job orchestrator.Job) (*swarm.Service, error) {
	s, err := c.service(ctx, orchestrator.ServiceRef{Cluster: job.Cluster, Name: jobPrefix + job.Name})
	if s == nil || err != nil {
		return nil, err
	}
	labels := s.Spec.Labels
	if labels[labelJob] != job.Name || labels[labelCluster] != job.Cluster.Name || labels[labelOperation] != job.Operation {
		return nil, fault.New(fault.Conflict, "a service %q is on the swarm, and operation %s did not make it", s.Spec.Name, job.Operation)
	}
	return s, nil
}

// jobSpec says a job in the swarm's words.
func jobSpec(job orchestrator.Job, facts orchestrator.SwarmFacts, region string, named references) swarm.ServiceSpec {
	ref := orchestrator.ServiceRef{Cluster: job.Cluster, Name: jobPrefix + job.Name}
	w := workload{facts: facts, region: region, references: named, release: orchestrator.Release{
		Service: ref, Spec: orchestrator.AsService(job.Spec), Image: job.Spec.Image, Operation: job.Operation,
	}}
	spec := w.spec()
	spec.Labels = map[string]string{
		labelCluster: job.Cluster.Name, labelTeam: job.Cluster.Team, labelJob: job.Name, labelOperation: job.Operation,
	}
	labels := spec.TaskTemplate.ContainerSpec.Labels
	labels[labelJob] = job.Name
	delete(labels, labelRelease)
	delete(labels, labelService)
	spec.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: pointer(uint64(1)), TotalCompletions: pointer(uint64(1))}}
	// A job is not rolled out, and nobody calls it.
	spec.UpdateConfig, spec.RollbackConfig, spec.EndpointSpec = nil, nil, nil
	restart := &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone, Delay: pointer(restartDelay)}
	if job.Spec.Retries > 0 {
		restart.Condition, restart.MaxAttempts = swarm.RestartPolicyConditionOnFailure, pointer(uint64(job.Spec.Retries))
	}
	spec.TaskTemplate.RestartPolicy = restart
	return spec
}

// ObserveJob implements orchestrator.Jobs. It makes two requests.
func (d *Driver) ObserveJob(ctx context.Context, job orchestrator.Job) (orchestrator.JobObservation, error) {
	c, err := d.connect(ctx, job.Cluster)
	if err != nil {
		return orchestrator.JobObservation{}, err
	}
	s, err := c.job(ctx, job)
	if err != nil {
		return orchestrator.JobObservation{}, err
	}
	if s == nil {
		return orchestrator.JobObservation{}, fault.New(fault.NotFound, "cluster %q has no job %q", job.Cluster.Name, job.Name)
	}
	tasks, err := c.tasks(ctx, client.Filters{}.Add("service", s.Spec.Name))
	if err := fault.IgnoreNotFound(err); err != nil {
		return orchestrator.JobObservation{}, err
	}
	return jobObservation(job, s, tasks, d.config.Now()), nil
}

// jobObservation says how far the tasks of a job have come.
func jobObservation(job orchestrator.Job, s *swarm.Service, tasks []swarm.Task, now time.Time) orchestrator.JobObservation {
	seen := orchestrator.JobObservation{State: orchestrator.JobRunning, StartedAt: s.CreatedAt}
	slices.SortFunc(tasks, func(a, b swarm.Task) int { return a.CreatedAt.Compare(b.CreatedAt) })
	var last *swarm.Task
	waiting := false
	for i := range tasks {
		task := &tasks[i]
		seen.Task = task.ID
		switch state := task.Status.State; {
		case state == swarm.TaskStateComplete:
			return orchestrator.JobObservation{
				State: orchestrator.JobSucceeded, Task: task.ID, Failed: seen.Failed, ExitCode: pointer(0),
				StartedAt: s.CreatedAt, EndedAt: task.Status.Timestamp,
			}
		case ended(state):
			seen.Failed++
			last = task
		default:
			waiting = true
		}
	}
	if last != nil {
		seen.ExitCode, seen.EndedAt = exitCode(last), last.Status.Timestamp
	}
	for i := range tasks {
		seen.Reason = cmp.Or(troubleOf(&tasks[i]).reason, seen.Reason)
	}
	if last != nil && !waiting && (seen.Failed > job.Spec.Retries || now.Sub(last.Status.Timestamp) > forgotten+restartDelay) {
		seen.State, seen.Reason = orchestrator.JobFailed, cmp.Or(troubleOf(last).reason, seen.Reason, "its task was stopped")
		return seen
	}
	seen.EndedAt = time.Time{}
	return seen
}

// exitCode is that of a task whose container ran; nil otherwise.
func exitCode(task *swarm.Task) *int {
	if task.Status.State == swarm.TaskStateRejected || task.Status.ContainerStatus == nil {
		return nil
	}
	return pointer(task.Status.ContainerStatus.ExitCode)
}

// RemoveJob implements orchestrator.Jobs. It makes two requests while the job is there,
// and one that lists all tasks of the swarm afterwards: those of a service that is gone
// cannot be asked for.
func (d *Driver) RemoveJob(ctx context.Context, job orchestrator.Job) ([]string, error) {
	c, err := d.connect(ctx, job.Cluster)
	if err != nil {
		return nil, err
	}
	s, err := c.job(ctx, job)
	if fault.IsConflict(err) {
		return nil, nil // it is somebody else's
	}
	if err != nil {
		return nil, err
	}
	if s != nil {
		return []string{"job " + job.Name}, c.removeService(ctx, s)
	}
	all, err := c.tasks(ctx, client.Filters{})
	if err != nil {
		return nil, err
	}
	var left []string
	for i := range all {
		labels := containerLabels(&all[i].Spec)
		if labels[labelJob] == job.Name && labels[labelCluster] == job.Cluster.Name && alive(&all[i]) {
			left = append(left, "task "+all[i].ID)
		}
	}
	return left, nil
}
