package elbv2_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/elbv2"
	"portolan/local/unique"
	"portolan/local/wire"
)

func configOf(d *disk.Disk) elbv2.Config {
	return elbv2.Config{
		Account: "111122223333", Region: "eu-west-1", Clock: clock.New(1), Disk: d, IDs: unique.New(1),
		Subnet: func(id string) (string, string, bool) { return "vpc-1", "eu-west-1" + id[len(id)-1:], id != "subnet-x" },
	}
}

func clientOf(t *testing.T, config elbv2.Config) *sdk.Client {
	t.Helper()
	s, err := elbv2.New(config)
	if err != nil {
		t.Fatal(err)
	}
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: config.Account}, nil
	}))
	router.Register("elasticloadbalancing", s.Handler())
	return sdk.NewFromConfig(aws.Config{
		Region: config.Region, Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
		HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
	})
}

func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || message != "" && api.ErrorMessage() != message {
		t.Errorf("error is %v, want %s: %s", err, code, message)
	}
}

type front struct{ balancer, listener, group *string }

var notFound = []types.Action{{
	Type:                types.ActionTypeEnumFixedResponse,
	FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404"), ContentType: aws.String("text/plain")},
}}

func makeFront(t *testing.T, c *sdk.Client) front {
	t.Helper()
	ctx := t.Context()
	var f front
	f.balancer = must[*sdk.CreateLoadBalancerOutput](t)(c.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{
		Name: aws.String("web"), Subnets: []string{"subnet-a", "subnet-b"}, SecurityGroups: []string{"sg-1"},
		Tags: []types.Tag{{Key: aws.String("portolan:cluster"), Value: aws.String("web")}},
	})).LoadBalancers[0].LoadBalancerArn
	f.listener = must[*sdk.CreateListenerOutput](t)(c.CreateListener(ctx, &sdk.CreateListenerInput{
		LoadBalancerArn: f.balancer, Port: aws.Int32(80), Protocol: types.ProtocolEnumHttp, DefaultActions: notFound,
	})).Listeners[0].ListenerArn
	f.group = must[*sdk.CreateTargetGroupOutput](t)(c.CreateTargetGroup(ctx, &sdk.CreateTargetGroupInput{
		Name: aws.String("wildfly"), Port: aws.Int32(8080), Protocol: types.ProtocolEnumHttp, VpcId: aws.String("vpc-1"),
		TargetType: types.TargetTypeEnumIp, HealthCheckPath: aws.String("/health"),
		HealthCheckIntervalSeconds: aws.Int32(10), HealthyThresholdCount: aws.Int32(2),
	})).TargetGroups[0].TargetGroupArn
	return f
}

func forward(group *string) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: group}}
}

func condition(field string, values ...string) types.RuleCondition {
	return types.RuleCondition{Field: &field, Values: values}
}

func TestLoadBalancerBecomesActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ctx := clientOf(t, configOf(nil)), t.Context()
		f := makeFront(t, c)
		state := func() types.LoadBalancerStateEnum {
			out := must[*sdk.DescribeLoadBalancersOutput](t)(c.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{Names: []string{"web"}}))
			return out.LoadBalancers[0].State.Code
		}
		if got := state(); got != types.LoadBalancerStateEnumProvisioning {
			t.Errorf("a new load balancer is %s", got)
		}
		waiter := sdk.NewLoadBalancerAvailableWaiter(c)
		if err := waiter.Wait(ctx, &sdk.DescribeLoadBalancersInput{LoadBalancerArns: []string{*f.balancer}}, 5*time.Minute); err != nil {
			t.Error(err)
		}
		_, err := c.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: []string{"subnet-a", "subnet-c"}})
		wantCode(t, err, "DuplicateLoadBalancerName", "A load balancer with the same name 'web' exists, but with different settings")
		_, err = c.CreateLoadBalancer(ctx, &sdk.CreateLoadBalancerInput{Name: aws.String("one"), Subnets: []string{"subnet-a"}})
		wantCode(t, err, "ValidationError", "At least two subnets in two different Availability Zones must be specified")
		_, err = c.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{Names: []string{"nope"}})
		wantCode(t, err, "LoadBalancerNotFound", "Load balancers '[nope]' not found")
	})
}

func TestRulesHavePrioritiesOfTheirOwn(t *testing.T) {
	c, ctx := clientOf(t, configOf(nil)), t.Context()
	f := makeFront(t, c)
	create := func(priority int32) (*sdk.CreateRuleOutput, error) {
		return c.CreateRule(ctx, &sdk.CreateRuleInput{
			ListenerArn: f.listener, Priority: &priority, Actions: forward(f.group),
			Conditions: []types.RuleCondition{condition("path-pattern", "/shop/*"), condition("host-header", "example.com")},
		})
	}
	second := must[*sdk.CreateRuleOutput](t)(create(20)).Rules[0].RuleArn
	first := must[*sdk.CreateRuleOutput](t)(create(10)).Rules[0].RuleArn
	_, err := create(10)
	wantCode(t, err, "PriorityInUse", "Priority '10' is currently in use")
	var inUse *types.PriorityInUseException
	if !errors.As(err, &inUse) {
		t.Error("PriorityInUse is not the SDK's type")
	}
	must[*sdk.SetRulePrioritiesOutput](t)(c.SetRulePriorities(ctx, &sdk.SetRulePrioritiesInput{
		RulePriorities: []types.RulePriorityPair{{RuleArn: first, Priority: aws.Int32(20)}, {RuleArn: second, Priority: aws.Int32(10)}},
	}))
	rules := must[*sdk.DescribeRulesOutput](t)(c.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: f.listener})).Rules
	if len(rules) != 3 || *rules[0].RuleArn != *second || *rules[1].RuleArn != *first || !*rules[2].IsDefault {
		t.Errorf("rules are %+v", rules)
	}
	if got := rules[0].Conditions[0]; got.PathPatternConfig == nil || got.PathPatternConfig.Values[0] != "/shop/*" {
		t.Errorf("the condition is %+v", got)
	}
	_, err = c.DeleteTargetGroup(ctx, &sdk.DeleteTargetGroupInput{TargetGroupArn: f.group})
	wantCode(t, err, "ResourceInUse", "Target group '"+*f.group+"' is currently in use by a listener or a rule")
	_, err = c.DeleteRule(ctx, &sdk.DeleteRuleInput{RuleArn: rules[2].RuleArn})
	wantCode(t, err, "OperationNotPermitted", "")
	must[*sdk.DeleteLoadBalancerOutput](t)(c.DeleteLoadBalancer(ctx, &sdk.DeleteLoadBalancerInput{LoadBalancerArn: f.balancer}))
	_, err = c.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: f.listener})
	wantCode(t, err, "ListenerNotFound", "")
	must[*sdk.DeleteTargetGroupOutput](t)(c.DeleteTargetGroup(ctx, &sdk.DeleteTargetGroupInput{TargetGroupArn: f.group}))
}

func TestRulesThatAreWrong(t *testing.T) {
	c, ctx := clientOf(t, configOf(nil)), t.Context()
	f := makeFront(t, c)
	gone := aws.String("arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/gone/1")
	path := []types.RuleCondition{condition("path-pattern", "/")}
	tests := map[string]struct {
		in   sdk.CreateRuleInput
		code string
	}{
		"priority":      {sdk.CreateRuleInput{Priority: aws.Int32(0), Conditions: path, Actions: forward(f.group)}, "ValidationError"},
		"no conditions": {sdk.CreateRuleInput{Priority: aws.Int32(1), Conditions: []types.RuleCondition{}, Actions: forward(f.group)}, "ValidationError"},
		"field":         {sdk.CreateRuleInput{Priority: aws.Int32(1), Conditions: []types.RuleCondition{condition("color", "red")}, Actions: forward(f.group)}, "ValidationError"},
		"target group":  {sdk.CreateRuleInput{Priority: aws.Int32(1), Conditions: path, Actions: forward(gone)}, "TargetGroupNotFound"},
	}
	for name, test := range tests {
		test.in.ListenerArn = f.listener
		_, err := c.CreateRule(ctx, &test.in)
		t.Log(name)
		wantCode(t, err, test.code, "")
	}
	_, err := c.CreateListener(ctx, &sdk.CreateListenerInput{LoadBalancerArn: f.balancer, Port: aws.Int32(80), Protocol: types.ProtocolEnumHttp, DefaultActions: notFound})
	wantCode(t, err, "DuplicateListener", "")
	_, err = c.CreateTargetGroup(ctx, &sdk.CreateTargetGroupInput{Name: aws.String("-bad-")})
	wantCode(t, err, "ValidationError", "")
}

func TestTargetHealthFollowsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := configOf(nil)
		broken := map[string]bool{"10.0.0.2": true}
		config.Answers = func(_, id string, port int) bool { return port == 8080 && !broken[id] }
		c, ctx := clientOf(t, config), t.Context()
		f := makeFront(t, c)
		two := []types.TargetDescription{{Id: aws.String("10.0.0.1")}, {Id: aws.String("10.0.0.2")}}
		must[*sdk.RegisterTargetsOutput](t)(c.RegisterTargets(ctx, &sdk.RegisterTargetsInput{TargetGroupArn: f.group, Targets: two}))
		states := func() (states string) {
			out := must[*sdk.DescribeTargetHealthOutput](t)(c.DescribeTargetHealth(ctx, &sdk.DescribeTargetHealthInput{TargetGroupArn: f.group}))
			for _, d := range out.TargetHealthDescriptions {
				states += string(d.TargetHealth.State) + " "
			}
			return states
		}
		want := func(want string) {
			t.Helper()
			if got := states(); got != want {
				t.Errorf("targets are %s, want %s", got, want)
			}
		}
		want("unused unused ")
		must[*sdk.CreateRuleOutput](t)(c.CreateRule(ctx, &sdk.CreateRuleInput{
			ListenerArn: f.listener, Priority: aws.Int32(1), Actions: forward(f.group),
			Conditions: []types.RuleCondition{condition("path-pattern", "/")},
		}))
		want("initial initial ")
		time.Sleep(19 * time.Second)
		want("initial initial ")
		time.Sleep(time.Minute)
		want("healthy unhealthy ")
		must[*sdk.DeregisterTargetsOutput](t)(c.DeregisterTargets(ctx, &sdk.DeregisterTargetsInput{TargetGroupArn: f.group, Targets: two[:1]}))
		want("draining unhealthy ")
		time.Sleep(5 * time.Minute)
		want("unhealthy ")
	})
}

func TestTagsAndRestart(t *testing.T) {
	d := must[*disk.Disk](t)(disk.Open(t.TempDir()))
	defer d.Close()
	f := makeFront(t, clientOf(t, configOf(d)))
	c, ctx := clientOf(t, configOf(d)), t.Context()
	must[*sdk.AddTagsOutput](t)(c.AddTags(ctx, &sdk.AddTagsInput{
		ResourceArns: []string{*f.group}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	}))
	out := must[*sdk.DescribeTagsOutput](t)(c.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{*f.balancer, *f.group}}))
	if *out.TagDescriptions[0].Tags[0].Value != "web" || *out.TagDescriptions[1].Tags[0].Value != "b" {
		t.Errorf("tags are %+v", out.TagDescriptions)
	}
	groups := must[*sdk.DescribeTargetGroupsOutput](t)(c.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{Names: []string{"wildfly"}}))
	if got := groups.TargetGroups[0]; *got.HealthCheckPath != "/health" || *got.HealthCheckIntervalSeconds != 10 || *got.Port != 8080 {
		t.Errorf("the target group came back as %+v", got)
	}
	_, err := c.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{*f.listener + "x"}})
	wantCode(t, err, "ListenerNotFound", "")
}
