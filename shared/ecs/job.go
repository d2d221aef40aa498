package ecs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/contract"
	"portolan/shared/ecs/ecsspec"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// TagJob is on a job's task definition and tasks, in place of TagService.
const TagJob = "portolan:job"

// jobFamily is the name of a job's task definitions. The two underscores keep it apart
// from every service's.
func jobFamily(job orchestrator.Job) string { return Family(job.Cluster.Name, "_"+job.Name) }

// RunJob implements orchestrator.Jobs. It makes some 14 calls at most: 4 to look for the
// job's tasks, 7 for the task definition, and one to run a task. ECS starts a task once
// for a client token, which is that of the operation and the number of the task.
func (d *Driver) RunJob(ctx context.Context, job orchestrator.Job) error {
	facts, err := factsOf(job.Cluster)
	if err != nil {
		return err
	}
	spec := orchestrator.AsService(job.Spec)
	if fields := ecsspec.Check(facts.Capacity, spec); len(fields) > 0 {
		return fault.NewInvalid(fields, "ECS cannot run job %s", job.Name)
	}
	tasks, err := d.jobTasks(ctx, facts, job)
	if err != nil {
		return err
	}
	number := 1
	if len(tasks) > 0 {
		if !jobSeen(job, tasks).Again {
			return nil
		}
		number = jobTaskNumber(tasks[len(tasks)-1]) + 1
	}
	input, err := jobDefinition(job, facts)
	if err != nil {
		return err
	}
	definition, err := d.registered(ctx, input)
	if err != nil {
		return err
	}
	return d.runTask(ctx, runTaskInput(job, facts, definition, number))
}

// jobDefinition is the task definition of a job.
func jobDefinition(job orchestrator.Job, facts orchestrator.ECSFacts) (*ecs.RegisterTaskDefinitionInput, error) {
	spec := orchestrator.AsService(job.Spec)
	if spec.Container == "" {
		spec.Container = job.Name
	}
	input, err := newDefinition(orchestrator.Release{
		Service: orchestrator.ServiceRef{Cluster: job.Cluster, Name: "_" + job.Name}, Spec: spec, Image: spec.Image,
		Operation: job.Operation,
	}, facts)
	if err != nil {
		return nil, err
	}
	input.Tags = slices.DeleteFunc(input.Tags, func(t types.Tag) bool {
		key := aws.ToString(t.Key)
		return key == TagService || key == TagRelease
	})
	input.Tags = append(input.Tags, tagsOf(TagJob, job.Name)...)
	return input, nil
}

func runTaskInput(job orchestrator.Job, facts orchestrator.ECSFacts, definition string, number int) *ecs.RunTaskInput {
	spec := orchestrator.AsService(job.Spec)
	input := &ecs.RunTaskInput{
		Cluster: aws.String(facts.ClusterARN), TaskDefinition: aws.String(definition), Count: aws.Int32(1),
		ClientToken:          aws.String(digest(facts.ClusterARN, job.Name, job.Operation, strconv.Itoa(number))[:32]),
		StartedBy:            aws.String(startedBy(job, number)),
		NetworkConfiguration: network(spec, facts), PlacementConstraints: constraints(spec),
		PropagateTags: types.PropagateTagsTaskDefinition,
	}
	switch {
	case facts.CapacityProvider != "":
		input.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{
			{CapacityProvider: aws.String(facts.CapacityProvider), Weight: 1},
		}
	case facts.Capacity == contract.FARGATE:
		input.LaunchType = types.LaunchTypeFargate
	default:
		input.LaunchType = types.LaunchTypeEc2
	}
	return input
}

// startedBy says which task of which operation's job a task is.
func startedBy(job orchestrator.Job, number int) string {
	return fmt.Sprintf("%s/%d", job.Operation, number)
}

func jobTaskNumber(task types.Task) int {
	_, number, _ := strings.Cut(aws.ToString(task.StartedBy), "/")
	n, _ := strconv.Atoi(number) // only numbers of ours are asked for
	return n
}

// runTask starts a task. ECS answers that there is no room as if all were well.
func (d *Driver) runTask(ctx context.Context, input *ecs.RunTaskInput) error {
	out, err := d.ecs.RunTask(ctx, input)
	if err != nil {
		err = fault.FromAWS(err, "running a task")
		if strings.Contains(err.Error(), "No Container Instances were found") {
			return fault.New(fault.Unavailable, "no capacity: the cluster has no node that takes tasks")
		}
		return err
	}
	if len(out.Tasks) > 0 {
		return nil
	}
	said := "it does not say why"
	if len(out.Failures) > 0 {
		said = aws.ToString(out.Failures[0].Reason)
	}
	for _, lack := range lacks {
		if strings.Contains(said, lack.said) {
			return fault.New(fault.Unavailable, "no capacity: %s", lack.means)
		}
	}
	return fault.New(fault.Unavailable, "ECS started no task: %s", said)
}

// jobTasks returns the tasks of a job that ECS still knows, in the order in which they
// were started. It makes at most 4 calls.
func (d *Driver) jobTasks(ctx context.Context, facts orchestrator.ECSFacts, job orchestrator.Job) ([]types.Task, error) {
	var tasks []types.Task
	for _, status := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		list, err := d.ecs.ListTasks(ctx, &ecs.ListTasksInput{
			Cluster: aws.String(facts.ClusterARN), Family: aws.String(jobFamily(job)), DesiredStatus: status,
		})
		if err != nil {
			return nil, fault.FromAWS(err, "listing tasks of job "+job.Name)
		}
		if len(list.TaskArns) == 0 {
			continue
		}
		out, err := d.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{
			Cluster: aws.String(facts.ClusterARN), Tasks: list.TaskArns,
		})
		if err != nil {
			return nil, fault.FromAWS(err, "describing tasks of job "+job.Name)
		}
		tasks = append(tasks, out.Tasks...)
	}
	prefix := job.Operation + "/"
	tasks = slices.DeleteFunc(tasks, func(t types.Task) bool { return !strings.HasPrefix(aws.ToString(t.StartedBy), prefix) })
	slices.SortFunc(tasks, func(a, b types.Task) int { return jobTaskNumber(a) - jobTaskNumber(b) })
	return tasks, nil
}

// ObserveJob implements orchestrator.Jobs. It makes at most 4 calls. ECS forgets a task
// an hour after it stopped.
func (d *Driver) ObserveJob(ctx context.Context, job orchestrator.Job) (orchestrator.JobObservation, error) {
	facts, err := factsOf(job.Cluster)
	if err != nil {
		return orchestrator.JobObservation{}, err
	}
	tasks, err := d.jobTasks(ctx, facts, job)
	if err != nil {
		return orchestrator.JobObservation{}, err
	}
	if len(tasks) == 0 {
		return orchestrator.JobObservation{}, fault.New(fault.NotFound, "ECS knows no task of job %q of cluster %q",
			job.Name, job.Cluster.Name)
	}
	return jobSeen(job, tasks), nil
}

// jobSeen says how far a job has come by its tasks, of which there is one or more. Each
// before the last one has failed, or there would be no later one.
func jobSeen(job orchestrator.Job, tasks []types.Task) orchestrator.JobObservation {
	last := tasks[len(tasks)-1]
	number := jobTaskNumber(last)
	seen := orchestrator.JobObservation{
		State: orchestrator.JobRunning, Task: lastPart(aws.ToString(last.TaskArn)), Failed: number - 1,
		StartedAt: aws.ToTime(tasks[0].CreatedAt),
	}
	if taskState(last) != orchestrator.TaskStopped {
		return seen
	}
	for _, container := range last.Containers {
		if container.ExitCode != nil {
			seen.ExitCode = new(int(*container.ExitCode))
		}
	}
	seen.EndedAt = aws.ToTime(last.StoppedAt)
	if last.StopCode == types.TaskStopCodeEssentialContainerExited && seen.ExitCode != nil && *seen.ExitCode == 0 {
		seen.State = orchestrator.JobSucceeded
		return seen
	}
	seen.Failed = number
	if seen.Reason, _ = explain(last); seen.Reason == "" {
		seen.Reason = "the task stopped, and ECS does not say why"
	}
	if number <= job.Spec.Retries {
		seen.Again = true
		return seen
	}
	seen.State = orchestrator.JobFailed
	return seen
}

// RemoveJob implements orchestrator.Jobs: it stops what runs, and deregisters the task
// definitions when nothing does. It makes some 8 calls at most.
func (d *Driver) RemoveJob(ctx context.Context, job orchestrator.Job) (left []string, err error) {
	facts, err := factsOf(job.Cluster)
	if err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	tasks, err := d.jobTasks(ctx, facts, job)
	if err != nil {
		return nil, err
	}
	for _, task := range tasks {
		state := taskState(task)
		if state == orchestrator.TaskStopped {
			continue
		}
		left = append(left, aws.ToString(task.TaskArn))
		if state == orchestrator.TaskStopping {
			continue
		}
		_, err := d.ecs.StopTask(ctx, &ecs.StopTaskInput{
			Cluster: aws.String(facts.ClusterARN), Task: task.TaskArn, Reason: aws.String("the job is stopped"),
		})
		if err := fault.IgnoreNotFound(fault.FromAWS(err, "stopping a task of job "+job.Name)); err != nil {
			return nil, err
		}
	}
	if len(left) > 0 {
		return left, nil
	}
	return d.removeFamily(ctx, jobFamily(job))
}
