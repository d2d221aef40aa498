package ecs

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Tasks implements orchestrator.Tasks. It makes two calls, and one for each task
// definition on the page, of which there are as many as releases run at a time.
// Healthy is what the container's own health check says, where it has one; the
// load balancer's is not in it. ECS forgets stopped tasks after an hour.
func (d *Driver) Tasks(
	ctx context.Context, query orchestrator.TaskQuery,
) (orchestrator.TaskPage, error) {
	facts, err := factsOf(query.Service.Cluster)
	if err != nil {
		return orchestrator.TaskPage{}, err
	}
	status := types.DesiredStatusRunning
	if query.Stopped {
		status = types.DesiredStatusStopped
	}
	list, err := d.ecs.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster:       aws.String(facts.ClusterARN),
		ServiceName:   aws.String(query.Service.Name),
		DesiredStatus: status,
		MaxResults:    pageSize(query.Limit),
		NextToken:     optional(query.Next),
	})
	err = fault.FromAWS(err, "listing tasks of service "+query.Service.Name)
	if err != nil || len(list.TaskArns) == 0 {
		return orchestrator.TaskPage{}, fault.IgnoreNotFound(err)
	}
	out, err := d.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{
		Cluster: aws.String(facts.ClusterARN), Tasks: list.TaskArns,
	})
	if err != nil {
		return orchestrator.TaskPage{}, fault.FromAWS(err, "describing tasks")
	}
	tasks, err := d.seen(ctx, query.Service.Name, out.Tasks)
	return orchestrator.TaskPage{Tasks: tasks, Next: aws.ToString(list.NextToken)}, err
}

func pageSize(limit int) *int32 {
	if limit <= 0 || limit > orchestrator.PageMax {
		limit = orchestrator.PageMax
	}
	return aws.Int32(int32(limit))
}

// defined is what tasks of one task definition have in common.
type defined struct {
	release             int64
	role, executionRole string
}

func (d *Driver) seen(
	ctx context.Context, service string, tasks []types.Task,
) ([]orchestrator.Task, error) {
	definitions := map[string]defined{}
	var result []orchestrator.Task
	for _, task := range tasks {
		arn := aws.ToString(task.TaskDefinitionArn)
		if _, known := definitions[arn]; !known {
			definition, tags, err := d.definition(ctx, arn)
			if fault.IgnoreNotFound(err) != nil {
				return nil, err
			}
			if definition != nil {
				definitions[arn] = defined{
					release:       releaseOf(tags),
					role:          aws.ToString(definition.TaskRoleArn),
					executionRole: aws.ToString(definition.ExecutionRoleArn),
				}
			}
		}
		result = append(result, taskOf(service, task, definitions[arn]))
	}
	return result, nil
}

func taskOf(service string, task types.Task, of defined) orchestrator.Task {
	result := orchestrator.Task{
		ID: lastPart(aws.ToString(task.TaskArn)), Service: service,
		Node: lastPart(aws.ToString(task.ContainerInstanceArn)), Release: of.release,
		Role: of.role, ExecutionRole: of.executionRole, State: taskState(task),
		StartedAt: aws.ToTime(task.StartedAt), StoppedAt: aws.ToTime(task.StoppedAt),
	}
	if len(task.Containers) > 0 {
		result.Image = aws.ToString(task.Containers[0].Image)
	}
	if overrides := task.Overrides; overrides != nil {
		if overrides.TaskRoleArn != nil {
			result.Role = *overrides.TaskRoleArn
		}
		if overrides.ExecutionRoleArn != nil {
			result.ExecutionRole = *overrides.ExecutionRoleArn
		}
	}
	result.Healthy = result.State == orchestrator.TaskRunning &&
		task.HealthStatus != types.HealthStatusUnhealthy
	if result.State == orchestrator.TaskStopping || result.State == orchestrator.TaskStopped {
		result.Reason, _ = explain(task)
	}
	return result
}

func taskState(task types.Task) orchestrator.TaskState {
	last := aws.ToString(task.LastStatus)
	switch {
	case last == "STOPPED", last == "DELETED":
		return orchestrator.TaskStopped
	case aws.ToString(task.DesiredStatus) == "STOPPED",
		slices.Contains([]string{"DEACTIVATING", "STOPPING", "DEPROVISIONING"}, last):
		return orchestrator.TaskStopping
	case last == "RUNNING":
		return orchestrator.TaskRunning
	}
	return orchestrator.TaskPending
}
