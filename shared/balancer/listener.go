package balancer

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
)

// Bounds of the calls for one listener: an Application Load Balancer has 100
// rules unless its quota was raised.
const (
	rulePagesMax = 5
	rulesTagged  = 20 // the most that DescribeTags takes
	creationsMax = 3  // how often a priority that was taken meanwhile is tried anew
)

// ApplyRules deletes, redirects and creates rules until the listener has those wanted, of
// which each forwards to the target group, and no other of the service.
func (b *Balancer) ApplyRules(ctx context.Context, owner Owner, listener string, wanted []contract.RoutingRule, group string) error {
	for attempt := 1; ; attempt++ {
		all, err := b.rules(ctx, listener)
		if err != nil {
			return err
		}
		ours, err := b.ours(ctx, owner, all)
		if err != nil {
			return err
		}
		plan := planRules(wanted, group, ours, all)
		err = b.carryOut(ctx, owner, listener, group, plan)
		if !fault.IsConflict(err) || attempt == creationsMax {
			return err
		}
	}
}

func (b *Balancer) carryOut(ctx context.Context, owner Owner, listener, group string, plan rulePlan) error {
	forward := []types.Action{{
		Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(group),
	}}
	for _, rule := range plan.create {
		_, err := b.lb.CreateRule(ctx, &elbv2.CreateRuleInput{
			ListenerArn: aws.String(listener),
			Conditions:  conditions(rule.rule),
			Priority:    aws.Int32(int32(rule.priority)),
			Actions:     forward,
			Tags:        owner.tags(),
		})
		if err != nil {
			return fault.FromAWS(err, "creating a rule for service "+owner.Service.Name)
		}
	}
	for _, arn := range plan.redirect {
		_, err := b.lb.ModifyRule(ctx, &elbv2.ModifyRuleInput{
			RuleArn: aws.String(arn), Actions: forward,
		})
		if err != nil {
			return fault.FromAWS(err, "changing rule "+arn)
		}
	}
	return b.deleteRules(ctx, plan.delete)
}

func (b *Balancer) deleteRules(ctx context.Context, arns []string) error {
	for _, arn := range arns {
		_, err := b.lb.DeleteRule(ctx, &elbv2.DeleteRuleInput{RuleArn: aws.String(arn)})
		err = fault.IgnoreNotFound(fault.FromAWS(err, "deleting rule "+arn))
		if err != nil {
			return err
		}
	}
	return nil
}

// RemoveRules deletes the rules of a service, and leaves its target groups: tasks may
// still be registered in them.
func (b *Balancer) RemoveRules(ctx context.Context, owner Owner, listener string) error {
	if listener == "" {
		return nil
	}
	all, err := b.rules(ctx, listener)
	if err != nil {
		return fault.IgnoreNotFound(err)
	}
	ours, err := b.ours(ctx, owner, all)
	if err != nil {
		return err
	}
	var arns []string
	for _, rule := range ours {
		arns = append(arns, aws.ToString(rule.RuleArn))
	}
	return b.deleteRules(ctx, arns)
}

// rules returns the rules of a listener.
func (b *Balancer) rules(ctx context.Context, listener string) ([]types.Rule, error) {
	var all []types.Rule
	input := &elbv2.DescribeRulesInput{
		ListenerArn: aws.String(listener), PageSize: aws.Int32(100),
	}
	for range rulePagesMax {
		out, err := b.lb.DescribeRules(ctx, input)
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
func (b *Balancer) ours(ctx context.Context, owner Owner, all []types.Rule) ([]types.Rule, error) {
	var candidates []types.Rule
	for _, rule := range all {
		if slices.ContainsFunc(rule.Actions, func(action types.Action) bool {
			return owner.Groups == nil && isName(nameOfGroup(action)) || slices.Contains(owner.Groups, nameOfGroup(action))
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
		out, err := b.lb.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: arns})
		if err != nil {
			return nil, fault.FromAWS(err, "looking at the tags of rules")
		}
		for _, description := range out.TagDescriptions {
			tagged[aws.ToString(description.ResourceArn)] = slices.ContainsFunc(
				description.Tags, func(t types.Tag) bool {
					return aws.ToString(t.Key) == TagService &&
						aws.ToString(t.Value) == owner.Service.Name
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
