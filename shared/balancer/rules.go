package balancer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/contract"
)

// rulePlan is what has to be done to a listener, by the ARNs of rules.
type rulePlan struct {
	create   []plannedRule
	redirect []string
	delete   []string
}

type plannedRule struct {
	rule     contract.RoutingRule
	priority int
}

// planRules compares the rules wanted with those that the service has. A rule
// with the same conditions stays, and is redirected if it forwards elsewhere.
func planRules(
	wanted []contract.RoutingRule, group string, ours, all []types.Rule,
) rulePlan {
	var plan rulePlan
	taken := map[int]bool{}
	for _, rule := range all {
		if priority, err := strconv.Atoi(aws.ToString(rule.Priority)); err == nil {
			taken[priority] = true
		}
	}
	kept := map[string]bool{}
	for _, rule := range wanted {
		key := keyOf(conditions(rule))
		if kept[key] {
			continue
		}
		kept[key] = true
		at := slices.IndexFunc(ours, func(r types.Rule) bool { return keyOf(r.Conditions) == key })
		switch {
		case at < 0:
			priority := freePriority(rule, taken)
			taken[priority] = true
			plan.create = append(plan.create, plannedRule{rule, priority})
		case !forwardsTo(ours[at], group):
			plan.redirect = append(plan.redirect, aws.ToString(ours[at].RuleArn))
		}
	}
	seen := map[string]bool{}
	for _, rule := range ours {
		key := keyOf(rule.Conditions)
		if !kept[key] || seen[key] {
			plan.delete = append(plan.delete, aws.ToString(rule.RuleArn))
		}
		seen[key] = true
	}
	return plan
}

func forwardsTo(rule types.Rule, group string) bool {
	return len(rule.Actions) == 1 && aws.ToString(rule.Actions[0].TargetGroupArn) == group
}

const (
	priorityMax = 50000 // of an Application Load Balancer
	hostless    = 25000 // first priority of the rules that name no host
	perLetter   = 190   // priorities for each length of a path
	lettersMax  = 128   // of a path pattern
)

// freePriority puts the more specific rule first, whichever service came first:
// one with a host before one without, and a long path before a short one. Rules
// that are equally specific take the next free number.
func freePriority(rule contract.RoutingRule, taken map[int]bool) int {
	letters := 0
	for i, path := range rule.Paths {
		if n := len(strings.TrimRight(path, "*")); i == 0 || n < letters {
			letters = n
		}
	}
	priority := 1 + (lettersMax-min(letters, lettersMax))*perLetter
	if len(rule.Hosts) == 0 {
		priority += hostless
	}
	for taken[priority] && priority < priorityMax {
		priority++
	}
	return priority
}

func conditions(rule contract.RoutingRule) []types.RuleCondition {
	var result []types.RuleCondition
	if len(rule.Hosts) > 0 {
		result = append(result, types.RuleCondition{
			Field:            aws.String("host-header"),
			HostHeaderConfig: &types.HostHeaderConditionConfig{Values: rule.Hosts},
		})
	}
	if len(rule.Paths) > 0 {
		result = append(result, types.RuleCondition{
			Field:             aws.String("path-pattern"),
			PathPatternConfig: &types.PathPatternConditionConfig{Values: rule.Paths},
		})
	}
	return result
}

// keyOf is the same for conditions that mean the same. AWS gives the values in
// one of two places, and in an order of its own.
func keyOf(conditions []types.RuleCondition) string {
	var parts []string
	for _, condition := range conditions {
		values := condition.Values
		if condition.HostHeaderConfig != nil {
			values = condition.HostHeaderConfig.Values
		}
		if condition.PathPatternConfig != nil {
			values = condition.PathPatternConfig.Values
		}
		sorted := slices.Clone(values)
		slices.Sort(sorted)
		parts = append(parts,
			aws.ToString(condition.Field)+"="+strings.Join(slices.Compact(sorted), " "))
	}
	slices.Sort(parts)
	return strings.Join(parts, "\n")
}
