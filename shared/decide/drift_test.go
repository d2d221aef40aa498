package decide

import (
	"testing"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

func TestServiceDrift(t *testing.T) {
	service := model.Service{Replicas: 4, Release: 2, Status: contract.ServiceHealthy}
	global, retiring := service, service
	global.Global, retiring.Status = true, contract.ServiceRetiring
	seen := func(desired int, release int64, foreign string) *orchestrator.Observation {
		return &orchestrator.Observation{Desired: desired, Foreign: foreign, Rollout: orchestrator.Rollout{Release: release}}
	}
	tests := []struct {
		name    string
		service model.Service
		seen    *orchestrator.Observation
		want    string
	}{
		{"as wanted", service, seen(4, 2, ""), ""},
		{"more tasks", service, seen(5, 2, ""), "5 tasks are asked for, and 4 are wanted"},
		{"no tasks", service, seen(0, 2, ""), "0 tasks are asked for, and 4 are wanted"},
		{"another release", service, seen(4, 1, ""), "release 1 is applied, and 2 is wanted"},
		{"foreign", service, seen(3, 0, "hand:1"), "3 tasks are asked for, and 4 are wanted; hand:1 runs in place of release 2"},
		{"gone", service, nil, "the service is gone"},
		{"on each node", global, seen(9, 2, ""), ""},
		{"scaled by something else", service, &orchestrator.Observation{Desired: 9, Scaler: "an autoscaler",
			Rollout: orchestrator.Rollout{Release: 2}}, ""},
		{"retiring", retiring, nil, ""},
	}
	for _, test := range tests {
		if got := ServiceDrift(&test.service, test.seen); got != test.want {
			t.Errorf("%s: got %q", test.name, got)
		}
	}
}

func TestPoolDrift(t *testing.T) {
	pool := model.NodePool{Name: "workers", Size: 3}
	if got := PoolDrift(pool, 3); got != "" {
		t.Errorf("got %q", got)
	}
	if got := PoolDrift(pool, 5); got != "node pool workers has a desired capacity of 5, and 3 is wanted" {
		t.Errorf("got %q", got)
	}
}

func TestAnswerDrift(t *testing.T) {
	cluster := func(status contract.ClusterStatus, setting contract.Drift) *model.Cluster {
		return &model.Cluster{Status: status, Spec: contract.ClusterSpec{Drift: setting}}
	}
	ready := cluster(contract.ClusterReady, contract.Repair)
	tests := []struct {
		name        string
		cluster     *model.Cluster
		drift, kept string
		busy        bool
		want        DriftAnswer
	}{
		{"none", ready, "", "", false, DriftAnswer{"", false, false, "what runs is what is wanted"}},
		{"over", ready, "", "old", true, DriftAnswer{"", true, false, "what runs is what is wanted"}},
		{"repair", ready, "new", "", false, DriftAnswer{"new", true, true, "drift is repaired, as the cluster's setting says: new"}},
		{"not said", cluster(contract.ClusterReady, ""), "new", "", false, DriftAnswer{"new", true, true, "drift is repaired, as the cluster's setting says: new"}},
		{"again", ready, "new", "new", false, DriftAnswer{"new", false, true, "drift is repaired, as the cluster's setting says: new"}},
		{"report", cluster(contract.ClusterReady, contract.Report), "new", "old", false,
			DriftAnswer{"new", true, false, "drift is reported, as the cluster's setting says: new"}},
		{"busy", ready, "new", "old", true, DriftAnswer{"old", false, false, "an operation is at work: new"}},
		{"retiring", cluster(contract.ClusterRetiring, contract.Repair), "new", "", false,
			DriftAnswer{"new", true, false, "drift is only reported, as the cluster is Retiring: new"}},
	}
	for _, test := range tests {
		if got := AnswerDrift(test.cluster, test.drift, test.kept, test.busy); got != test.want {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestAnswerFound(t *testing.T) {
	ready := &model.Cluster{Status: contract.ClusterReady}
	report := &model.Cluster{Status: contract.ClusterReady, Spec: contract.ClusterSpec{Drift: contract.Report}}
	ended := func(status contract.OperationStatus) *model.Operation {
		return &model.Operation{ID: "01", Status: status}
	}
	repaired := DriftAnswer{"new", true, true, "drift is repaired, as the cluster's setting says: new"}
	tests := []struct {
		name    string
		cluster *model.Cluster
		drift   string
		busy    bool
		last    *model.Operation
		want    DriftAnswer
	}{
		{"none", ready, "", false, ended(contract.OperationFailedDirty), DriftAnswer{Reason: "what runs is what is wanted"}},
		{"nobody did anything yet", ready, "new", false, nil, repaired},
		{"the last one went well", ready, "new", false, ended(contract.OperationSucceeded), repaired},
		{"the last one left it as it was", ready, "new", false, ended(contract.OperationFailedClean), repaired},
		{"the last one left it dirty", ready, "new", false, ended(contract.OperationFailedDirty),
			DriftAnswer{"new", true, false, "drift is only reported, as operation 01 ended FailedDirty: new"}},
		{"busy", ready, "new", true, ended(contract.OperationFailedDirty),
			DriftAnswer{"", false, false, "an operation is at work: new"}},
		{"report", report, "new", false, nil,
			DriftAnswer{"new", true, false, "drift is reported, as the cluster's setting says: new"}},
	}
	for _, test := range tests {
		if got := AnswerFound(test.cluster, test.drift, "", test.busy, test.last); got != test.want {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}
