package decide_test

import (
	"testing"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
)

func TestFinishCluster(t *testing.T) {
	tests := []struct {
		kind     contract.OperationKind
		end      contract.OperationStatus
		want     contract.ClusterStatus
		reason   string
		observed int64
	}{
		{contract.KindProvision, contract.OperationSucceeded, contract.ClusterReady, "", 5},
		{contract.KindProvision, contract.OperationFailedClean, contract.ClusterRetired, "why", 2},
		{contract.KindProvision, contract.OperationFailedDirty, contract.ClusterFailed, "why", 2},
		{contract.KindRetire, contract.OperationSucceeded, contract.ClusterRetired, "", 5},
		{contract.KindRetire, contract.OperationFailedDirty, contract.ClusterFailed, "why", 2},
		{contract.KindScale, contract.OperationSucceeded, contract.ClusterProvisioning, "why", 5},
		{contract.KindRepair, contract.OperationFailedDirty, contract.ClusterProvisioning, "why", 2},
	}
	for _, test := range tests {
		before := model.Cluster{Status: contract.ClusterProvisioning, Generation: 6, Observed: 2, Reason: "before"}
		got := decide.FinishCluster(before, model.Operation{Kind: test.kind, Status: test.end, Reason: "why", Generation: 5})
		if got.Status != test.want || got.Reason != test.reason || got.Observed != test.observed || got.Generation != 6 {
			t.Errorf("%s %s: got %+v", test.kind, test.end, got)
		}
	}
}

func TestFinishService(t *testing.T) {
	before := model.Service{Status: contract.ServiceHealthy, Generation: 6, Observed: 2, Reason: "before", Replicas: 4,
		Release: 3, LastRelease: 4, ReleaseObserved: 3, ReplicasObserved: 4, Drift: "somebody"}
	finish := func(kind contract.OperationKind, end contract.OperationStatus) model.Service {
		return decide.FinishService(before, model.Operation{Kind: kind, Status: end, Reason: "why", Generation: 5})
	}
	if got := finish(contract.KindDeploy, contract.OperationSucceeded); got.Status != contract.ServiceHealthy || got.Observed != 5 || got.Reason != "before" {
		t.Errorf("a deploy that succeeded leaves %+v", got)
	}
	if got := finish(contract.KindDeploy, contract.OperationFailedClean); got != before {
		t.Errorf("a deploy that was rolled back leaves %+v", got)
	}
	if got := finish(contract.KindScale, contract.OperationFailedDirty); got.Status != contract.ServiceUnhealthy || got.Reason != "why" || got.Observed != 2 {
		t.Errorf("a scale that failed leaves %+v", got)
	}
	got := finish(contract.KindRetire, contract.OperationSucceeded)
	if got.Status != contract.ServiceRetired || got.Release != 0 || got.ReleaseObserved != 0 || got.ReplicasObserved != 0 ||
		got.Drift != "" || got.Reason != "" || got.LastRelease != 4 {
		t.Errorf("a retirement leaves %+v", got)
	}
}

// What was asked for before ends behind a wish to retire the service, and does not
// hide it.
func TestARetiringServiceStaysSo(t *testing.T) {
	before := model.Service{Status: contract.ServiceRetiring}
	for _, end := range []contract.OperationStatus{contract.OperationSucceeded, contract.OperationFailedClean, contract.OperationFailedDirty} {
		o := model.Operation{Kind: contract.KindDeploy, Status: end, Reason: "why"}
		if got := decide.FinishService(before, o); got.Status != contract.ServiceRetiring {
			t.Errorf("a deploy that ends %s leaves %+v", end, got)
		}
	}
	o := model.Operation{Kind: contract.KindRetire, Status: contract.OperationFailedDirty, Reason: "why"}
	if got := decide.FinishService(before, o); got.Status != contract.ServiceUnhealthy {
		t.Errorf("a retirement that failed leaves %+v", got)
	}
}

// An operation that ends late lowers nothing.
func TestObservedOnlyGrows(t *testing.T) {
	o := model.Operation{Kind: contract.KindScale, Status: contract.OperationSucceeded, Generation: 1}
	if got := decide.FinishCluster(model.Cluster{Observed: 4}, o); got.Observed != 4 {
		t.Errorf("the cluster is %+v", got)
	}
	if got := decide.FinishService(model.Service{Observed: 4}, o); got.Observed != 4 {
		t.Errorf("the service is %+v", got)
	}
}
