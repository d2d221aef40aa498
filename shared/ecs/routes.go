package ecs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/contract"
	"portolan/shared/ecs/ecsspec"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Bounds of the calls for one listener: an Application Load Balancer has 100
// rules unless its quota was raised.
const (
	rulePagesMax = 5
	rulesTagged  = 20 // the most that DescribeTags takes
	creationsMax = 3  // how often a priority that was taken meanwhile is tried anew
)

// route brings target group and listener rules to what the release says, and
// returns what the service is tied to. Tasks that still serve an earlier release
// are reached by the new rules from now on.
func (d *Driver) route(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts,
	existing *ecstypes.Service,
) ([]ecstypes.LoadBalancer, error) {
	balancer := release.Spec.LoadBalancer
	if balancer.ContainerPort == 0 {
		if existing == nil || len(existing.LoadBalancers) == 0 {
			return nil, nil
		}
		return nil, d.unroute(ctx, release.Service, facts)
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
	if err := d.applyRules(ctx, release, facts, group); err != nil {
		return nil, err
	}
	return []ecstypes.LoadBalancer{{
		TargetGroupArn: aws.String(group),
		ContainerName:  aws.String(containerName(release)),
		ContainerPort:  aws.Int32(int32(balancer.ContainerPort)),
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
	arn := service.Cluster.Facts.ECS.ClusterARN
	return "portolan-" + digest(arn, service.Name, string(kind))[:20]
}

// groupNames are all names that a target group of the service may have.
func groupNames(service orchestrator.ServiceRef) []string {
	return []string{
		groupName(service, types.TargetTypeEnumInstance),
		groupName(service, types.TargetTypeEnumIp),
	}
}

func (d *Driver) findGroup(ctx context.Context, name string) (*types.TargetGroup, error) {
	out, err := d.lb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{
		Names: []string{name},
	})
	err = fault.FromAWS(err, "looking for target group "+name)
	if err != nil || len(out.TargetGroups) == 0 {
		return nil, fault.IgnoreNotFound(err)
	}
	return &out.TargetGroups[0], nil
}

// targetGroup returns the ARN of the service's target group, with the health
// check path of the release.
func (d *Driver) targetGroup(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts,
) (string, error) {
	kind := targetType(ecsspec.NetworkMode(facts.Capacity, release.Spec))
	name := groupName(release.Service, kind)
	path := release.Spec.LoadBalancer.HealthCheckPath
	if path == "" {
		path = "/"
	}
	group, err := d.findGroup(ctx, name)
	if err != nil {
		return "", err
	}
	if group == nil {
		return d.createGroup(ctx, release, facts, name, kind, path)
	}
	if aws.ToString(group.HealthCheckPath) != path {
		_, err := d.lb.ModifyTargetGroup(ctx, &elbv2.ModifyTargetGroupInput{
			TargetGroupArn: group.TargetGroupArn, HealthCheckPath: aws.String(path),
		})
		if err != nil {
			return "", fault.FromAWS(err, "changing target group "+name)
		}
	}
	return aws.ToString(group.TargetGroupArn), nil
}

func (d *Driver) createGroup(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts,
	name string, kind types.TargetTypeEnum, path string,
) (string, error) {
	out, err := d.lb.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{
		Name:       aws.String(name),
		Protocol:   types.ProtocolEnumHttp,
		TargetType: kind,
		VpcId:      aws.String(facts.VPC),
		// Each target is registered with a port of its own, so this one, which
		// must be given, is never used.
		Port:            aws.Int32(80),
		HealthCheckPath: aws.String(path),
		Tags:            serviceTags(release),
	})
	if err != nil {
		return "", fault.FromAWS(err, "creating target group "+name)
	}
	return aws.ToString(out.TargetGroups[0].TargetGroupArn), nil
}

func serviceTags(release orchestrator.Release) []types.Tag {
	var tags []types.Tag
	for _, t := range tagsOf(TagCluster, release.Service.Cluster.Name,
		TagService, release.Service.Name, TagTeam, release.Service.Cluster.Team,
		TagOperation, release.Operation) {
		tags = append(tags, types.Tag{Key: t.Key, Value: t.Value})
	}
	return tags
}

// applyRules deletes, redirects and creates rules until the listener has those of
// the release and no other of the service.
func (d *Driver) applyRules(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts, group string,
) error {
	for attempt := 1; ; attempt++ {
		all, err := d.rules(ctx, facts.ListenerARN)
		if err != nil {
			return err
		}
		ours, err := d.ours(ctx, release.Service, all)
		if err != nil {
			return err
		}
		plan := planRules(release.Spec.LoadBalancer.Rules, group, ours, all)
		err = d.carryOut(ctx, release, facts, group, plan)
		if !fault.IsConflict(err) || attempt == creationsMax {
			return err
		}
	}
}

func (d *Driver) carryOut(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts,
	group string, plan rulePlan,
) error {
	forward := []types.Action{{
		Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(group),
	}}
	for _, rule := range plan.create {
		_, err := d.lb.CreateRule(ctx, &elbv2.CreateRuleInput{
			ListenerArn: aws.String(facts.ListenerARN),
			Conditions:  conditions(rule.rule),
			Priority:    aws.Int32(int32(rule.priority)),
			Actions:     forward,
			Tags:        serviceTags(release),
		})
		if err != nil {
			return fault.FromAWS(err, "creating a rule for service "+release.Service.Name)
		}
	}
	for _, arn := range plan.redirect {
		_, err := d.lb.ModifyRule(ctx, &elbv2.ModifyRuleInput{
			RuleArn: aws.String(arn), Actions: forward,
		})
		if err != nil {
			return fault.FromAWS(err, "changing rule "+arn)
		}
	}
	return d.deleteRules(ctx, plan.delete)
}

func (d *Driver) deleteRules(ctx context.Context, arns []string) error {
	for _, arn := range arns {
		_, err := d.lb.DeleteRule(ctx, &elbv2.DeleteRuleInput{RuleArn: aws.String(arn)})
		err = fault.IgnoreNotFound(fault.FromAWS(err, "deleting rule "+arn))
		if err != nil {
			return err
		}
	}
	return nil
}

// unroute deletes the rules of a service, and leaves the target group to Remove,
// because the tasks of the release before are still registered in it.
func (d *Driver) unroute(
	ctx context.Context, service orchestrator.ServiceRef, facts orchestrator.ECSFacts,
) error {
	if facts.ListenerARN == "" {
		return nil
	}
	all, err := d.rules(ctx, facts.ListenerARN)
	if err != nil {
		return fault.IgnoreNotFound(err)
	}
	ours, err := d.ours(ctx, service, all)
	if err != nil {
		return err
	}
	var arns []string
	for _, rule := range ours {
		arns = append(arns, aws.ToString(rule.RuleArn))
	}
	return d.deleteRules(ctx, arns)
}

// rules returns the rules of a listener.
func (d *Driver) rules(ctx context.Context, listener string) ([]types.Rule, error) {
	var all []types.Rule
	input := &elbv2.DescribeRulesInput{
		ListenerArn: aws.String(listener), PageSize: aws.Int32(100),
	}
	for range rulePagesMax {
		out, err := d.lb.DescribeRules(ctx, input)
		if err != nil {
			return nil, fault.FromAWS(err, "listing the listener's rules")
		}
		all = append(all, out.Rules...)
		if aws.ToString(out.NextMarker) == "" {
			return all, nil
		}
		input.Marker = out.NextMarker
	}
	return nil, fault.New(fault.Unavailable, "the listener has more than %d rules", len(all))
}

// ours picks the rules that forward to a target group of the service and carry
// its tag. A rule that somebody else made for our target group has no such tag.
func (d *Driver) ours(
	ctx context.Context, service orchestrator.ServiceRef, all []types.Rule,
) ([]types.Rule, error) {
	var candidates []types.Rule
	for _, rule := range all {
		if slices.ContainsFunc(rule.Actions, func(action types.Action) bool {
			return slices.Contains(groupNames(service), nameOfGroup(action))
		}) {
			candidates = append(candidates, rule)
		}
	}
	tagged := map[string]bool{}
	for chunk := range slices.Chunk(candidates, rulesTagged) {
		var arns []string
		for _, rule := range chunk {
			arns = append(arns, aws.ToString(rule.RuleArn))
		}
		out, err := d.lb.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: arns})
		if err != nil {
			return nil, fault.FromAWS(err, "looking at the tags of rules")
		}
		for _, description := range out.TagDescriptions {
			tagged[aws.ToString(description.ResourceArn)] = slices.ContainsFunc(
				description.Tags, func(t types.Tag) bool {
					return aws.ToString(t.Key) == TagService &&
						aws.ToString(t.Value) == service.Name
				})
		}
	}
	return slices.DeleteFunc(candidates, func(rule types.Rule) bool {
		return !tagged[aws.ToString(rule.RuleArn)]
	}), nil
}

// nameOfGroup is the name in the ARN of the target group that an action forwards
// to: arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID.
func nameOfGroup(action types.Action) string {
	parts := strings.Split(aws.ToString(action.TargetGroupArn), "/")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}
