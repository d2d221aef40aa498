package survey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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

// A scene is the handler on the real store, with a cluster that is as seen says.
type scene struct {
	*Handler
	orchestrator.Orchestrator
	store *store.Store
	call  step.Call
	seen  orchestrator.Survey
	err   error
	asked []contract.Verb
}

// Survey implements orchestrator.Surveyor.
func (s *scene) Survey(_ context.Context, c orchestrator.ClusterRef, verbs []contract.Verb) (orchestrator.Survey, error) {
	s.asked = verbs
	return s.seen, s.err
}

func play(t *testing.T) *scene {
	t.Helper()
	s := &scene{store: storetest.Open(t), seen: orchestrator.Survey{Version: "v1.34.2", Nodes: 3}}
	s.Handler = &Handler{Store: s.store, Now: time.Now, Log: steptest.Log(),
		Orchestrator: func(*model.Cluster, string) orchestrator.Orchestrator { return s }}
	cluster := steptest.Cluster()
	cluster.Spec.Orchestrator = contract.Kubernetes
	cluster.Spec.Adopted = contract.AdoptedCluster{Credentials: "arn", Verbs: []contract.Verb{contract.VerbDeploy}}
	steptest.Commit(t, s.store, store.CreateCluster(cluster))
	s.call = steptest.Begin(t, s.store, "operation", contract.KindSurvey, contract.Target{Cluster: steptest.ClusterName})
	s.call.Step = "SurveyCluster"
	return s
}

func workloads(n int) []orchestrator.Workload {
	all := make([]orchestrator.Workload, n)
	for i := range all {
		all[i] = orchestrator.Workload{Namespace: "shop", Kind: "Deployment", Name: fmt.Sprintf("web-%04d", i), Images: []string{"web:1"}}
	}
	return all
}

func TestWhatIsSeenIsKept(t *testing.T) {
	s := play(t)
	s.seen.Workloads, s.seen.More = workloads(250), 7
	out, err := s.Handle(t.Context(), In{Call: s.call})
	if err != nil || out.Verdict != decide.Healthy || !strings.Contains(out.Reason, "v1.34.2 with 3 nodes and 257 workloads, of which the first 250 are kept") {
		t.Fatalf("got %+v, %v", out, err)
	}
	if !slices.Equal(s.asked, []contract.Verb{contract.VerbDeploy}) {
		t.Errorf("asked for the rights of %q", s.asked)
	}
	c, err := s.store.Cluster(t.Context(), steptest.ClusterName)
	if err != nil || c.Survey != "operation" || c.OrchestratorVersion != "v1.34.2" {
		t.Fatalf("the cluster keeps %+v, %v", c, err)
	}
	var names []string
	for p := (store.Page{Limit: 100}); ; {
		page, next, err := s.store.Workloads(t.Context(), c.Survey, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range page {
			names = append(names, w.Name)
		}
		if p.Next = next; next == "" {
			break
		}
	}
	if len(names) != 250 || !slices.IsSorted(names) {
		t.Errorf("%d workloads are kept: %q", len(names), names)
	}
}

func TestOneOfEachIsCalledSo(t *testing.T) {
	if got := summary(orchestrator.Survey{Version: "v1.34.2", Nodes: 1, Workloads: workloads(1)}); got != "v1.34.2 with 1 node and 1 workload" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsInTheWayOfTheNextVersionIsKept(t *testing.T) {
	s := play(t)
	s.seen.Blockers = []string{"node old has kubelet v1.31.4", strings.Repeat("ä", blockerMax), "a budget"}
	out, err := s.Handle(t.Context(), In{Call: s.call})
	if err != nil || out.Verdict != decide.Healthy ||
		!strings.HasSuffix(out.Reason, "; for its next version: node old has kubelet v1.31.4, and 2 more in upgradeBlockers") {
		t.Fatalf("got %+v, %v", out, err)
	}
	c, err := s.store.Cluster(t.Context(), steptest.ClusterName)
	if err != nil || len(c.Blockers) != 3 || len(c.Blockers[1]) > blockerMax+len("…") || !strings.HasSuffix(c.Blockers[1], "ä…") {
		t.Errorf("the cluster keeps %q, %v", c.Blockers, err)
	}
	// The next look sees that it is mended.
	s.seen.Blockers = nil
	if _, err := s.Handle(t.Context(), In{Call: s.call}); err != nil {
		t.Fatal(err)
	}
	if c, err = s.store.Cluster(t.Context(), steptest.ClusterName); err != nil || len(c.Blockers) != 0 {
		t.Errorf("the cluster still keeps %q, %v", c.Blockers, err)
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	s := play(t)
	for i := range 12 {
		s.seen.Missing = append(s.seen.Missing, fmt.Sprintf("patch things-%d", i))
	}
	out, err := s.Handle(t.Context(), In{Call: s.call})
	if err != nil || out.Verdict != decide.Failed {
		t.Fatalf("got %+v, %v", out, err)
	}
	if !strings.Contains(out.Reason, "may not patch things-0, nor patch things-1") || !strings.Contains(out.Reason, "nor 2 things more") {
		t.Errorf("the reason is %q", out.Reason)
	}
}

func TestWhatCannotBeLookedAtIsLeftAlone(t *testing.T) {
	s := play(t)
	s.err = fault.New(fault.Invalid, "the kubeconfig has no current context")
	if _, err := s.Handle(t.Context(), In{Call: s.call}); !errors.Is(err, s.err) {
		t.Errorf("got %v", err)
	}
	c, err := s.store.Cluster(t.Context(), steptest.ClusterName)
	if err != nil || c.Survey != "" {
		t.Errorf("the cluster keeps %+v, %v", c, err)
	}
}

func TestWhoLostTheLeaseKeepsNothing(t *testing.T) {
	s := play(t)
	steptest.Lose(t, s.store, s.call)
	if _, err := s.Handle(t.Context(), In{Call: s.call}); !fault.IsHalted(err) {
		t.Errorf("got %v", err)
	}
}

func TestUnknownStep(t *testing.T) {
	s := play(t)
	s.call.Step = "other"
	if _, err := s.Handle(t.Context(), In{Call: s.call}); !fault.IsInvalid(err) {
		t.Errorf("got %v", err)
	}
}
