// Package glance sees how services on ECS differ from what is wanted: how many
// tasks each was told to run, and of which release. The driver in shared/ecs sees
// more, with more clients than the cold start of a door bears.
//
// It must never know what is wanted.
package glance

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Definitions is the part of the ECS client that tells what a task runs.
type Definitions interface {
	DescribeTaskDefinition(
		context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options),
	) (*ecs.DescribeTaskDefinitionOutput, error)
}

// ECS is the part of the ECS client that is looked with.
type ECS interface {
	Definitions
	DescribeServices(
		context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options),
	) (*ecs.DescribeServicesOutput, error)
}

const (
	// servicesMax is how many services one call of DescribeServices takes.
	servicesMax = 10

	// rememberedMax bounds the task definitions whose releases are remembered.
	rememberedMax = 10000
)

// Observer looks at services. It remembers which release a task definition is,
// since that never changes, and is safe for concurrent use.
type Observer struct {
	ecs ECS

	mu       sync.Mutex
	releases map[string]int64 // by the ARN of the task definition
}

// New returns an observer that calls ECS through that client.
func New(client ECS) *Observer { return &Observer{ecs: client, releases: map[string]int64{}} }

// Observe is Glance for one service; NotFound when ECS does not know it.
func (o *Observer) Observe(ctx context.Context, ref orchestrator.ServiceRef) (orchestrator.Observation, error) {
	seen, err := o.Glance(ctx, ref.Cluster, []string{ref.Name})
	if err != nil {
		return orchestrator.Observation{}, err
	}
	if one, known := seen[ref.Name]; known {
		return one, nil
	}
	return orchestrator.Observation{}, fault.New(fault.NotFound, "ECS does not know service %s", ref.Name)
}

// Glance implements orchestrator.Glancer.
func (o *Observer) Glance(
	ctx context.Context, cluster orchestrator.ClusterRef, services []string,
) (map[string]orchestrator.Observation, error) {
	facts := cluster.Facts.ECS
	if facts == nil {
		return nil, fault.New(fault.NotFound, "cluster %s is no ECS cluster yet", cluster.Name)
	}
	seen := map[string]orchestrator.Observation{}
	for names := range slices.Chunk(services, servicesMax) {
		out, err := o.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &facts.ClusterARN, Services: names})
		if err != nil {
			return nil, fault.FromAWS(err, "describing services of cluster "+cluster.Name)
		}
		for _, service := range out.Services {
			// ECS goes on showing a deleted service as INACTIVE for a while.
			if aws.ToString(service.Status) == "INACTIVE" {
				continue
			}
			if seen[aws.ToString(service.ServiceName)], err = o.observation(ctx, service); err != nil {
				return nil, err
			}
		}
	}
	return seen, nil
}

func (o *Observer) observation(ctx context.Context, service types.Service) (orchestrator.Observation, error) {
	definition := aws.ToString(service.TaskDefinition)
	out := orchestrator.Observation{Desired: int(service.DesiredCount), Running: int(service.RunningCount)}
	release, err := o.release(ctx, definition)
	if err != nil {
		return out, err
	}
	if out.Rollout.Release = release; release == 0 {
		out.Foreign = definition
	}
	return out, nil
}

// release is that of a task definition, and 0 for one that is none of ours or gone.
// Only those of ours are remembered: others may be tagged yet.
func (o *Observer) release(ctx context.Context, definition string) (int64, error) {
	o.mu.Lock()
	known := o.releases[definition]
	o.mu.Unlock()
	if known > 0 {
		return known, nil
	}
	out, err := Describe(ctx, o.ecs, definition)
	if err != nil {
		return 0, fault.IgnoreNotFound(err)
	}
	release := Release(out.Tags)
	if release > 0 {
		o.remember(definition, release)
	}
	return release, nil
}

func (o *Observer) remember(definition string, release int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.releases) >= rememberedMax {
		clear(o.releases)
	}
	o.releases[definition] = release
}

// Describe returns a task definition with its tags. NotFound when it is gone.
func Describe(ctx context.Context, client Definitions, arn string) (*ecs.DescribeTaskDefinitionOutput, error) {
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &arn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	return out, fault.FromAWS(err, "describing task definition "+arn)
}

// Release is the one that the tags of a task definition name, or 0.
func Release(tags []types.Tag) int64 {
	number, err := strconv.ParseInt(Tag(tags, "portolan:release"), 10, 64)
	if err != nil || number < 0 {
		return 0
	}
	return number
}

// Tag is the value of a tag, or nothing.
func Tag(tags []types.Tag, key string) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}
