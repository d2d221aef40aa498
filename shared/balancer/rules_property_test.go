package balancer

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"pgregory.net/rapid"

	"portolan/shared/contract"
)

func anyRule() *rapid.Generator[contract.RoutingRule] {
	hosts := rapid.SampledFrom([]string{"a.io", "b.io", "*.c.io"})
	paths := rapid.SampledFrom([]string{"/", "/*", "/shop", "/shop/*", "/shop/cart/*"})
	return rapid.Custom(func(t *rapid.T) contract.RoutingRule {
		return contract.RoutingRule{
			Hosts: rapid.SliceOfN(hosts, 0, 2).Draw(t, "hosts"),
			Paths: rapid.SliceOfN(paths, 0, 3).Draw(t, "paths"),
		}
	})
}

// listenerOf is a listener with rules of ours and of others, at free priorities.
func listenerOf(t *rapid.T) (ours, all []types.Rule) {
	priorities := rapid.SliceOfNDistinct(rapid.IntRange(1, priorityMax), 0, 12, rapid.ID[int])
	for i, priority := range priorities.Draw(t, "priorities") {
		group := rapid.SampledFrom([]string{"group", "old group"}).Draw(t, "group")
		rule := existingRule(fmt.Sprint("rule ", i), strconv.Itoa(priority), group,
			anyRule().Draw(t, "rule"))
		all = append(all, rule)
		if rapid.Bool().Draw(t, "ours") {
			ours = append(ours, rule)
		}
	}
	return ours, all
}

// carried returns the listener after the plan, as AWS would leave it.
func carried(t *rapid.T, plan rulePlan, all []types.Rule) []types.Rule {
	var after []types.Rule
	taken := map[string]bool{}
	for _, rule := range all {
		arn := aws.ToString(rule.RuleArn)
		taken[aws.ToString(rule.Priority)] = true
		if slices.Contains(plan.redirect, arn) {
			rule.Actions = []types.Action{{TargetGroupArn: aws.String("group")}}
		}
		if !slices.Contains(plan.delete, arn) {
			after = append(after, rule)
		}
	}
	for i, planned := range plan.create {
		priority := strconv.Itoa(planned.priority)
		if taken[priority] || planned.priority < 1 || planned.priority > priorityMax {
			t.Fatalf("priority %s is taken or out of range", priority)
		}
		taken[priority] = true
		after = append(after, existingRule(fmt.Sprint("new ", i), priority, "group", planned.rule))
	}
	return after
}

// After its plan is carried out a listener has the rules wanted, once each, those
// of others as they were, and nothing is left to plan.
func TestPlanReachesWhatIsWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ours, all := listenerOf(t)
		wanted := rapid.SliceOfN(anyRule(), 0, 5).Draw(t, "wanted")
		isOurs := func(arn string) bool {
			return slices.ContainsFunc(ours, func(r types.Rule) bool {
				return aws.ToString(r.RuleArn) == arn
			})
		}
		plan := planRules(wanted, "group", ours, all)
		for _, arn := range slices.Concat(plan.delete, plan.redirect) {
			if !isOurs(arn) {
				t.Fatalf("%s is somebody else's", arn)
			}
		}
		after := carried(t, plan, all)
		var oursAfter []types.Rule
		keys := map[string]bool{}
		for _, rule := range after {
			arn := aws.ToString(rule.RuleArn)
			if !isOurs(arn) && slices.ContainsFunc(all, func(r types.Rule) bool {
				return aws.ToString(r.RuleArn) == arn
			}) {
				continue
			}
			oursAfter = append(oursAfter, rule)
			key := keyOf(rule.Conditions)
			if keys[key] || !forwardsTo(rule, "group") {
				t.Fatalf("rule %q is there twice, or forwards elsewhere", key)
			}
			keys[key] = true
		}
		for _, rule := range wanted {
			if !keys[keyOf(conditions(rule))] {
				t.Fatalf("rule %+v is missing", rule)
			}
		}
		again := planRules(wanted, "group", oursAfter, after)
		if len(again.create)+len(again.redirect)+len(again.delete) > 0 {
			t.Fatalf("a second plan is %+v", again)
		}
	})
}
