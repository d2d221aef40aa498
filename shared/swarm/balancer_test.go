package swarm_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/local/clock"
	localelb "portolan/local/elbv2"
	"portolan/local/unique"
	"portolan/local/wire"
	"portolan/shared/orchestrator"
)

// loadBalancer is the cluster's, in the embedded AWS.
type loadBalancer struct {
	lb    *elbv2.Client
	facts *orchestrator.SwarmFacts
}

// newLoadBalancer makes a load balancer with a listener that services share, as a
// cluster's stack does.
func newLoadBalancer(t testing.TB, v *vault, facts *orchestrator.SwarmFacts) *loadBalancer {
	t.Helper()
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: account}, nil
	}))
	service, err := localelb.New(localelb.Config{Clock: clock.New(1), IDs: unique.New(2), Account: account, Region: area})
	if err != nil {
		t.Fatal(err)
	}
	router.Register("elasticloadbalancing", service.Handler())
	v.other = router.Client()
	l := &loadBalancer{lb: elbv2.NewFromConfig(v.config()), facts: facts}
	made, err := l.lb.CreateLoadBalancer(t.Context(), &elbv2.CreateLoadBalancerInput{
		Name: aws.String("shop"), Subnets: []string{"subnet-1", "subnet-2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	facts.LoadBalancerARN = aws.ToString(made.LoadBalancers[0].LoadBalancerArn)
	facts.ListenerARN = l.listen(t, 80)
	return l
}

// listen makes a listener past the driver.
func (l *loadBalancer) listen(t testing.TB, port int32) string {
	t.Helper()
	made, err := l.lb.CreateListener(t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: aws.String(l.facts.LoadBalancerARN), Port: aws.Int32(port), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{
			Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404")},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(made.Listeners[0].ListenerArn)
}

// listeners are those of the load balancer by port.
func (l *loadBalancer) listeners(t testing.TB) map[int32]types.Listener {
	t.Helper()
	out, err := l.lb.DescribeListeners(t.Context(), &elbv2.DescribeListenersInput{LoadBalancerArn: aws.String(l.facts.LoadBalancerARN)})
	if err != nil {
		t.Fatal(err)
	}
	found := map[int32]types.Listener{}
	for _, one := range out.Listeners {
		found[aws.ToInt32(one.Port)] = one
	}
	return found
}

// left names what services have on the load balancer.
func (l *loadBalancer) left(t testing.TB) (left []string) {
	t.Helper()
	for port, listener := range l.listeners(t) {
		if port != 80 && port != 9000 {
			left = append(left, aws.ToString(listener.ListenerArn))
		}
	}
	groups, err := l.lb.DescribeTargetGroups(t.Context(), &elbv2.DescribeTargetGroupsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups.TargetGroups {
		left = append(left, aws.ToString(group.TargetGroupArn))
	}
	rules, err := l.lb.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{ListenerArn: aws.String(l.facts.ListenerARN)})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules.Rules {
		if !aws.ToBool(rule.IsDefault) {
			left = append(left, aws.ToString(rule.RuleArn))
		}
	}
	return left
}

// targets are the instances in the target group of a listener.
func (l *loadBalancer) targets(t testing.TB, listener types.Listener) []string {
	t.Helper()
	out, err := l.lb.DescribeTargetHealth(t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: listener.DefaultActions[0].TargetGroupArn})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, one := range out.TargetHealthDescriptions {
		if !strings.Contains(string(one.TargetHealth.State), "draining") {
			ids = append(ids, aws.ToString(one.Target.Id))
		}
	}
	slices.Sort(ids)
	return ids
}
