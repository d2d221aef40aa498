package trail

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// ECS is the part of the ECS client that the door looks with.
type ECS interface {
	Definitions
	DescribeServices(
		context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options),
	) (*ecs.DescribeServicesOutput, error)
}

// Observer sees what drift is about: how many tasks a service was told to run, and
// of which release. The driver in shared/ecs sees more, with more clients than the
// cold start of a door bears.
type Observer struct{ ECS ECS }

// Observe makes two calls. NotFound when ECS does not know the service.
func (o Observer) Observe(ctx context.Context, ref orchestrator.ServiceRef) (orchestrator.Observation, error) {
	var seen orchestrator.Observation
	facts := ref.Cluster.Facts.ECS
	if facts == nil {
		return seen, fault.New(fault.NotFound, "cluster %s is no ECS cluster yet", ref.Cluster.Name)
	}
	out, err := o.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: &facts.ClusterARN, Services: []string{ref.Name},
	})
	if err != nil {
		return seen, fault.FromAWS(err, "describing service "+ref.Name)
	}
	// ECS goes on showing a deleted service as INACTIVE for a while.
	if len(out.Services) == 0 || aws.ToString(out.Services[0].Status) == "INACTIVE" {
		return seen, fault.New(fault.NotFound, "ECS does not know service %s", ref.Name)
	}
	service := out.Services[0]
	seen.Desired, seen.Running = int(service.DesiredCount), int(service.RunningCount)
	definition, err := describe(ctx, o.ECS, aws.ToString(service.TaskDefinition))
	if fault.IgnoreNotFound(err) != nil {
		return seen, err
	}
	if err == nil {
		seen.Rollout.Release = release(definition.Tags)
	}
	if seen.Rollout.Release == 0 {
		seen.Foreign = aws.ToString(service.TaskDefinition)
	}
	return seen, nil
}

func describe(ctx context.Context, client Definitions, arn string) (*ecs.DescribeTaskDefinitionOutput, error) {
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &arn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	return out, fault.FromAWS(err, "describing task definition "+arn)
}

// release is the one that the tags of a task definition name, or 0.
func release(tags []types.Tag) int64 {
	number, err := strconv.ParseInt(tag(tags, "portolan:release"), 10, 64)
	if err != nil || number < 0 {
		return 0
	}
	return number
}

func tag(tags []types.Tag, key string) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}
