package operation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// A scene is the handler on the real store, in virtual time.
type scene struct {
	*testing.T
	*Handler
	store *store.Store
	call  step.Call
}

func play(t *testing.T, kind contract.OperationKind, target contract.Target, act func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, store: storetest.Open(t)}
		s.Handler = &Handler{Store: s.store, Now: time.Now, Log: steptest.Log()}
		steptest.Commit(t, s.store, store.CreateCluster(steptest.Cluster()), store.CreateService(steptest.Service()))
		s.call = steptest.Begin(t, s.store, "operation", kind, target)
		s.call.Step = "Finish"
		act(s)
	})
}

func (s *scene) finish(status contract.OperationStatus, reason string, left ...string) error {
	_, err := s.Handle(s.Context(), In{Call: s.call, Status: status, Reason: reason, Left: left})
	return err
}

func (s *scene) operation() *model.Operation {
	s.Helper()
	o, err := s.store.Operation(s.Context(), "operation")
	if err != nil {
		s.Fatal(err)
	}
	return o
}

var (
	shop = contract.Target{Cluster: "shop"}
	web  = contract.Target{Cluster: "shop", Service: "web"}
	out  = contract.Target{Cluster: "shop", Policy: "out"}
)

// An end is the operation's outcome, the lease given back and the queue left, and
// what it means for the target.
func TestEnds(t *testing.T) {
	tests := []struct {
		kind    contract.OperationKind
		target  contract.Target
		status  contract.OperationStatus
		cluster contract.ClusterStatus
		service contract.ServiceStatus
	}{
		{contract.KindProvision, shop, contract.OperationSucceeded, contract.ClusterReady, contract.ServiceDeploying},
		{contract.KindProvision, shop, contract.OperationFailedClean, contract.ClusterRetired, contract.ServiceDeploying},
		{contract.KindProvision, shop, contract.OperationFailedDirty, contract.ClusterFailed, contract.ServiceDeploying},
		{contract.KindRetire, shop, contract.OperationSucceeded, contract.ClusterRetired, contract.ServiceDeploying},
		{contract.KindRetire, shop, contract.OperationFailedDirty, contract.ClusterFailed, contract.ServiceDeploying},
		{contract.KindScale, shop, contract.OperationFailedDirty, contract.ClusterReady, contract.ServiceDeploying},
		{contract.KindScale, web, contract.OperationSucceeded, contract.ClusterReady, contract.ServiceDeploying},
		{contract.KindDeploy, web, contract.OperationFailedDirty, contract.ClusterReady, contract.ServiceUnhealthy},
		{contract.KindDeploy, web, contract.OperationFailedClean, contract.ClusterReady, contract.ServiceDeploying},
		{contract.KindRetire, web, contract.OperationSucceeded, contract.ClusterReady, contract.ServiceRetired},
		{contract.KindAutoscale, out, contract.OperationSucceeded, contract.ClusterReady, contract.ServiceDeploying},
	}
	for _, test := range tests {
		name := fmt.Sprintf("%s of %s: %s", test.kind, model.TargetKey(test.target), test.status)
		play(t, test.kind, test.target, func(s *scene) {
			if err := s.finish(test.status, "because", "a stack"); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			o := s.operation()
			if o.Status != test.status || o.Reason != "because" || !slices.Equal(o.Left, []string{"a stack"}) || !o.EndedAt.Equal(time.Now()) {
				t.Errorf("%s: the operation is %+v", name, o)
			}
			queue, err := s.store.Queue(s.Context(), s.call.Target)
			if err != nil || queue.Lease.Holder != "" || queue.Lease.Token != 1 || len(queue.Operations) != 0 {
				t.Errorf("%s: the queue is %+v, %v", name, queue, err)
			}
			c, err := s.store.Cluster(s.Context(), "shop")
			if err != nil || c.Status != test.cluster {
				t.Errorf("%s: the cluster is %s, %v", name, c.Status, err)
			}
			v, err := s.store.Service(s.Context(), "shop", "web")
			if err != nil || v.Status != test.service {
				t.Errorf("%s: the service is %s, %v", name, v.Status, err)
			}
		})
	}
}

func TestEndIsWrittenOnce(t *testing.T) {
	play(t, contract.KindScale, web, func(s *scene) {
		if err := s.finish(contract.OperationSucceeded, "first"); err != nil {
			t.Fatal(err)
		}
		if err := s.finish(contract.OperationFailedDirty, "second"); !fault.IsHalted(err) {
			t.Errorf("got %v", err)
		}
		if o := s.operation(); o.Reason != "first" {
			t.Errorf("the operation is %+v", o)
		}
	})
}

func TestEndStandsBehindTheFence(t *testing.T) {
	play(t, contract.KindScale, web, func(s *scene) {
		steptest.Lose(s.T, s.store, s.call)
		if err := s.finish(contract.OperationSucceeded, ""); !fault.IsHalted(err) {
			t.Errorf("got %v", err)
		}
		if o := s.operation(); o.Ended() {
			t.Errorf("the operation is %+v", o)
		}
	})
}

// meddling changes the service after it was read, for the first time.
type meddling struct {
	Store
	meddle func()
}

func (m *meddling) Service(ctx context.Context, cluster, name string) (*model.Service, error) {
	v, err := m.Store.Service(ctx, cluster, name)
	if m.meddle != nil {
		m.meddle()
		m.meddle = nil
	}
	return v, err
}

// A target that changed meanwhile is a Conflict, which the machine tries again.
func TestTargetThatChangesIsTriedAgain(t *testing.T) {
	play(t, contract.KindScale, web, func(s *scene) {
		s.Handler.Store = &meddling{s.store, func() {
			v := steptest.Service()
			v.Version, v.Replicas = 1, 7
			steptest.Commit(s.T, s.store, store.UpdateService(v))
		}}
		if err := s.finish(contract.OperationSucceeded, ""); !fault.IsConflict(err) || s.operation().Status != contract.OperationRunning {
			t.Fatalf("got %v", err)
		}
		if err := s.finish(contract.OperationSucceeded, ""); err != nil {
			t.Fatal(err)
		}
		if v, err := s.store.Service(s.Context(), "shop", "web"); err != nil || v.Replicas != 7 || v.Observed != 1 {
			t.Errorf("the service is %+v, %v", v, err)
		}
	})
}

func TestTargetThatIsGoneIsNoTrouble(t *testing.T) {
	for _, target := range []contract.Target{{Cluster: "none"}, {Cluster: "shop", Service: "none"}} {
		play(t, contract.KindScale, target, func(s *scene) {
			if err := s.finish(contract.OperationSucceeded, ""); err != nil || !s.operation().Ended() {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A cluster that is made again under the same name inherits nothing.
func TestRetiredClusterLeavesNoPoliciesBindingsAndJobs(t *testing.T) {
	play(t, contract.KindRetire, shop, func(s *scene) {
		for i := range 120 {
			name := fmt.Sprintf("name-%03d", i)
			steptest.Commit(s.T, s.store, store.PutPolicy(model.Policy{Cluster: "shop", Name: name}),
				store.PutBinding(model.Binding{Cluster: "shop", Name: name}),
				store.CreateJob(model.Job{Cluster: "shop", Name: name, CreatedAt: time.Now()}))
		}
		if err := s.finish(contract.OperationSucceeded, ""); err != nil {
			t.Fatal(err)
		}
		policies, _, err := s.store.Policies(s.Context(), "shop", store.Page{Limit: 1})
		if err != nil || len(policies) != 0 {
			t.Errorf("left are %+v, %v", policies, err)
		}
		if jobs, _, err := s.store.Jobs(s.Context(), "shop", store.Page{Limit: 1}); err != nil || len(jobs) > 0 {
			s.Errorf("there are the jobs %v, %v", jobs, err)
		}
		bindings, _, err := s.store.Bindings(s.Context(), "shop", store.Page{Limit: 1})
		if err != nil || len(bindings) != 0 {
			t.Errorf("left are %+v, %v", bindings, err)
		}
	})
}

func TestWhatIsNoEndIsInvalid(t *testing.T) {
	play(t, contract.KindScale, web, func(s *scene) {
		for _, status := range []contract.OperationStatus{"", "Running", "Pending", "Done"} {
			if err := s.finish(status, ""); !fault.IsInvalid(err) {
				t.Errorf("%q: %v", status, err)
			}
		}
		s.call.Step = "Begin"
		if err := s.finish(contract.OperationSucceeded, ""); !fault.IsInvalid(err) {
			t.Errorf("another step: %v", err)
		}
	})
}

func TestReasonsArePlainAndBounded(t *testing.T) {
	play(t, contract.KindScale, web, func(s *scene) {
		left := slices.Repeat([]string{"x"}, leftMax+1)
		long := strings.Repeat("a", reasonMax-1) + "ä" // its second byte is past the limit
		if err := s.finish(contract.OperationFailedDirty, long, left...); err != nil {
			t.Fatal(err)
		}
		o := s.operation()
		if o.Reason != strings.Repeat("a", reasonMax-1)+"…" || !utf8.ValidString(o.Reason) {
			t.Errorf("the reason ends in %q", o.Reason[reasonMax-3:])
		}
		if len(o.Left) != leftMax+1 || o.Left[leftMax] != "and more" {
			t.Errorf("%d are left, the last one is %q", len(o.Left), o.Left[len(o.Left)-1])
		}
	})
	for reason, want := range map[string]string{
		`Invalid: {"errorMessage":"no such image","errorType":"Invalid"}`:                                                          "Invalid: no such image",
		`States.TaskFailed: {"ExecutionArn":"arn:b","Cause":"2 of 3 nodes have joined","Error":"FailedDirty","Input":{"token":2}}`: "2 of 3 nodes have joined",
		`States.TaskFailed: {"ExecutionArn":"arn:a","Cause":"States.TaskFailed: {\"ExecutionArn\":\"arn:b\",\"Cause\":` +
			`\"Invalid: {\\\"errorMessage\\\":\\\"too old\\\"}\"}"}`: "Invalid: too old",
		`States.TaskFailed: {"ExecutionArn":"arn:b","Error":"States.Timeout"}`: `States.TaskFailed: {"ExecutionArn":"arn:b","Error":"States.Timeout"}`,
		"States.Timeout: ":     "States.Timeout: ",
		`Internal: {"a":1}`:    `Internal: {"a":1}`,
		"3 of 4 tasks run":     "3 of 4 tasks run",
		"release 2: it failed": "release 2: it failed",
	} {
		if got := plain(reason); got != want {
			t.Errorf("%q became %q", reason, got)
		}
	}
}
