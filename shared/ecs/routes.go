package ecs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/balancer"
	"portolan/shared/contract"
	"portolan/shared/ecs/ecsspec"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// route brings target group and listener rules to what the release says, and
// returns what the service is tied to. Tasks that still serve an earlier release
// are reached by the new rules from now on.
func (d *Driver) route(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts,
	existing *ecstypes.Service,
) ([]ecstypes.LoadBalancer, error) {
	wanted := release.Spec.LoadBalancer
	if wanted.ContainerPort == 0 {
		if existing == nil || len(existing.LoadBalancers) == 0 {
			return nil, nil
		}
		return nil, d.balancer.RemoveRules(ctx, ownerOf(release), facts.ListenerARN)
	}
	if facts.ListenerARN == "" {
		field := fault.Field{Pointer: "/loadBalancer", Detail: "ECS: the cluster has no listener"}
		return nil, fault.NewInvalid([]fault.Field{field},
			"ECS cannot run service %s", release.Service.Name)
	}
	group, err := d.targetGroup(ctx, release, facts)
	if err != nil {
		return nil, err
	}
	err = d.balancer.ApplyRules(ctx, ownerOf(release), facts.ListenerARN, wanted.Rules, group)
	if err != nil {
		return nil, err
	}
	return []ecstypes.LoadBalancer{{
		TargetGroupArn: aws.String(group),
		ContainerName:  aws.String(containerName(release)),
		ContainerPort:  aws.Int32(int32(wanted.ContainerPort)),
	}}, nil
}

// targetType is how the load balancer reaches tasks of that network mode.
func targetType(mode contract.EcsServiceNetworkMode) types.TargetTypeEnum {
	if mode == contract.Awsvpc {
		return types.TargetTypeEnumIp
	}
	return types.TargetTypeEnumInstance
}

// groupName is the target group's name, which is unique in a Region and takes 32
// characters. Another target type is another group.
func groupName(service orchestrator.ServiceRef, kind types.TargetTypeEnum) string {
	return balancer.GroupName(service.Cluster.Facts.ECS.ClusterARN, service.Name, string(kind))
}

// groupNames are all names that a target group of the service may have.
func groupNames(service orchestrator.ServiceRef) []string {
	return []string{
		groupName(service, types.TargetTypeEnumInstance),
		groupName(service, types.TargetTypeEnumIp),
	}
}

// targetGroup returns the ARN of the service's target group, with the health
// check path of the release. Each target is registered with a port of its own, so that
// of the group, which must be given, is never used.
func (d *Driver) targetGroup(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts,
) (string, error) {
	kind := targetType(ecsspec.NetworkMode(facts.Capacity, release.Spec))
	return d.balancer.ApplyGroup(ctx, ownerOf(release), balancer.Group{
		Name: groupName(release.Service, kind), Kind: kind, VPC: facts.VPC, Port: 80, Path: release.Spec.LoadBalancer.HealthCheckPath,
	})
}

// ownerOf is whose the rules and target groups of a release are.
func ownerOf(release orchestrator.Release) balancer.Owner {
	return balancer.Owner{Service: release.Service, Operation: release.Operation, Groups: groupNames(release.Service)}
}
