package swarm_test

import (
	"testing"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

// setNode changes a node, by the engine that is asked.
func (b *bench) setNode(by int, name string, change func(*swarm.NodeSpec)) error {
	b.Helper()
	n := b.nodes(by)[name]
	change(&n.Spec)
	_, err := b.clients[by].NodeUpdate(b.Context(), n.ID, client.NodeUpdateOptions{Version: n.Version, Spec: n.Spec})
	return err
}

func (b *bench) removeNode(by int, name string, force bool) error {
	b.Helper()
	_, err := b.clients[by].NodeRemove(b.Context(), b.nodes(by)[name].ID, client.NodeRemoveOptions{Force: force})
	return err
}

func demote(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleWorker }

func promote(s *swarm.NodeSpec) { s.Role = swarm.NodeRoleManager }

func TestTheLastManagerStays(t *testing.T) {
	inBubble(t, 2, func(b *bench) {
		b.form(1)
		wants(t, b.setNode(0, "node-0", demote), "attempting to demote the last manager of the swarm")
		_, err := b.clients[0].SwarmLeave(b.Context(), client.SwarmLeaveOptions{})
		wants(t, err, "You are attempting to leave the swarm on a node that is participating as a manager. Removing the last manager erases")
		wants(t, b.removeNode(0, "node-0", true), "is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal")
		wants(t, b.removeNode(0, "node-1", false), "is not down and can't be removed")
	})
}

func TestRolesChange(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		for _, name := range []string{"node-1", "node-2"} {
			if err := b.setNode(0, name, promote); err != nil {
				t.Fatal(err)
			}
		}
		b.within(time.Minute, "three managers", func() bool { return len(b.managers(0)) == 3 })
		stale := b.nodes(0)["node-2"]
		if err := b.setNode(1, "node-0", demote); err != nil {
			t.Fatal(err)
		}
		b.within(time.Minute, "two managers", func() bool { return len(b.managers(1)) == 2 })
		b.within(time.Minute, "led by one", func() bool {
			m := b.managers(1)
			return m["node-1"].Leader != m["node-2"].Leader
		})
		_, err := b.clients[0].NodeList(b.Context(), client.NodeListOptions{})
		wants(t, err, "Worker nodes can't be used to view or modify cluster state.")
		_, err = b.clients[1].NodeUpdate(b.Context(), stale.ID, client.NodeUpdateOptions{Version: swarm.Version{Index: 1}, Spec: stale.Spec})
		wants(t, err, "update out of sequence")
		// A worker that left is down, and can be removed.
		if _, err := b.clients[0].SwarmLeave(b.Context(), client.SwarmLeaveOptions{}); err != nil {
			t.Fatal(err)
		}
		b.within(time.Minute, "down", func() bool { return b.nodes(1)["node-0"].Status.State == swarm.NodeStateDown })
		if err := b.removeNode(1, "node-0", false); err != nil {
			t.Error(err)
		}
	})
}

func (b *bench) managers(by int) map[string]swarm.ManagerStatus {
	b.Helper()
	out := map[string]swarm.ManagerStatus{}
	for name, n := range b.nodes(by) {
		if n.ManagerStatus != nil {
			out[name] = *n.ManagerStatus
		}
	}
	return out
}

func TestAnotherManagerLeads(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(3)
		if !b.engines.Kill(machine(0)) {
			t.Fatal("there is no such machine")
		}
		began := time.Now()
		// A manager that is asked while there is no leader answers once there is one.
		if nodes := b.nodes(1); nodes["node-1"].ManagerStatus == nil {
			t.Errorf("node-1 is %+v", nodes["node-1"])
		}
		if took := time.Since(began); took < 5*time.Second || took > 25*time.Second {
			t.Errorf("there was no leader for %s", took)
		}
		b.within(time.Minute, "down", func() bool { return b.nodes(2)["node-0"].Status.State == swarm.NodeStateDown })
		if m := b.managers(2)["node-0"]; m.Reachability != swarm.ReachabilityUnreachable || m.Leader {
			t.Errorf("the dead manager is %+v", m)
		}
		wants(t, b.setNode(1, "node-2", demote), "can't remove member from the raft: this would result in a loss of quorum")
		if err := b.setNode(1, "node-0", demote); err != nil {
			t.Error(err)
		}
		b.within(time.Minute, "two managers", func() bool { return len(b.managers(1)) == 2 })
		if err := b.removeNode(1, "node-0", true); err != nil {
			t.Error(err)
		}
	})
}

func TestALostQuorumIsForced(t *testing.T) {
	inBubble(t, 4, func(b *bench) {
		b.form(3)
		id := b.create(spec("web", "shop/web:1", 3))
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 3 })
		before := b.inspect(0)
		b.engines.Kill(machine(1))
		b.engines.Kill(machine(2))
		time.Sleep(time.Minute)
		_, err := b.clients[0].NodeList(b.Context(), client.NodeListOptions{})
		wants(t, err, "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online.")
		info, err := b.clients[0].Info(b.Context(), client.InfoOptions{})
		if err != nil || info.Info.Swarm.LocalNodeState != swarm.LocalNodeStateActive || info.Info.Swarm.Error == "" {
			t.Errorf("it tells %+v, %v", info.Info.Swarm, err)
		}
		if _, err := b.clients[0].SwarmInit(b.Context(), client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377", ForceNewCluster: true}); err != nil {
			t.Fatal(err)
		}
		if after := b.inspect(0); after.ID != before.ID || after.JoinTokens != before.JoinTokens {
			t.Errorf("it is another swarm: %s and not %s", after.ID, before.ID)
		}
		if m := b.managers(0); len(m) != 1 || !m["node-0"].Leader {
			t.Errorf("the managers are %+v", m)
		}
		b.within(2*time.Minute, "running on the two nodes that are left", func() bool {
			nodes := b.nodes(0)
			for _, task := range b.tasks(id) {
				if task.DesiredState == swarm.TaskStateRunning && task.NodeID != nodes["node-0"].ID && task.NodeID != nodes["node-3"].ID {
					return false
				}
			}
			return b.running(id, "") == 3 && nodes["node-3"].Status.State == swarm.NodeStateReady
		})
		wants(t, b.setNode(0, "node-1", demote), "can't find manager in raft memberlist")
		if err := b.removeNode(0, "node-1", true); err != nil {
			t.Error(err)
		}
	})
}

func TestAQuorumComesBack(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(3)
		b.engines.Stop(machine(1))
		b.engines.Partition(machine(2))
		time.Sleep(time.Minute)
		_, err := b.clients[0].NodeList(b.Context(), client.NodeListOptions{})
		wants(t, err, "The swarm does not have a leader.")
		_, err = b.clients[1].Ping(b.Context(), client.PingOptions{})
		wants(t, err, "annot connect to the")
		b.engines.Revive(machine(2))
		time.Sleep(time.Second)
		b.within(time.Minute, "ready", func() bool { return b.nodes(2)["node-2"].Status.State == swarm.NodeStateReady })
		b.engines.Revive(machine(1))
		time.Sleep(time.Second)
		b.within(time.Minute, "all ready", func() bool {
			for _, n := range b.nodes(0) {
				if n.Status.State != swarm.NodeStateReady || n.ManagerStatus.Reachability != swarm.ReachabilityReachable {
					return false
				}
			}
			return true
		})
	})
}

func TestJoiningWaitsForAManager(t *testing.T) {
	inBubble(t, 2, func(b *bench) {
		b.form(2)
		token := b.inspect(0).JoinTokens.Worker
		b.launch(2)
		time.Sleep(time.Second)
		b.engines.Kill(machine(0))
		_, err := b.clients[2].SwarmJoin(b.Context(), client.SwarmJoinOptions{ListenAddr: "0.0.0.0:2377",
			RemoteAddrs: []string{address(0)}, JoinToken: token})
		wants(t, err, "Timeout was reached before node joined. The attempt to join the swarm will continue in the background.")
		info, err := b.clients[2].Info(b.Context(), client.InfoOptions{})
		if err != nil || info.Info.Swarm.LocalNodeState != swarm.LocalNodeStatePending {
			t.Errorf("it tells %+v, %v", info.Info.Swarm, err)
		}
		b.engines.Revive(machine(0))
		time.Sleep(time.Second)
		b.within(time.Minute, "joined", func() bool { return b.nodes(0)["node-2"].Status.State == swarm.NodeStateReady })
		b.launch(3)
		time.Sleep(time.Second)
		_, err = b.clients[3].SwarmJoin(b.Context(), client.SwarmJoinOptions{ListenAddr: "0.0.0.0:2377",
			RemoteAddrs: []string{address(2)}, JoinToken: token})
		wants(t, err, "connect: connection refused")
	})
}
