package ecs_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	rules := slices.Clone(b.balancer.rules)
	slices.SortFunc(rules, func(x, y *rule) int { return priority(x) - priority(y) })
	var matches []string
	for _, r := range rules {
		var parts []string
		for _, c := range r.Conditions {
			for _, v := range []*values{c.HostHeaderConfig, c.PathPatternConfig} {
				if v != nil {
					parts = append(parts, v.Values...)
				}
			}
		}
		matches = append(matches, strings.Join(parts, " "))
	}
	return matches
}

func priority(r *rule) int {
	n, _ := strconv.Atoi(r.Priority)
	return n
}

func TestRulesFollowTheRelease(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		release := b.release(1, "web", 1)
		b.apply(release)
		if got := b.routed(); !slices.Equal(got, []string{"shop.example.com", "/web/*"}) {
			t.Errorf("release 1 has the rules %q", got)
		}
		for _, r := range b.balancer.rules {
			if !slices.Contains(r.Tags, keyTag{"portolan:service", "web"}) ||
				!slices.Contains(r.Tags, keyTag{"portolan:cluster", "shop"}) {
				t.Errorf("rule %s has the tags %v", r.RuleArn, r.Tags)
			}
		}
		kept := b.balancer.rules[1].RuleArn
		release = b.release(2, "web", 1)
		release.Spec.LoadBalancer.HealthCheckPath = "/health"
		release.Spec.LoadBalancer.Rules = []contract.RoutingRule{
			{Hosts: []string{"shop.example.com"}}, {Paths: []string{"/new"}},
		}
		b.apply(release)
		if got := b.routed(); !slices.Equal(got, []string{"shop.example.com", "/new"}) {
			t.Errorf("release 2 has the rules %q", got)
		}
		if b.balancer.rules[0].RuleArn != kept {
			t.Error("a rule that did not change was made anew")
		}
		if got := b.balancer.groups[0].HealthCheckPath; got != "/health" {
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
		rules := len(b.balancer.rules)
		release := b.release(2, "web", 1)
		release.Spec.Ecs.NetworkMode = contract.Awsvpc
		b.apply(release)
		if len(b.balancer.groups) != 2 || b.balancer.groups[1].TargetType != "ip" {
			t.Fatalf("got groups %+v", b.balancer.groups)
		}
		if len(b.balancer.rules) != rules {
			t.Errorf("%d rules became %d", rules, len(b.balancer.rules))
		}
		for _, r := range b.balancer.rules {
			if r.Actions[0].TargetGroupArn != b.balancer.groups[1].TargetGroupArn {
				t.Errorf("rule %s forwards to %s", r.RuleArn, r.Actions[0].TargetGroupArn)
			}
		}
	})
}

func TestRulesOfOthersStay(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		b.apply(b.release(1, "web", 1))
		group := b.balancer.groups[0].TargetGroupArn
		foreign := &rule{RuleArn: "foreign", Priority: "1", Actions: []action{{TargetGroupArn: "else"}}}
		onOurs := &rule{
			RuleArn: "by-hand", Priority: "2", Actions: []action{{TargetGroupArn: group}},
			Tags: []keyTag{{"team", "somebody"}},
		}
		b.balancer.rules = append(b.balancer.rules, foreign, onOurs)
		web := b.release(1, "web", 1).Service
		for range 20 {
			left, err := b.driver.Remove(t.Context(), web)
			b.must(err)
			if len(left) == 1 && strings.Contains(left[0], ":targetgroup/") {
				break
			}
			time.Sleep(20 * time.Second)
		}
		var arns []string
		for _, r := range b.balancer.rules {
			arns = append(arns, r.RuleArn)
		}
		if !slices.Equal(arns, []string{"foreign", "by-hand"}) {
			t.Errorf("the rules are %q", arns)
		}
		// The target group is named as left for as long as somebody's rule uses it.
		left, err := b.driver.Remove(t.Context(), web)
		if err != nil || !slices.Equal(left, []string{group}) {
			t.Errorf("left %q, %v", left, err)
		}
		b.balancer.rules = b.balancer.rules[:1]
		left, err = b.driver.Remove(t.Context(), web)
		if err != nil || len(left) > 0 || len(b.balancer.groups) > 0 {
			t.Errorf("left %q, %v", left, err)
		}
	})
}

func TestPriorityTakenMeanwhile(t *testing.T) {
	inCluster(t, func(t *testing.T, b *bench) {
		b.balancer.thefts = 2
		b.apply(b.release(1, "web", 1))
		if got := len(b.routed()); got != 4 {
			t.Errorf("%d rules, of which 2 are a thief's: %q", got, b.routed())
		}
	})
	inCluster(t, func(t *testing.T, b *bench) {
		b.balancer.thefts = 100
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
		if len(b.balancer.groups) != 2 {
			t.Errorf("%d target groups", len(b.balancer.groups))
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
