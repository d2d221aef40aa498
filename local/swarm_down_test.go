package local_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portolan/local"
	"portolan/shared/contract"
	"portolan/shared/decide"
)

// newestRepair is the newest repair of the swarm.
func newestRepair(t *testing.T, l *local.Local) contract.Operation {
	t.Helper()
	var page contract.OperationPage
	request(t, l, http.MethodGet, "/v1/operations?cluster=fleet", nil, &page)
	at := slices.IndexFunc(page.Items, func(o contract.Operation) bool { return o.Kind == contract.KindRepair })
	if at < 0 {
		t.Fatalf("nobody asked for a repair: %+v", page.Items)
	}
	return page.Items[at]
}

// The engine of a manager ends, and that of a worker, while their machines live: no event
// tells of it, and Auto Scaling finds nothing wrong. Both are replaced.
func TestNodesWhoseEnginesEndAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		provisioned(t, l, swarmOf(t, l, 3))
		webOnSwarm(t, l, "fleet", 3)
		before := instances(t, l)
		stopped := []string{before[0], before[4]} // a manager and a worker
		for _, id := range stopped {
			if !l.Engines.Stop(id) {
				t.Fatalf("the engine of %s cannot be stopped", id)
			}
		}
		if err := l.Clock.Sleep(t.Context(), 90*time.Minute); err != nil {
			t.Fatal(err)
		}
		if o := newestRepair(t, l); o.Status != contract.OperationSucceeded || !strings.Contains(o.Cause.Why, "nodes are down") {
			t.Errorf("the repair because %q ended %s: %s", o.Cause.Why, o.Status, o.Reason)
		}
		now := instances(t, l)
		for _, id := range before {
			if slices.Contains(now, id) == slices.Contains(stopped, id) {
				t.Errorf("of %v, those of %v whose engines ended were to be replaced, and %v are left", before, stopped, now)
			}
		}
		if c := theCluster(t, l, "fleet"); joined(c, "managers") != 3 || joined(c, "workers") != 2 {
			t.Errorf("the cluster is %+v", c)
		}
		managersAreSafe(t, l, 4)
		serves(t, dockerAt(t, l, now[0], "portolan/storefront/fleet/swarm-client", "fleet.swarm.portolan.internal"), 3)
	})
}

// An engine that comes back in time keeps its node.
func TestAnEngineThatComesBackKeepsItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		provisioned(t, l, swarmOf(t, l, 3))
		before := instances(t, l)
		l.Engines.Stop(before[1])
		wish := contract.NodePoolScale{Size: 3}
		var o contract.Operation
		request(t, l, http.MethodPut, "/v1/clusters/fleet/node-pools/workers", wish, &o)
		if err := l.Clock.Sleep(t.Context(), decide.DownMost/2); err != nil {
			t.Fatal(err)
		}
		l.Engines.Revive(before[1])
		if o = ended(t, l, o); o.Status != contract.OperationSucceeded {
			t.Errorf("the scaling meanwhile ended %s: %s", o.Status, o.Reason)
		}
		if now := instances(t, l); !slices.Equal(now[:3], before[:3]) {
			t.Errorf("the managers were %v, and are %v", before[:3], now[:3])
		}
	})
}

// Where two of three managers' engines end there is no majority that could let one go: both
// stay, and whoever asks for something hears what to do.
func TestNoNodeIsReplacedWithoutAMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		provisioned(t, l, swarmOf(t, l, 3))
		before := instances(t, l)
		l.Engines.Stop(before[0])
		l.Engines.Stop(before[1])
		if err := l.Clock.Sleep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		o := put(t, l, http.MethodPut, "/v1/clusters/fleet/node-pools/workers", contract.NodePoolScale{Size: 3})
		if o.Status != contract.OperationFailedDirty || !strings.Contains(o.Reason, "`portolan cluster recover`") {
			t.Errorf("the scaling ended %s: %s", o.Status, o.Reason)
		}
		if now := instances(t, l); !slices.Equal(now[:3], before[:3]) {
			t.Errorf("the managers were %v, and are %v", before[:3], now[:3])
		}
	})
}
