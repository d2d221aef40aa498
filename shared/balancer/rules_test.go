package balancer

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/contract"
)

func paths(values ...string) contract.RoutingRule { return contract.RoutingRule{Paths: values} }
func hosts(values ...string) contract.RoutingRule { return contract.RoutingRule{Hosts: values} }

func existingRule(arn, priority, group string, rule contract.RoutingRule) types.Rule {
	return types.Rule{
		RuleArn: aws.String(arn), Priority: aws.String(priority), Conditions: conditions(rule),
		Actions: []types.Action{{TargetGroupArn: aws.String(group)}},
	}
}

func TestPlanRules(t *testing.T) {
	kept := existingRule("kept", "7", "group", paths("/b", "/a"))
	moved := existingRule("moved", "8", "old group", hosts("x.io"))
	surplus := existingRule("surplus", "9", "group", paths("/gone"))
	twin := existingRule("twin", "10", "group", paths("/a", "/b"))
	foreign := existingRule("foreign", "25001", "somebody's", paths("/foreign"))
	standard := types.Rule{RuleArn: aws.String("default"), Priority: aws.String("default")}
	ours := []types.Rule{kept, moved, surplus, twin}
	all := append([]types.Rule{foreign, standard}, ours...)
	wanted := []contract.RoutingRule{paths("/a", "/b"), hosts("x.io"), paths("/new/*"), paths("/new/*")}

	plan := planRules(wanted, "group", ours, all)
	if len(plan.create) != 1 || !reflect.DeepEqual(plan.create[0].rule, paths("/new/*")) {
		t.Errorf("creates %+v", plan.create)
	}
	if !reflect.DeepEqual(plan.redirect, []string{"moved"}) {
		t.Errorf("redirects %q", plan.redirect)
	}
	if !reflect.DeepEqual(plan.delete, []string{"surplus", "twin"}) {
		t.Errorf("deletes %q", plan.delete)
	}
}

func TestSpecificRulesComeFirst(t *testing.T) {
	ordered := []contract.RoutingRule{
		{Hosts: []string{"x.io"}, Paths: []string{"/shop/cart/*"}},
		{Hosts: []string{"x.io"}, Paths: []string{"/shop/*"}},
		hosts("x.io"),
		paths("/shop/cart/*"),
		paths("/shop/*"),
		paths("/*"),
		paths("*"),
	}
	last := 0
	for _, rule := range ordered {
		priority := freePriority(rule, nil)
		if priority <= last || priority > priorityMax {
			t.Errorf("%+v has priority %d, after %d", rule, priority, last)
		}
		last = priority
	}
}

func TestPrioritiesDoNotCollide(t *testing.T) {
	var wanted []contract.RoutingRule
	for i := range 100 {
		wanted = append(wanted, paths(fmt.Sprintf("/%03d", i)))
	}
	plan := planRules(wanted, "group", nil, nil)
	seen := map[int]bool{}
	for _, rule := range plan.create {
		if seen[rule.priority] || rule.priority < 1 || rule.priority > priorityMax {
			t.Fatalf("priority %d is taken twice or out of range", rule.priority)
		}
		seen[rule.priority] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d rules", len(seen))
	}
}

// AWS answers with the values in Values, in the typed block, or in both.
func TestKeyOfConditions(t *testing.T) {
	plain := []types.RuleCondition{
		{Field: aws.String("path-pattern"), Values: []string{"/b", "/a"}},
		{Field: aws.String("host-header"), Values: []string{"x.io"}},
	}
	typed := conditions(contract.RoutingRule{
		Hosts: []string{"x.io"}, Paths: []string{"/a", "/b", "/a"},
	})
	if keyOf(plain) != keyOf(typed) {
		t.Errorf("%q is not %q", keyOf(plain), keyOf(typed))
	}
	if keyOf(typed) == keyOf(conditions(hosts("x.io"))) {
		t.Error("rules with other conditions have one key")
	}
}

func TestNameOfGroup(t *testing.T) {
	arn := "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/portolan-1/5a"
	if got := nameOfGroup(types.Action{TargetGroupArn: aws.String(arn)}); got != "portolan-1" {
		t.Errorf("got %q", got)
	}
	if got := nameOfGroup(types.Action{}); got != "" {
		t.Errorf("an action that does not forward has the group %q", got)
	}
}
