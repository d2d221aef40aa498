package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// A scene is the handler on the real store, with a cluster in an EKS that takes a
// few looks to update.
type scene struct {
	*testing.T
	*Handler
	orchestrator.Orchestrator
	store    *store.Store
	call     step.Call
	blockers []string

	versions map[string]string // by pool; the control plane's under ""
	updates  map[string]*update
	asked    []string // pools in the order of their updates
	broken   string   // the pool whose update fails
	usage    []string // APIs that are in use and that the next version has no more
}

func (s *scene) ListInsights(_ context.Context, in *eks.ListInsightsInput, _ ...func(*eks.Options)) (*eks.ListInsightsOutput, error) {
	out := &eks.ListInsightsOutput{}
	if filter := in.Filter; len(s.usage) > 0 && slices.Equal(filter.KubernetesVersions, []string{"1.35"}) &&
		slices.Equal(filter.Statuses, []types.InsightStatusValue{types.InsightStatusValueError}) {
		out.Insights = []types.InsightSummary{{Id: aws.String("apis")}, {Id: aws.String("skew")}}
	}
	return out, nil
}

func (s *scene) DescribeInsight(_ context.Context, in *eks.DescribeInsightInput, _ ...func(*eks.Options)) (*eks.DescribeInsightOutput, error) {
	if *in.Id == "skew" {
		return &eks.DescribeInsightOutput{Insight: &types.Insight{Name: aws.String("Kubelet version skew"),
			InsightStatus: &types.InsightStatus{Reason: aws.String("Node is too old.")}}}, nil
	}
	insight := &types.Insight{CategorySpecificSummary: &types.InsightCategorySpecificSummary{}}
	for _, api := range s.usage {
		insight.CategorySpecificSummary.DeprecationDetails = append(insight.CategorySpecificSummary.DeprecationDetails, types.DeprecationDetail{
			Usage: &api, ReplacedWith: aws.String("/apis/x/v1"), StopServingVersion: aws.String("1.35"),
			ClientStats: []types.ClientStat{{UserAgent: aws.String("helm/3")}, {UserAgent: aws.String("helm/3")}}})
	}
	return &eks.DescribeInsightOutput{Insight: insight}, nil
}

type update struct {
	pool, to string
	looks    int
}

// Blockers implements orchestrator.Upgrader.
func (s *scene) Blockers(context.Context, orchestrator.ClusterRef, string) ([]string, error) {
	return s.blockers, nil
}

func (s *scene) DescribeCluster(context.Context, *eks.DescribeClusterInput, ...func(*eks.Options)) (*eks.DescribeClusterOutput, error) {
	return &eks.DescribeClusterOutput{Cluster: &types.Cluster{Version: aws.String(s.versions[""])}}, nil
}

func (s *scene) DescribeNodegroup(_ context.Context, in *eks.DescribeNodegroupInput, _ ...func(*eks.Options)) (*eks.DescribeNodegroupOutput, error) {
	return &eks.DescribeNodegroupOutput{Nodegroup: &types.Nodegroup{Version: aws.String(s.versions[*in.NodegroupName])}}, nil
}

func (s *scene) UpdateClusterVersion(_ context.Context, in *eks.UpdateClusterVersionInput, _ ...func(*eks.Options)) (*eks.UpdateClusterVersionOutput, error) {
	return &eks.UpdateClusterVersionOutput{Update: s.begin("", *in.Version, *in.ClientRequestToken)}, nil
}

func (s *scene) UpdateNodegroupVersion(_ context.Context, in *eks.UpdateNodegroupVersionInput, _ ...func(*eks.Options)) (*eks.UpdateNodegroupVersionOutput, error) {
	return &eks.UpdateNodegroupVersionOutput{Update: s.begin(*in.NodegroupName, *in.Version, *in.ClientRequestToken)}, nil
}

// begin starts an update, once for each token.
func (s *scene) begin(pool, to, token string) *types.Update {
	if s.updates[token] == nil {
		s.updates[token] = &update{pool: pool, to: to}
		s.asked = append(s.asked, pool)
	}
	return &types.Update{Id: &token, Status: types.UpdateStatusInProgress}
}

func (s *scene) DescribeUpdate(_ context.Context, in *eks.DescribeUpdateInput, _ ...func(*eks.Options)) (*eks.DescribeUpdateOutput, error) {
	u := s.updates[*in.UpdateId]
	if u == nil || u.pool != aws.ToString(in.NodegroupName) {
		s.Fatalf("update %s of %q is asked for", *in.UpdateId, aws.ToString(in.NodegroupName))
	}
	out := &types.Update{Id: in.UpdateId, Status: types.UpdateStatusInProgress}
	switch u.looks++; {
	case u.looks > 2 && u.pool == s.broken && u.pool != "":
		out.Status = types.UpdateStatusFailed
		out.Errors = []types.ErrorDetail{{ErrorCode: types.ErrorCodePodEvictionFailure,
			ErrorMessage: aws.String("Reached max retries while trying to evict pods"), ResourceIds: []string{"ip-10-0-1-17"}}}
	case u.looks > 2:
		out.Status, s.versions[u.pool] = types.UpdateStatusSuccessful, u.to
	}
	return &eks.DescribeUpdateOutput{Update: out}, nil
}

func play(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, store: storetest.Open(t), updates: map[string]*update{},
		versions: map[string]string{"": "1.34", "main": "1.34", "cheap": "1.34"}}
	s.Handler = &Handler{Store: s.store, Log: steptest.Log(), Client: func(string) EKS { return s },
		Orchestrator: func(*model.Cluster, string) orchestrator.Orchestrator { return s }}
	cluster := steptest.Cluster()
	cluster.Spec.Orchestrator, cluster.Spec.Kubernetes.Version = contract.Kubernetes, "1.35"
	cluster.OrchestratorVersion = "v1.34.1"
	cluster.NodePools = []model.NodePool{{Name: "main"}, {Name: "cheap"}}
	cluster.Facts = orchestrator.Facts{Kubernetes: &orchestrator.KubernetesFacts{EKSCluster: "portolan-shop"}}
	steptest.Commit(t, s.store, store.CreateCluster(cluster))
	s.call = steptest.Begin(t, s.store, "operation", contract.KindUpgrade, contract.Target{Cluster: steptest.ClusterName})
	return s
}

func (s *scene) do(name string, state State) State {
	s.Helper()
	call := s.call
	call.Step = name
	out, err := s.Handle(s.Context(), In{Call: call, State: state})
	if err != nil {
		s.Fatalf("%s: %v", name, err)
	}
	return out
}

// follow looks at an update until it has ended.
func (s *scene) follow(state State) State {
	s.Helper()
	for range 10 {
		if state.Verdict != decide.Progressing {
			return state
		}
		state = s.do("ObserveUpdate", state)
	}
	s.Fatalf("the update does not end: %+v", state)
	return state
}

func (s *scene) cluster() *model.Cluster {
	s.Helper()
	c, err := s.store.Cluster(s.Context(), steptest.ClusterName)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

func TestControlPlaneFirstThenEachPool(t *testing.T) {
	s := play(t)
	if state := s.do("FindBlockers", State{}); state.Verdict != decide.Healthy {
		t.Fatalf("got %+v", state)
	}
	state := s.follow(s.do("UpdateControlPlane", State{}))
	for range 3 {
		if state = s.do("UpdatePool", state); state.Verdict == decide.Healthy {
			break
		}
		state = s.follow(state)
	}
	if state.Verdict != decide.Healthy || !slices.Equal(s.asked, []string{"", "main", "cheap"}) {
		t.Errorf("updated %q and ended as %+v", s.asked, state)
	}
	if c := s.cluster(); decide.MinorVersion(c) != "1.35" {
		t.Errorf("the cluster is said to have %s", c.OrchestratorVersion)
	}
}

func TestBlockersChangeNothing(t *testing.T) {
	s := play(t)
	s.blockers = []string{"PodDisruptionBudget shop/web lets no task go", "node ip-10-0-1-17 is too old"}
	state := s.do("FindBlockers", State{})
	if state.Verdict != decide.Failed || !strings.Contains(state.Reason, "2 things stand in the way of version 1.35: PodDisruptionBudget") {
		t.Errorf("got %+v", state)
	}
	if c := s.cluster(); c.Spec.Kubernetes.Version != "1.34" || len(s.asked) > 0 {
		t.Errorf("wanted is %s, and %q was updated", c.Spec.Kubernetes.Version, s.asked)
	}
}

func TestAPIsInUseStandInTheWay(t *testing.T) {
	s := play(t)
	s.usage = []string{"/apis/x/v1beta1"}
	state := s.do("FindBlockers", State{})
	want := "2 things stand in the way of version 1.35: somebody (helm/3) still asks for /apis/x/v1beta1, which 1.35 has no more: " +
		"use /apis/x/v1; Kubelet version skew: Node is too old."
	if state.Verdict != decide.Failed || state.Reason != want {
		t.Errorf("got %+v, want %q", state, want)
	}
}

func TestAFailedPoolIsExplained(t *testing.T) {
	s := play(t)
	s.versions[""], s.broken = "1.35", "main"
	state := s.do("UpdateControlPlane", State{})
	if state.Verdict != decide.Healthy || len(s.asked) > 0 {
		t.Fatalf("a control plane that has the version: %+v", state)
	}
	state = s.follow(s.do("UpdatePool", state))
	if state.Verdict != decide.Failed || !strings.Contains(state.Reason, "PodEvictionFailure") || !strings.Contains(state.Reason, "ip-10-0-1-17") {
		t.Errorf("got %+v", state)
	}
	if want := "node pool main of cluster shop, at version 1.34"; len(state.Left) != 2 || state.Left[0] != want {
		t.Errorf("left: %q", state.Left)
	}
}

func TestAStepAgainAsksForNothingTwice(t *testing.T) {
	s := play(t)
	one := s.do("UpdateControlPlane", State{})
	if two := s.do("UpdateControlPlane", State{}); fmt.Sprint(one) != fmt.Sprint(two) || len(s.asked) != 1 {
		t.Errorf("got %+v and %+v", one, two)
	}
}

func TestOnlyClustersOfEKSAreUpgraded(t *testing.T) {
	s := play(t)
	c := s.cluster()
	c.Facts = orchestrator.Facts{}
	steptest.Commit(t, s.store, store.UpdateCluster(*c))
	call := s.call
	call.Step = "FindBlockers"
	if _, err := s.Handle(t.Context(), In{Call: call}); !fault.IsInvalid(err) {
		t.Errorf("got %v", err)
	}
}
