package ecs_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// inCluster runs fn in a bubble with a cluster of two nodes.
func inCluster(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, start(t, contract.EC2, 2)) })
}

func (b *bench) apply(release orchestrator.Release) {
	b.t.Helper()
	b.must(b.driver.Apply(b.t.Context(), release))
}

// routed returns what the listener's rules match, in the order of priority.
func (b *bench) routed() []string {
	rules := b.rules()
	slices.SortFunc(rules, func(x, y types.Rule) int { return priority(x) - priority(y) })
	var matches []string
	for _, r := range rules {
		var parts []string
		for _, c := range r.Conditions {
			if c.HostHeaderConfig != nil {
				parts = append(parts, c.HostHeaderConfig.Values...)
			}
			if c.PathPatternConfig != nil {
				parts = append(parts, c.PathPatternConfig.Values...)
			}
		}
		matches = append(matches, strings.Join(parts, " "))
	}
	return matches
}

func priority(r types.Rule) int {
	n, _ := strconv.Atoi(aws.ToString(r.Priority))
	return n
}

// addRule adds a rule that is not the driver's, and returns its ARN.
func (b *bench) addRule(priority int, path, group string) string {
	b.t.Helper()
	action := types.Action{
		Type:                types.ActionTypeEnumFixedResponse,
		FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("503")},
	}
	if group != "" {
		action = types.Action{
			Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(group),
		}
	}
	out, err := b.lb.CreateRule(b.t.Context(), &elbv2.CreateRuleInput{
		ListenerArn: aws.String(b.ref.Facts.ECS.ListenerARN),
		Priority:    aws.Int32(int32(priority)), Actions: []types.Action{action},
		Conditions: []types.RuleCondition{{
			Field: aws.String("path-pattern"), Values: []string{path},
		}},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("somebody")}},
	})
	b.must(err)
	return *out.Rules[0].RuleArn
}

func TestRulesFollowTheRelease(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		release := b.release(1, "web", 1)
		b.apply(release)
		if got := b.routed(); !slices.Equal(got, []string{"shop.example.com", "/web/*"}) {
			t.Errorf("release 1 has the rules %q", got)
		}
		var arns []string
		for _, r := range b.rules() {
			arns = append(arns, *r.RuleArn)
		}
		tags, err := b.lb.DescribeTags(t.Context(), &elbv2.DescribeTagsInput{ResourceArns: arns})
		b.must(err)
		for _, description := range tags.TagDescriptions {
			got := map[string]string{}
			for _, tag := range description.Tags {
				got[*tag.Key] = *tag.Value
			}
			if got["portolan:cluster"] != "shop" || got["portolan:service"] != "web" ||
				got["portolan:operation"] != "operation-1" {
				t.Errorf("rule %s has the tags %v", *description.ResourceArn, got)
			}
		}
		release = b.release(2, "web", 1)
		release.Spec.LoadBalancer.HealthCheckPath = "/health"
		release.Spec.LoadBalancer.Rules = []contract.RoutingRule{
			{Hosts: []string{"shop.example.com"}}, {Paths: []string{"/new"}},
		}
		b.apply(release)
		if got := b.routed(); !slices.Equal(got, []string{"shop.example.com", "/new"}) {
			t.Errorf("release 2 has the rules %q", got)
		}
		if !slices.ContainsFunc(b.rules(), func(r types.Rule) bool {
			return slices.Contains(arns, *r.RuleArn)
		}) {
			t.Error("a rule that did not change was made anew")
		}
		if got := *b.groups()[0].HealthCheckPath; got != "/health" {
			t.Errorf("the health check path is %q", got)
		}
		release = b.release(3, "web", 1)
		release.Spec.LoadBalancer = contract.LoadBalancer{}
		b.apply(release)
		if got := b.routed(); len(got) > 0 {
			t.Errorf("without a load balancer there are the rules %q", got)
		}
	})
}

func TestAnotherNetworkModeIsAnotherTargetGroup(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		b.apply(b.release(1, "web", 1))
		before := b.routed()
		release := b.release(2, "web", 1)
		release.Spec.Ecs.NetworkMode = contract.Awsvpc
		b.apply(release)
		groups := b.groups()
		at := slices.IndexFunc(groups, func(g types.TargetGroup) bool {
			return g.TargetType == types.TargetTypeEnumIp
		})
		if len(groups) != 2 || at < 0 {
			t.Fatalf("got groups %+v", groups)
		}
		if after := b.routed(); !slices.Equal(before, after) {
			t.Errorf("the rules %q became %q", before, after)
		}
		for _, r := range b.rules() {
			if *r.Actions[0].TargetGroupArn != *groups[at].TargetGroupArn {
				t.Errorf("rule %s forwards to %s", *r.RuleArn, *r.Actions[0].TargetGroupArn)
			}
		}
	})
}

func TestRulesOfOthersStay(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		b.apply(b.release(1, "web", 1))
		group := *b.groups()[0].TargetGroupArn
		b.addRule(1, "/foreign", "")
		onOurs := b.addRule(2, "/by-hand", group)
		web := b.release(1, "web", 1).Service
		for range 20 {
			left, err := b.driver.Remove(t.Context(), web)
			b.must(err)
			if len(left) == 1 && strings.Contains(left[0], ":targetgroup/") {
				break
			}
			time.Sleep(20 * time.Second)
		}
		if got := b.routed(); !slices.Equal(got, []string{"/foreign", "/by-hand"}) {
			t.Errorf("the rules are %q", got)
		}
		// The target group is named as left for as long as somebody's rule uses it.
		left, err := b.driver.Remove(t.Context(), web)
		if err != nil || !slices.Equal(left, []string{group}) {
			t.Errorf("left %q, %v", left, err)
		}
		_, err = b.lb.DeleteRule(t.Context(), &elbv2.DeleteRuleInput{RuleArn: &onOurs})
		b.must(err)
		left, err = b.driver.Remove(t.Context(), web)
		if err != nil || len(left) > 0 || len(b.groups()) > 0 {
			t.Errorf("left %q, %v", left, err)
		}
	})
}

// steal takes so many priorities just before the driver does.
func (b *bench) steal(times int) {
	b.line.before = func(body string) {
		form, err := url.ParseQuery(body)
		b.must(err)
		if form.Get("Action") != "CreateRule" || times == 0 {
			return
		}
		times--
		priority, err := strconv.Atoi(form.Get("Priority"))
		b.must(err)
		b.addRule(priority, "/stolen", "")
	}
}

func TestPriorityTakenMeanwhile(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		b.steal(2)
		b.apply(b.release(1, "web", 1))
		if got := len(b.routed()); got != 4 {
			t.Errorf("%d rules, of which 2 are a thief's: %q", got, b.routed())
		}
	})
	inCluster(t, func(t *testing.T, b *bench) {
		b.steal(100)
		err := b.driver.Apply(t.Context(), b.release(1, "web", 1))
		if !fault.IsConflict(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTwoServicesShareAListener(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		first, second := b.release(1, "web", 1), b.release(1, "shop", 1)
		second.Service.Name = "shop"
		second.Spec.LoadBalancer.Rules = []contract.RoutingRule{{Paths: []string{"/web/cart/*"}}}
		b.apply(first)
		b.apply(second)
		want := []string{"shop.example.com", "/web/cart/*", "/web/*"}
		if got := b.routed(); !slices.Equal(got, want) {
			t.Errorf("the rules are %q, want %q", got, want)
		}
		if n := len(b.groups()); n != 2 {
			t.Errorf("%d target groups", n)
		}
	})
}

func TestWhatECSCannotDoIsRefused(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		release := b.release(1, "web", 1)
		release.Spec.LoadBalancer.ContainerPort = 9090
		err := b.driver.Apply(t.Context(), release)
		fields := fault.FieldsOf(err)
		if !fault.IsInvalid(err) || len(fields) != 1 ||
			fields[0].Pointer != "/loadBalancer/containerPort" {
			t.Errorf("got %v", err)
		}
		b.apply(b.release(1, "web", 1))
		global := b.release(2, "web", 1)
		global.Spec.Mode = contract.Global
		err = b.driver.Apply(t.Context(), global)
		fields = fault.FieldsOf(err)
		if !fault.IsInvalid(err) || len(fields) != 1 || fields[0].Pointer != "/mode" {
			t.Errorf("got %v", err)
		}
		b.ref.Facts.ECS.ListenerARN = ""
		err = b.driver.Apply(t.Context(), b.release(3, "web", 1))
		if !fault.IsInvalid(err) {
			t.Errorf("without a listener: %v", err)
		}
	})
}

func TestClusterThatIsNotThere(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		gone := *b.ref.Facts.ECS
		gone.ClusterARN += "-gone"
		for _, facts := range []orchestrator.Facts{{}, {ECS: &gone}} {
			ref := orchestrator.ServiceRef{
				Cluster: orchestrator.ClusterRef{Name: "shop", Facts: facts}, Name: "web",
			}
			release := b.release(1, "web", 1)
			release.Service = ref
			_, healthErr := b.driver.Health(t.Context(), ref.Cluster)
			_, observeErr := b.driver.Observe(t.Context(), ref)
			_, listErr := b.driver.ListNodes(t.Context(), orchestrator.NodeQuery{Cluster: ref.Cluster})
			for _, err := range []error{
				healthErr, observeErr, listErr, b.driver.Apply(t.Context(), release),
				b.driver.Scale(t.Context(), ref, 1),
			} {
				if !fault.IsNotFound(err) {
					t.Errorf("got %v", err)
				}
			}
			left, err := b.driver.Remove(t.Context(), ref)
			if err != nil || len(left) > 0 {
				t.Errorf("removing what is not there left %q, %v", left, err)
			}
		}
	})
}
