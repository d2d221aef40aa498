package ecs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// definitionsRemoved is how many task definitions one step takes away.
const definitionsRemoved = 10

// Scale implements orchestrator.Services.
func (d *Driver) Scale(
	ctx context.Context, ref orchestrator.ServiceRef, replicas int,
) error {
	if replicas < 0 {
		return fault.New(fault.Invalid, "%d is no number of tasks", replicas)
	}
	service, err := d.service(ctx, ref)
	switch {
	case err != nil:
		return err
	case service == nil:
		return notFound(ref)
	case beingRemoved(service):
		return fault.New(fault.Conflict, "service %q is being removed", ref.Name)
	case service.SchedulingStrategy == types.SchedulingStrategyDaemon:
		return fault.New(fault.Conflict, "service %q runs on each node once", ref.Name)
	case int(service.DesiredCount) == replicas:
		return nil
	}
	return d.setDesired(ctx, ref, service, replicas)
}

func (d *Driver) setDesired(
	ctx context.Context, ref orchestrator.ServiceRef, service *types.Service, replicas int,
) error {
	_, err := d.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster:      service.ClusterArn,
		Service:      aws.String(ref.Name),
		DesiredCount: aws.Int32(int32(replicas)),
	})
	return fault.FromAWS(err, "scaling service "+ref.Name)
}

// Remove implements orchestrator.Services, in these steps: mark the service and
// scale it to 0, delete it when no task is left, and when ECS has let go of it,
// delete rules, target group and task definitions. One step makes some 30 calls
// at most, most of them for task definitions.
func (d *Driver) Remove(
	ctx context.Context, ref orchestrator.ServiceRef,
) ([]string, error) {
	facts, err := factsOf(ref.Cluster)
	if err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	service, err := d.service(ctx, ref)
	if err != nil && !fault.IsNotFound(err) {
		return nil, err
	}
	if service != nil {
		return []string{aws.ToString(service.ServiceArn)}, d.removeService(ctx, ref, service)
	}
	if err := d.balancer.RemoveRules(ctx, ownerOf(orchestrator.Release{Service: ref}), facts.ListenerARN); err != nil {
		return nil, err
	}
	left, err := d.removeGroups(ctx, ref)
	if err != nil || len(left) > 0 {
		return left, err
	}
	return d.removeFamily(ctx, Family(ref.Cluster.Name, ref.Name))
}

func (d *Driver) removeService(
	ctx context.Context, ref orchestrator.ServiceRef, service *types.Service,
) error {
	if aws.ToString(service.Status) == "DRAINING" {
		return nil
	}
	if tag(service.Tags, tagRemoving) == "" {
		_, err := d.ecs.TagResource(ctx, &ecs.TagResourceInput{
			ResourceArn: service.ServiceArn, Tags: tagsOf(tagRemoving, "true"),
		})
		if err != nil {
			return fault.FromAWS(err, "marking service "+ref.Name)
		}
	}
	daemon := service.SchedulingStrategy == types.SchedulingStrategyDaemon
	// A daemon cannot be scaled to 0, and a service whose rollout failed may keep
	// the tasks of the release before: these are deleted by force, which stops
	// their tasks.
	failed := primaryOf(service).RolloutState == types.DeploymentRolloutStateFailed
	force := daemon || failed
	if !force && service.DesiredCount > 0 {
		return d.setDesired(ctx, ref, service, 0)
	}
	if !force && service.RunningCount+service.PendingCount > 0 {
		return nil
	}
	_, err := d.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{
		Cluster: service.ClusterArn, Service: aws.String(ref.Name), Force: aws.Bool(force),
	})
	return fault.IgnoreNotFound(fault.FromAWS(err, "deleting service "+ref.Name))
}

// removeGroups returns the target groups that are still in use.
func (d *Driver) removeGroups(
	ctx context.Context, ref orchestrator.ServiceRef,
) (left []string, err error) {
	for _, name := range groupNames(ref) {
		arn, err := d.balancer.RemoveGroup(ctx, name)
		if err != nil {
			return nil, err
		}
		if arn != "" {
			left = append(left, arn)
		}
	}
	return left, nil
}

// removeFamily deregisters some task definitions of a service or a job, and returns those
// that it left for the next step.
func (d *Driver) removeFamily(ctx context.Context, family string) (left []string, err error) {
	list, err := d.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: aws.String(family), Status: types.TaskDefinitionStatusActive,
	})
	if err != nil {
		return nil, fault.FromAWS(err, "listing task definitions of "+family)
	}
	for i, arn := range list.TaskDefinitionArns {
		if i >= definitionsRemoved {
			left = append(left, arn)
			continue
		}
		_, err := d.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{
			TaskDefinition: aws.String(arn),
		})
		if err != nil {
			return nil, fault.FromAWS(err, "deregistering "+lastPart(arn))
		}
	}
	return left, nil
}
