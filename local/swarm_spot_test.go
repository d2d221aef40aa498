package local_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/contract"
)

// EC2 takes a worker back that is a Spot instance: within its two minutes the worker leaves
// through the gate, with its tasks moved, and another takes its place.
func TestSpotWorkersLeaveBeforeTheyAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		spec := swarmOf(t, l, 3)
		spec.NodePools[0].Spot = true
		provisioned(t, l, spec)
		webOnSwarm(t, l, "fleet", 4)
		before := instances(t, l)
		taken := before[3]
		if !l.AutoScaling.InterruptSpot(taken) {
			t.Fatalf("instance %s cannot be interrupted", taken)
		}
		if err := l.Clock.Sleep(t.Context(), 110*time.Second); err != nil {
			t.Fatal(err)
		}
		docker := dockerAt(t, l, before[0], "portolan/storefront/fleet/swarm-client", "fleet.swarm.portolan.internal")
		if now := instances(t, l); slices.Contains(now, taken) && nodeStays(t, docker, taken) {
			t.Error("the worker has not left ten seconds before it is taken")
		}
		serves(t, docker, 4)
		if err := l.Clock.Sleep(t.Context(), 15*time.Minute); err != nil {
			t.Fatal(err)
		}
		o := newestRepair(t, l)
		if o.Status != contract.OperationSucceeded || !strings.Contains(o.Cause.Why, taken) {
			t.Errorf("the repair because %q ended %s: %s", o.Cause.Why, o.Status, o.Reason)
		}
		if c := theCluster(t, l, "fleet"); joined(c, "managers") != 3 || joined(c, "workers") != 2 {
			t.Errorf("the cluster is %+v", c)
		}
		if now := instances(t, l); len(now) != 5 || slices.Contains(now, taken) || !slices.Equal(now[:3], before[:3]) {
			t.Errorf("the instances were %v, and are %v", before, now)
		}
		serves(t, docker, 4)
		if o := put(t, l, http.MethodDelete, "/v1/clusters/fleet", nil); o.Status != contract.OperationSucceeded {
			t.Errorf("retire ended %s: %s, left %v", o.Status, o.Reason, o.Left)
		}
	})
}

// nodeStays says whether an instance is still a node of the swarm.
func nodeStays(t *testing.T, docker *client.Client, instance string) bool {
	t.Helper()
	nodes, err := docker.NodeList(t.Context(), client.NodeListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(nodes.Items, func(n swarm.Node) bool { return n.Spec.Labels["portolan.instance"] == instance })
}

// Two notices at once, and one whose event is lost.
func TestSeveralSpotWorkersAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		spec := swarmOf(t, l, 1)
		spec.NodePools[0].Spot, spec.NodePools[0].Size = true, 4
		provisioned(t, l, spec)
		before := instances(t, l)
		for _, id := range before[1:3] {
			l.AutoScaling.InterruptSpot(id)
		}
		l.AutoScaling.KillInstance(before[3])
		if err := l.Clock.Sleep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if o := newestRepair(t, l); o.Status != contract.OperationSucceeded {
			t.Errorf("the repair because %q ended %s: %s", o.Cause.Why, o.Status, o.Reason)
		}
		now := instances(t, l)
		for _, id := range before[1:4] {
			if slices.Contains(now, id) {
				t.Errorf("instance %s is still there", id)
			}
		}
		if c := theCluster(t, l, "fleet"); joined(c, "workers") != 4 || len(now) != 5 {
			t.Errorf("the cluster is %+v, on %v", c, now)
		}
	})
}
