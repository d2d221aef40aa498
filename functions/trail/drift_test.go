package trail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

const tooMany = "7 tasks are asked for, and 4 are wanted"

func TestAChangeByHandIsRepaired(t *testing.T) {
	x := newTable(t, contract.Repair)
	x.services.seen = observed(7, 2)
	raw := record{"e1", "ecs", "UpdateService", admin, byHand, ""}.event()
	got := x.handle(raw)
	if !got.Kept || got.Drift != tooMany || got.Operation == "" || got.Cluster != "shop" || got.Service != "web" {
		t.Fatalf("got %+v", got)
	}
	if s := x.service(); s.Drift != tooMany || s.Replicas != 4 || s.Generation != 5 {
		t.Errorf("got %+v", s)
	}
	operations := x.operations("service/shop/web")
	if len(operations) != 1 || operations[0].Kind != contract.KindRepair || operations[0].Generation != 5 || operations[0].Team != "shop" {
		t.Fatalf("got %+v", operations)
	}
	want := contract.Cause{Source: "trail", What: "ecs:UpdateService was called past Portolan", Who: admin, Why: tooMany, EventId: "e1"}
	if operations[0].Cause != want {
		t.Errorf("got %+v", operations[0].Cause)
	}
	if got := x.handle(raw); got.Kept || got.Operation != "" || len(x.operations("service/shop/web")) != 1 || len(x.audit()) != 1 {
		t.Errorf("the second time: %+v", got)
	}
}

func TestAChangeByHandIsOnlyReported(t *testing.T) {
	x := newTable(t, contract.Report)
	x.services.seen = observed(7, 2)
	raw := record{"e1", "ecs", "UpdateService", admin, byHand, ""}.event()
	if got := x.handle(raw); got.Operation != "" || got.Drift != tooMany {
		t.Errorf("got %+v", got)
	}
	if s := x.service(); s.Drift != tooMany || len(x.operations("service/shop/web")) != 0 {
		t.Errorf("got %+v", s)
	}
	// The next look finds what is wanted.
	x.services.seen = observed(4, 2)
	if got := x.handle(record{"e2", "ecs", "UpdateService", admin, byHand, ""}.event()); got.Drift != "" || x.service().Drift != "" {
		t.Errorf("got %+v", got)
	}
	// The first record comes again, late.
	if got := x.handle(raw); got.Kept || x.service().Drift != "" || len(x.audit()) != 2 {
		t.Errorf("late: %+v", got)
	}
}

func TestLateRecordsLookAtWhatRunsNow(t *testing.T) {
	x := newTable(t, contract.Repair)
	if got := x.handle(record{"e1", "ecs", "UpdateService", admin, byHand, ""}.event()); got.Drift != "" || got.Operation != "" || !got.Kept {
		t.Errorf("got %+v", got)
	}
}

func TestDriftOfEveryKind(t *testing.T) {
	foreign := observed(4, 0)
	foreign.Foreign = "hand:1"
	tests := []struct {
		name, call, want string
		seen             *orchestrator.Observation
	}{
		{"release", "UpdateService", "release 1 is applied, and 2 is wanted", observed(4, 1)},
		{"foreign", "UpdateService", "hand:1 runs in place of release 2", foreign},
		{"gone", "DeleteService", "the service is gone", nil},
	}
	for _, test := range tests {
		x := newTable(t, contract.Repair)
		x.services.seen = test.seen
		got := x.handle(record{"e1", "ecs", test.call, admin, byHand, ""}.event())
		if got.Drift != test.want || got.Operation == "" {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestACallOfOursIsNoDrift(t *testing.T) {
	x := newTable(t, contract.Repair)
	target := contract.Target{Cluster: "shop", Service: "web"}
	o := decide.NewOperation("01KAQ6M3V6Z4YJ9T2R8N5C7XWB", contract.KindScale, target, "shop", 6, contract.Cause{}, now)
	x.commit(store.CreateOperation(o)...)
	who := "arn:aws:sts::111122223333:assumed-role/portolan-operation/" + o.ID
	x.services.seen = observed(7, 2)
	if got := x.handle(record{"e1", "ecs", "UpdateService", who, byHand, ""}.event()); got.Drift != "" || got.Operation != "" || !got.Kept {
		t.Errorf("got %+v", got)
	}
	if audit := x.audit(); len(audit) != 1 || audit[0].Operation != o.ID || x.services.calls != 0 {
		t.Errorf("got %+v after %d looks", audit, x.services.calls)
	}
	// Somebody interferes while it is at work: it goes on to what is wanted.
	if got := x.handle(record{"e2", "ecs", "UpdateService", admin, byHand, ""}.event()); got.Operation != "" || got.Reason != "an operation is at work: "+tooMany {
		t.Errorf("got %+v", got)
	}
	if s := x.service(); s.Drift != "" || len(x.operations("service/shop/web")) != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestARepairOfOursEndsTheDrift(t *testing.T) {
	x := newTable(t, contract.Repair)
	x.services.seen = observed(7, 2)
	operation := x.handle(record{"e1", "ecs", "UpdateService", admin, byHand, ""}.event()).Operation
	x.services.seen = observed(4, 2)
	who := "arn:aws:sts::111122223333:assumed-role/portolan-operation/" + operation
	if got := x.handle(record{"e2", "ecs", "UpdateService", who, byHand, ""}.event()); got.Drift != "" || x.service().Drift != "" {
		t.Errorf("got %+v", got)
	}
}

func TestASessionThatIsNamedLikeAnOperationIsNotOurs(t *testing.T) {
	x := newTable(t, contract.Repair)
	x.services.seen = observed(7, 2)
	who := "arn:aws:sts::111122223333:assumed-role/Admin/01KAQ6M3V6Z4YJ9T2R8N5C7XWB"
	if got := x.handle(record{"e1", "ecs", "UpdateService", who, byHand, ""}.event()); got.Drift != tooMany || x.audit()[0].Operation != "" {
		t.Errorf("got %+v", got)
	}
}

func TestNodesByHand(t *testing.T) {
	x := newTable(t, contract.Repair)
	x.groups.size = 5
	want := "node pool workers has a desired capacity of 5, and 3 is wanted"
	got := x.handle(record{"e1", "autoscaling", "SetDesiredCapacity", admin, groupBy5, ""}.event())
	if got.Drift != want || got.Operation == "" || got.Service != "" {
		t.Fatalf("got %+v", got)
	}
	if o := x.operations("cluster/shop"); len(o) != 1 || o[0].Kind != contract.KindRepair || o[0].NodePool != "workers" || o[0].Cause.Why != want {
		t.Errorf("got %+v", o)
	}
	if audit := x.audit(); len(audit) != 1 || audit[0].Detail != "autoScalingGroupName="+group+", desiredCapacity=5" {
		t.Errorf("got %+v", audit)
	}
	x = newTable(t, contract.Report)
	x.groups.size = 5
	if got := x.handle(record{"e1", "autoscaling", "SetDesiredCapacity", admin, groupBy5, ""}.event()); got.Drift != want || got.Operation != "" {
		t.Errorf("got %+v", got)
	}
}

func TestAFailedCallChangesNothing(t *testing.T) {
	x := newTable(t, contract.Repair)
	x.services.seen, x.groups.size = observed(7, 2), 5
	for _, r := range []record{
		{"e1", "ecs", "UpdateService", admin, byHand, "AccessDenied"},
		{"e2", "autoscaling", "SetDesiredCapacity", admin, groupBy5, "ScalingActivityInProgress"},
	} {
		if got := x.handle(r.event()); !got.Kept || got.Drift != "" || got.Operation != "" {
			t.Errorf("got %+v", got)
		}
	}
	audit := x.audit()
	if len(audit) != 2 || audit[0].Error != "ScalingActivityInProgress" || audit[1].Error != "AccessDenied" || x.services.calls != 0 {
		t.Errorf("got %+v", audit)
	}
}

func TestAClusterThatIsRetiringIsNotRepaired(t *testing.T) {
	x := newTable(t, contract.Repair)
	c, err := x.store.Cluster(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	c.Status = contract.ClusterRetiring
	x.commit(store.UpdateCluster(*c))
	x.services.seen, x.groups.size = observed(0, 2), 0
	for _, r := range []record{
		{"e1", "ecs", "UpdateService", admin, byHand, ""}, {"e2", "autoscaling", "SetDesiredCapacity", admin, groupBy5, ""},
	} {
		if got := x.handle(r.event()); got.Operation != "" || !got.Kept {
			t.Errorf("got %+v", got)
		}
	}
}

// racing is a store in which somebody else is faster for a while.
type racing struct {
	Store
	lost int
}

func (r *racing) Commit(ctx context.Context, writes ...store.Write) error {
	if r.lost--; r.lost >= 0 {
		return fault.New(fault.Conflict, "changed meanwhile")
	}
	return r.Store.Commit(ctx, writes...)
}

func TestTroubleIsTriedAgain(t *testing.T) {
	x := newTable(t, contract.Repair)
	raw := record{"e1", "ecs", "UpdateService", admin, byHand, ""}.event()
	x.services.seen, x.services.fail = observed(7, 2), errors.New("connection reset")
	if _, err := x.Handle(t.Context(), raw); err == nil || len(x.audit()) != 0 {
		t.Errorf("got %v, audit %+v", err, x.audit())
	}
	x.services.fail = nil
	x.Store = &racing{x.store, 3}
	if _, err := x.Handle(t.Context(), raw); !fault.IsConflict(err) || len(x.audit()) != 0 {
		t.Errorf("got %v", err)
	}
	x.Store = &racing{x.store, 2}
	if got := x.handle(raw); got.Operation == "" || len(x.audit()) != 1 || len(x.operations("service/shop/web")) != 1 {
		t.Errorf("got %+v", got)
	}
}

// inEKS puts a cluster in EKS into the table, too.
func (x *table) inEKS() {
	x.commit(store.CreateCluster(model.Cluster{
		Spec: contract.ClusterSpec{Name: "harbour", Team: "shop", Orchestrator: contract.Kubernetes}, Status: contract.ClusterReady, Generation: 1,
		NodePools: []model.NodePool{{Name: "web", Size: 1}, {Name: "batch", Size: 2}},
		Facts: orchestrator.Facts{Kubernetes: &orchestrator.KubernetesFacts{EKSCluster: "portolan-harbour",
			AutoScalingGroups: map[string]string{"web": "eks-web-1", "batch": nodeGroup}}},
	}))
}

// The Auto Scaling group of a node group has a name of EKS's own.
func TestANodeGroupThatIsResizedByHandIsRepaired(t *testing.T) {
	x := newTable(t, contract.Repair)
	x.inEKS()
	x.groups.ofEKS = 5
	got := x.handle(record{"e1", "autoscaling", "SetDesiredCapacity", admin, nodeGroupBy5, ""}.event())
	const why = "node pool batch has a desired capacity of 5, and 2 is wanted"
	if got.Cluster != "harbour" || !got.Kept || got.Drift != why {
		t.Fatalf("got %+v", got)
	}
	operations := x.operations("cluster/harbour")
	if len(operations) != 1 || operations[0].Kind != contract.KindRepair || operations[0].NodePool != "batch" || operations[0].Cause.Who != admin {
		t.Errorf("got %+v", operations)
	}
	if got := x.handle(record{"e2", "autoscaling", "SetDesiredCapacity", admin, nodeGroupBy5, ""}.event()); got.Operation != "" || !got.Kept {
		t.Errorf("while it is repaired: %+v", got)
	}
}

// What EKS does is told, and looked at when it has done.
func TestWhatEKSDoesToItsGroupsIsNotAnswered(t *testing.T) {
	x := newTable(t, contract.Repair)
	x.inEKS()
	x.groups.ofEKS = 3
	byEKS := bytes.Replace(record{"e1", "autoscaling", "UpdateAutoScalingGroup", admin, nodeGroupBy5, ""}.event(),
		[]byte(`"type": "AssumedRole"`), []byte(`"type": "AssumedRole", "invokedBy": "eks-nodegroup.amazonaws.com"`), 1)
	if got := x.handle(byEKS); got.Cluster != "harbour" || !got.Kept || got.Operation != "" || got.Drift != "" {
		t.Errorf("got %+v", got)
	}
	request := `{"name": "portolan-harbour", "nodegroupName": "batch", "scalingConfig": {"desiredSize": 3.0, "maxSize": 9}}`
	if got := x.handle(record{"e2", "eks", "UpdateNodegroupConfig", admin, request, ""}.event()); got.Cluster != "harbour" || !got.Kept || got.Operation != "" {
		t.Errorf("got %+v", got)
	}
	records, _, err := x.store.Audit(t.Context(), contract.Target{Cluster: "harbour"}, "2026-11-23", store.Page{Limit: 100})
	if err != nil || len(records) != 2 {
		t.Fatalf("kept are %+v, %v", records, err)
	}
	for _, r := range records {
		if r.What == "eks:UpdateNodegroupConfig" && r.Detail != "desiredSize=3, maxSize=9, nodegroupName=batch" {
			t.Errorf("the detail is %s", r.Detail)
		}
	}
}

func TestANodeGroupOfNobodyIsNotKept(t *testing.T) {
	x := newTable(t, contract.Repair)
	for i, name := range []string{nodeGroup, "eks-other-1"} {
		request := `{"autoScalingGroupName": "` + name + `", "desiredCapacity": 5}`
		if got := x.handle(record{fmt.Sprint("e", i), "autoscaling", "SetDesiredCapacity", admin, request, ""}.event()); got.Kept || got.Cluster != "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
