package ecs

import (
	"context"
	"fmt"
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

// Apply implements orchestrator.Services. It makes some 30 calls at most: for the
// service and its tags 3, for the task definition 7, and the rest for the load
// balancer, by its quota of 100 rules.
func (d *Driver) Apply(ctx context.Context, release orchestrator.Release) error {
	facts, err := factsOf(release.Service.Cluster)
	if err != nil {
		return err
	}
	if fields := ecsspec.Check(facts.Capacity, release.Spec); len(fields) > 0 {
		return fault.NewInvalid(fields, "ECS cannot run service %s", release.Service.Name)
	}
	existing, err := d.service(ctx, release.Service)
	if err != nil {
		return err
	}
	if err := changeable(existing, release); err != nil {
		return err
	}
	definition, err := d.register(ctx, release, facts)
	if err != nil {
		return err
	}
	balancers, err := d.route(ctx, release, facts, existing)
	if err != nil {
		return err
	}
	if existing == nil {
		return d.create(ctx, createInput(release, facts, definition, balancers))
	}
	return d.update(ctx, release, facts, existing, definition, balancers)
}

func changeable(existing *types.Service, release orchestrator.Release) error {
	if existing == nil {
		return nil
	}
	if beingRemoved(existing) {
		return fault.New(fault.Conflict, "service %q is being removed", release.Service.Name)
	}
	if existing.SchedulingStrategy != strategy(release.Spec) {
		return fault.NewInvalid(
			[]fault.Field{{Pointer: "/mode", Detail: "ECS: the mode of a service cannot be changed"}},
			"ECS cannot change service %s", release.Service.Name)
	}
	return nil
}

func (d *Driver) create(ctx context.Context, input *ecs.CreateServiceInput) error {
	_, err := d.ecs.CreateService(ctx, input)
	if err != nil {
		return fault.FromAWS(err, "creating service "+*input.ServiceName)
	}
	return nil
}

// update changes what differs: with the task definition everything that the
// release says, and else the number of tasks alone, so that nothing is rolled out
// again.
func (d *Driver) update(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts,
	existing *types.Service, definition string, balancers []types.LoadBalancer,
) error {
	operation := tag(existing.Tags, TagOperation)
	input := updateInput(release, facts, existing, definition, balancers)
	if input != nil {
		if _, err := d.ecs.UpdateService(ctx, input); err != nil {
			return fault.FromAWS(err, "updating service "+release.Service.Name)
		}
	}
	if operation == release.Operation && releaseOf(existing.Tags) == release.Number {
		return nil
	}
	// After the update: a retry of the same operation must still find the tag of
	// the one before, should the update not have come about.
	_, err := d.ecs.TagResource(ctx, &ecs.TagResourceInput{
		ResourceArn: existing.ServiceArn,
		Tags: tagsOf(TagRelease, strconv.FormatInt(release.Number, 10),
			TagCommit, release.Commit, TagOperation, release.Operation),
	})
	return fault.FromAWS(err, "tagging service "+release.Service.Name)
}

func createInput(
	release orchestrator.Release, facts orchestrator.ECSFacts,
	definition string, balancers []types.LoadBalancer,
) *ecs.CreateServiceInput {
	spec, ref := release.Spec, release.Service
	number := strconv.FormatInt(release.Number, 10)
	input := &ecs.CreateServiceInput{
		Cluster:     aws.String(facts.ClusterARN),
		ServiceName: aws.String(ref.Name),
		// ECS takes 36 characters. The scale is part of it, because a token that
		// comes with other parameters is refused.
		ClientToken: aws.String(digest(facts.ClusterARN, ref.Name, number,
			release.Operation, strconv.Itoa(release.Replicas))[:32]),
		TaskDefinition:                aws.String(definition),
		SchedulingStrategy:            strategy(spec),
		DeploymentConfiguration:       deployment(spec),
		LoadBalancers:                 balancers,
		HealthCheckGracePeriodSeconds: gracePeriod(spec),
		NetworkConfiguration:          network(spec, facts),
		PlacementConstraints:          constraints(spec),
		PlacementStrategy:             spread(spec),
		PropagateTags:                 types.PropagateTagsTaskDefinition,
		Tags: tagsOf(TagCluster, ref.Cluster.Name, TagService, ref.Name,
			TagTeam, ref.Cluster.Team, TagRelease, number, TagCommit, release.Commit,
			TagOperation, release.Operation),
	}
	if input.SchedulingStrategy == types.SchedulingStrategyDaemon {
		// A daemon takes no capacity provider.
		input.LaunchType = types.LaunchTypeEc2
		return input
	}
	input.DesiredCount = aws.Int32(int32(release.Replicas))
	if facts.CapacityProvider != "" {
		input.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{
			{CapacityProvider: aws.String(facts.CapacityProvider), Weight: 1},
		}
	}
	return input
}

// updateInput is nil when nothing differs.
func updateInput(
	release orchestrator.Release, facts orchestrator.ECSFacts,
	existing *types.Service, definition string, balancers []types.LoadBalancer,
) *ecs.UpdateServiceInput {
	spec := release.Spec
	input := &ecs.UpdateServiceInput{
		Cluster: aws.String(facts.ClusterARN),
		Service: aws.String(release.Service.Name),
	}
	if strategy(spec) == types.SchedulingStrategyReplica {
		input.DesiredCount = aws.Int32(int32(release.Replicas))
	}
	primary := primaryOf(existing)
	same := aws.ToString(primary.TaskDefinition) == definition
	failed := primary.RolloutState == types.DeploymentRolloutStateFailed
	retried := same && failed && tag(existing.Tags, TagOperation) != release.Operation
	if same && !retried {
		if input.DesiredCount == nil || *input.DesiredCount == existing.DesiredCount {
			return nil
		}
		return input
	}
	input.ForceNewDeployment = retried
	input.TaskDefinition = aws.String(definition)
	input.DeploymentConfiguration = deployment(spec)
	input.HealthCheckGracePeriodSeconds = gracePeriod(spec)
	input.NetworkConfiguration = network(spec, facts)
	input.PropagateTags = types.PropagateTagsTaskDefinition
	if len(balancers) > 0 || len(existing.LoadBalancers) > 0 {
		// An empty list takes the load balancer away; no list leaves it.
		input.LoadBalancers = append([]types.LoadBalancer{}, balancers...)
	}
	if facts.Capacity != contract.FARGATE {
		input.PlacementConstraints = append([]types.PlacementConstraint{}, constraints(spec)...)
		if strategy(spec) == types.SchedulingStrategyReplica {
			input.PlacementStrategy = append([]types.PlacementStrategy{}, spread(spec)...)
		}
	}
	return input
}

// primaryOf returns the newest deployment, which ECS calls PRIMARY.
func primaryOf(service *types.Service) types.Deployment {
	for _, deployment := range service.Deployments {
		if aws.ToString(deployment.Status) == "PRIMARY" {
			return deployment
		}
	}
	return types.Deployment{TaskDefinition: service.TaskDefinition}
}

func strategy(spec contract.ServiceSpec) types.SchedulingStrategy {
	if spec.Mode == contract.Global {
		return types.SchedulingStrategyDaemon
	}
	return types.SchedulingStrategyReplica
}

// deployment turns the circuit breaker on, which tells when to give up, and its
// rollback off: rolling back is Portolan's, at the scale of now.
func deployment(spec contract.ServiceSpec) *types.DeploymentConfiguration {
	lowest, highest := 100, orDefault(spec.Rollout.HealthyPercentMax, 200)
	if spec.Mode == contract.Global {
		lowest, highest = 0, 100
	}
	if spec.Rollout.HealthyPercentMin != nil {
		lowest = *spec.Rollout.HealthyPercentMin
	}
	return &types.DeploymentConfiguration{
		DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: false},
		MinimumHealthyPercent:    aws.Int32(int32(lowest)),
		MaximumPercent:           aws.Int32(int32(highest)),
	}
}

func gracePeriod(spec contract.ServiceSpec) *int32 {
	if spec.LoadBalancer.ContainerPort == 0 {
		return nil
	}
	return optionalNumber(spec.HealthCheck.StartPeriodSeconds)
}

func network(
	spec contract.ServiceSpec, facts orchestrator.ECSFacts,
) *types.NetworkConfiguration {
	if ecsspec.NetworkMode(facts.Capacity, spec) != contract.Awsvpc {
		return nil
	}
	configuration := &types.AwsVpcConfiguration{
		Subnets:        facts.Subnets,
		SecurityGroups: []string{facts.SecurityGroup},
	}
	if facts.Capacity == contract.FARGATE {
		configuration.AssignPublicIp = types.AssignPublicIpDisabled
		if facts.AssignPublicIP {
			configuration.AssignPublicIp = types.AssignPublicIpEnabled
		}
	}
	return &types.NetworkConfiguration{AwsvpcConfiguration: configuration}
}

// attributes are the names that the description has for attributes of ECS's own.
var attributes = map[string]string{
	"zone":         "ecs.availability-zone",
	"instanceType": "ecs.instance-type",
	"architecture": "ecs.cpu-architecture",
}

func constraints(spec contract.ServiceSpec) []types.PlacementConstraint {
	var result []types.PlacementConstraint
	for _, constraint := range spec.Placement.Constraints {
		name := constraint.Attribute
		if known, ok := attributes[name]; ok {
			name = known
		}
		operator := "in"
		if constraint.Operator == contract.NotIn {
			operator = "not_in"
		}
		result = append(result, types.PlacementConstraint{
			Type: types.PlacementConstraintTypeMemberOf,
			Expression: aws.String(fmt.Sprintf("attribute:%s %s [%s]",
				name, operator, strings.Join(constraint.Values, ", "))),
		})
	}
	return result
}

func spread(spec contract.ServiceSpec) []types.PlacementStrategy {
	var result []types.PlacementStrategy
	for _, over := range spec.Placement.Spread {
		field := "attribute:ecs.availability-zone"
		if over == contract.Node {
			field = "instanceId"
		}
		result = append(result, types.PlacementStrategy{
			Type: types.PlacementStrategyTypeSpread, Field: aws.String(field),
		})
	}
	return result
}
