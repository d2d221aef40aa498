package trail

import (
	"slices"
	"strings"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

const (
	notice      = "ec2/spot-interruption-warning.json"
	interrupted = "i-1234567890abcdef0"
)

// asSwarm puts a swarm into the table, too, whose workers the instances are.
func asSwarm(t *testing.T, status contract.ClusterStatus) *table {
	t.Helper()
	x := newTable(t, contract.Repair)
	x.commit(store.CreateCluster(model.Cluster{
		Spec: contract.ClusterSpec{Name: "fleet", Team: "shop", Orchestrator: contract.Swarm}, Status: status, Generation: 1,
		NodePools: []model.NodePool{{Name: "managers", Size: 3}, {Name: "workers", Size: 2}},
		Facts: orchestrator.Facts{Swarm: &orchestrator.SwarmFacts{SwarmID: "s-1",
			AutoScalingGroups: map[string]string{"managers": "portolan.fleet.managers", "workers": "portolan.fleet.workers"}}},
	}))
	x.groups.ofInstance = "portolan.fleet.workers"
	return x
}

func (x *table) interrupted() []string {
	x.Helper()
	c, err := x.store.Cluster(x.Context(), "fleet")
	if err != nil {
		x.Fatal(err)
	}
	return c.Facts.Swarm.Interrupted
}

// A notice is written down with the repair that it leads to, and the next ones join that.
func TestANoticeOfEC2LeadsToARepair(t *testing.T) {
	x := asSwarm(t, contract.ClusterReady)
	got := x.handle(document(t, notice))
	all := x.operations("cluster/fleet")
	if len(all) != 1 || got.Operation != all[0].ID || all[0].Kind != contract.KindRepair || all[0].NodePool != "workers" ||
		!strings.Contains(all[0].Cause.Why, interrupted) {
		t.Fatalf("got %+v, and %+v", got, all)
	}
	if !slices.Equal(x.interrupted(), []string{interrupted}) {
		t.Errorf("on their way out are %v", x.interrupted())
	}
	if again := x.handle(document(t, notice)); again.Operation != "" || len(x.operations("cluster/fleet")) != 1 {
		t.Errorf("the same notice again led to %+v", again)
	}
	x.handle(document(t, notice, interrupted, "i-0fedcba0987654321", `"id": "1`, `"id": "2`))
	if len(x.operations("cluster/fleet")) != 1 || len(x.interrupted()) != 2 {
		t.Errorf("two notices led to %+v, and %v are on their way out", x.operations("cluster/fleet"), x.interrupted())
	}
}

func TestNoticesThatLeadToNothing(t *testing.T) {
	for name, test := range map[string]struct {
		status contract.ClusterStatus
		group  string
		reason string
	}{
		"of no group":             {contract.ClusterReady, "", "in no swarm of ours"},
		"of somebody else's":      {contract.ClusterReady, "their-workers", "in no swarm of ours"},
		"of a pool that is gone":  {contract.ClusterReady, "portolan.fleet.batch", "in no swarm of ours"},
		"of a swarm that is none": {contract.ClusterReady, "portolan.other.workers", "in no swarm of ours"},
		"of a swarm that goes":    {contract.ClusterRetiring, "portolan.fleet.workers", "the cluster is Retiring"},
	} {
		t.Run(name, func(t *testing.T) {
			x := asSwarm(t, test.status)
			x.groups.ofInstance = test.group
			got := x.handle(document(t, notice))
			if got.Operation != "" || !strings.Contains(got.Reason, test.reason) || len(x.interrupted()) > 0 || len(x.operations("cluster/fleet")) > 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}
