// Package steptest sets the scene for tests of steps: a cluster, a service, and an
// operation that holds its target's lease.
//
// Only tests import it.
package steptest

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/step"
	"portolan/shared/store"
)

// Names of the scene.
const (
	ClusterName = "shop"
	ServiceName = "web"
	Group       = "portolan-shop-AutoScalingGroup"
)

// Cluster is a cluster that is ready, with one pool of two nodes.
func Cluster() model.Cluster {
	return model.Cluster{
		Spec: contract.ClusterSpec{Name: ClusterName, Team: "checkout", Orchestrator: contract.Ecs,
			Ecs:       contract.EcsCluster{Capacity: contract.EC2},
			NodePools: []contract.NodePoolSpec{{Name: "default", InstanceType: "m6i.large", Size: 2}}},
		Status: contract.ClusterReady, Generation: 1,
		NodePools: []model.NodePool{{Name: "default", Size: 2, SizeMax: 10}},
		Stacks:    []string{"portolan-shop-network", "portolan-shop"},
		Facts:     orchestrator.Facts{ECS: &orchestrator.ECSFacts{AutoScalingGroup: Group}},
	}
}

// Service is a service with two tasks wanted, of a first release that is not in
// effect yet.
func Service() model.Service {
	return model.Service{Cluster: ClusterName, Name: ServiceName, Team: "checkout", Status: contract.ServiceDeploying,
		Generation: 1, Replicas: 2, Release: 1, LastRelease: 1}
}

// Release is a release that runs an image, which says how its tasks fare.
func Release(number int64, image string) model.Release {
	return model.Release{Cluster: ClusterName, Service: ServiceName, Number: number, Image: image,
		Spec: contract.ServiceSpec{Image: image, Memory: contract.Memory{LimitMiB: 64}}, Status: contract.ReleasePending}
}

// Begin writes a running operation that holds its target's lease, and returns how
// its state machine calls its steps.
func Begin(t testing.TB, s *store.Store, id string, kind contract.OperationKind, target contract.Target) step.Call {
	t.Helper()
	o := decide.NewOperation(id, kind, target, "checkout", 1, contract.Cause{Who: "ada", What: "asked"}, time.Now())
	Commit(t, s, store.CreateOperation(o)...)
	lease, take := store.TakeLease(model.Lease{Target: model.TargetKey(target)}, id, o.Deadline)
	o.Status, o.Token = contract.OperationRunning, lease.Token
	Commit(t, s, take, store.StartOperation(o))
	return step.Call{Operation: id, Token: lease.Token, Target: lease.Target}
}

// Lose gives the lease of a call's target to another operation.
func Lose(t testing.TB, s *store.Store, c step.Call) {
	t.Helper()
	queue, err := s.Queue(t.Context(), c.Target)
	if err != nil {
		t.Fatal(err)
	}
	_, take := store.TakeLease(queue.Lease, "another", time.Now().Add(time.Hour))
	Commit(t, s, take)
}

// Commit writes, or ends the test.
func Commit(t testing.TB, s *store.Store, writes ...store.Write) {
	t.Helper()
	if err := s.Commit(t.Context(), writes...); err != nil {
		t.Fatal(err)
	}
}

// Log is a log that nobody reads.
func Log() *slog.Logger { return slog.New(slog.NewJSONHandler(io.Discard, nil)) }
