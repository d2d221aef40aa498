package swarm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

func wants(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, and not %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, which has no %q", err, part)
		}
	}
}

func TestASwarmForms(t *testing.T) {
	inBubble(t, 5, func(b *bench) {
		_, err := b.clients[0].NodeList(b.Context(), client.NodeListOptions{})
		wants(t, err, `This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect`)
		b.form(3)
		_, err = b.clients[0].SwarmInit(b.Context(), client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377"})
		wants(t, err, "This node is already part of a swarm.")
		_, err = b.clients[4].NodeList(b.Context(), client.NodeListOptions{})
		wants(t, err, "Worker nodes can't be used to view or modify cluster state.")
		managers := 0
		for name, n := range b.nodes(1) {
			if n.Status.State != swarm.NodeStateReady {
				t.Errorf("%s is %s", name, n.Status.State)
			}
			if n.ManagerStatus != nil {
				managers++
				if n.ManagerStatus.Leader != (name == "node-0") || n.ManagerStatus.Reachability != swarm.ReachabilityReachable {
					t.Errorf("%s is manager %+v", name, n.ManagerStatus)
				}
			}
		}
		if managers != 3 {
			t.Errorf("there are %d managers", managers)
		}
		info, err := b.clients[2].Info(b.Context(), client.InfoOptions{})
		if err != nil || info.Info.Swarm.Managers != 3 || info.Info.Swarm.Nodes != 5 || !info.Info.Swarm.ControlAvailable {
			t.Errorf("got %+v, %v", info.Info.Swarm, err)
		}
	})
}

func TestTokensLetIn(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		before := b.inspect(0)
		b.launch(3)
		time.Sleep(time.Second)
		join := func(token string) error {
			_, err := b.clients[3].SwarmJoin(b.Context(), client.SwarmJoinOptions{ListenAddr: "0.0.0.0:2377",
				RemoteAddrs: []string{address(0) + ":2377"}, JoinToken: token})
			return err
		}
		wants(t, join("SWMTKN-1-short"), "invalid join token")
		wrong := before.JoinTokens.Worker[:len(before.JoinTokens.Worker)-1] + "!"
		wants(t, join(wrong), "A valid join token is necessary to join this cluster")
		if _, err := b.clients[0].SwarmUpdate(b.Context(), client.SwarmUpdateOptions{Version: before.Version, Spec: before.Spec,
			RotateWorkerToken: true}); err != nil {
			t.Fatal(err)
		}
		wants(t, join(before.JoinTokens.Worker), "A valid join token is necessary to join this cluster")
		after := b.inspect(0)
		if after.JoinTokens.Manager != before.JoinTokens.Manager || after.JoinTokens.Worker == before.JoinTokens.Worker {
			t.Errorf("the tokens were %+v and are %+v", before.JoinTokens, after.JoinTokens)
		}
		_, err := b.clients[0].SwarmUpdate(b.Context(), client.SwarmUpdateOptions{Version: before.Version, Spec: before.Spec})
		wants(t, err, "update out of sequence")
		if err := join(after.JoinTokens.Worker); err != nil {
			t.Error(err)
		}
	})
}

func TestAServiceRuns(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		id := b.create(spec("web", "shop/web:1", 5))
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 5 })
		perNode := map[string]int{}
		for _, task := range b.tasks("web") {
			perNode[task.NodeID]++
		}
		for node, n := range perNode {
			if n > 2 {
				t.Errorf("%s has %d of 5 tasks", node, n)
			}
		}
		b.update(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "shop/web:2" })
		b.within(3*time.Minute, "updated", func() bool {
			u := b.service(id).UpdateStatus
			return u != nil && u.State == swarm.UpdateStateCompleted && b.running(id, "shop/web:2") == 5
		})
		if _, err := b.clients[0].ServiceRemove(b.Context(), "web", client.ServiceRemoveOptions{}); err != nil {
			t.Fatal(err)
		}
		b.within(time.Minute, "gone", func() bool {
			found, err := b.clients[0].TaskList(b.Context(), client.TaskListOptions{})
			return err == nil && len(found.Items) == 0
		})
	})
}
