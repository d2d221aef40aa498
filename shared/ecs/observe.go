package ecs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// deploymentsLooked is for how many deployments of a service the task definition
// is looked at: the newest, and those that it replaces.
const deploymentsLooked = 3

// Observe implements orchestrator.Services. It makes at most 6 calls: for the
// service, for the task definitions of 3 deployments, and while something is
// amiss 2 for the tasks that stopped.
func (d *Driver) Observe(
	ctx context.Context, ref orchestrator.ServiceRef,
) (orchestrator.Observation, error) {
	service, err := d.service(ctx, ref)
	if err != nil {
		return orchestrator.Observation{}, err
	}
	if service == nil {
		return orchestrator.Observation{}, notFound(ref)
	}
	primary := primaryOf(service)
	seen := orchestrator.Observation{
		Desired: int(service.DesiredCount), Running: int(service.RunningCount),
		Pending: int(service.PendingCount), Failed: int(primary.FailedTasks),
	}
	seen.Rollout.State = rolloutState(service, primary)
	if seen.Rollout.Release, err = d.releaseOfDefinition(ctx, primary); err != nil {
		return orchestrator.Observation{}, err
	}
	if seen.Rollout.Release == 0 {
		seen.Foreign = aws.ToString(primary.TaskDefinition)
	}
	if seen.InEffect, err = d.inEffect(ctx, service, primary, seen.Rollout); err != nil {
		return orchestrator.Observation{}, err
	}
	if seen.Rollout.State == orchestrator.RolledOut {
		return seen, nil
	}
	seen.Rollout.Reason, err = d.why(ctx, ref, service, primary)
	return seen, err
}

func rolloutState(
	service *types.Service, primary types.Deployment,
) orchestrator.RolloutState {
	switch primary.RolloutState {
	case types.DeploymentRolloutStateCompleted:
		return orchestrator.RolledOut
	case types.DeploymentRolloutStateFailed:
		return orchestrator.Failed
	case types.DeploymentRolloutStateInProgress:
		return orchestrator.InProgress
	}
	// Without a circuit breaker, which somebody may have turned off, ECS names no
	// state.
	if len(service.Deployments) == 1 && primary.RunningCount == primary.DesiredCount {
		return orchestrator.RolledOut
	}
	return orchestrator.InProgress
}

// inEffect is the release of the newest deployment that was completed.
func (d *Driver) inEffect(
	ctx context.Context, service *types.Service, primary types.Deployment,
	rollout orchestrator.Rollout,
) (int64, error) {
	if rollout.State == orchestrator.RolledOut {
		return rollout.Release, nil
	}
	var newest *types.Deployment
	for i, deployment := range service.Deployments {
		if i >= deploymentsLooked {
			break
		}
		completed := deployment.RolloutState == types.DeploymentRolloutStateCompleted
		if !completed || aws.ToString(deployment.Id) == aws.ToString(primary.Id) {
			continue
		}
		if newest == nil || aws.ToTime(deployment.CreatedAt).After(aws.ToTime(newest.CreatedAt)) {
			newest = &service.Deployments[i]
		}
	}
	if newest == nil {
		return 0, nil
	}
	return d.releaseOfDefinition(ctx, *newest)
}

// releaseOfDefinition is 0 when the task definition is not Portolan's.
func (d *Driver) releaseOfDefinition(
	ctx context.Context, deployment types.Deployment,
) (int64, error) {
	_, tags, err := d.definition(ctx, aws.ToString(deployment.TaskDefinition))
	return releaseOf(tags), fault.IgnoreNotFound(err)
}

// why looks for what keeps the newest deployment from becoming healthy: a task of
// it that failed, or else a service event about capacity.
func (d *Driver) why(
	ctx context.Context, ref orchestrator.ServiceRef, service *types.Service,
	primary types.Deployment,
) (string, error) {
	list, err := d.ecs.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster:       service.ClusterArn,
		ServiceName:   aws.String(ref.Name),
		DesiredStatus: types.DesiredStatusStopped,
		MaxResults:    aws.Int32(100),
	})
	if err != nil {
		return "", fault.FromAWS(err, "listing the stopped tasks of service "+ref.Name)
	}
	if len(list.TaskArns) > 0 {
		out, err := d.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{
			Cluster: service.ClusterArn, Tasks: list.TaskArns,
		})
		if err != nil {
			return "", fault.FromAWS(err, "describing the stopped tasks of service "+ref.Name)
		}
		if reason := lastFailure(out.Tasks, primary); reason != "" {
			return reason, nil
		}
	}
	return shortage(service.Events, aws.ToTime(primary.CreatedAt)), nil
}

// lastFailure explains the failure of the deployment's task that failed last.
func lastFailure(tasks []types.Task, deployment types.Deployment) string {
	var last time.Time
	var reason string
	for _, task := range tasks {
		if aws.ToString(task.StartedBy) != aws.ToString(deployment.Id) {
			continue
		}
		stopped := latest(task.StoppedAt, task.StoppingAt)
		if text, failed := explain(task); failed && (reason == "" || stopped.After(last)) {
			last, reason = stopped, text
		}
	}
	return reason
}

func latest(stopped, stopping *time.Time) time.Time {
	if stopped != nil {
		return *stopped
	}
	return aws.ToTime(stopping)
}
