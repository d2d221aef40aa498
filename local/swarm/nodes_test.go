package swarm_test

import (
	"testing"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

func drain(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityDrain }

// on counts the tasks that are to run on each node.
func (b *bench) on(service string) map[string]int {
	b.Helper()
	names := map[string]string{}
	for name, n := range b.nodes(0) {
		names[n.ID] = name
	}
	out := map[string]int{}
	for _, task := range b.tasks(service) {
		if task.DesiredState == swarm.TaskStateRunning {
			out[names[task.NodeID]]++
		}
	}
	return out
}

func TestADrainedNodeLosesItsTasks(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		id := b.create(spec("web", "shop/web:1", 6))
		s := spec("agent", "shop/agent:1", 1)
		s.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
		agent := b.create(s)
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 6 && b.running(agent, "") == 3 })
		if err := b.setNode(0, "node-2", drain); err != nil {
			t.Fatal(err)
		}
		b.within(time.Minute, "moved", func() bool {
			return b.running(id, "") == 6 && b.on(id)["node-2"] == 0 && b.running(agent, "") == 2
		})
		if err := b.setNode(0, "node-2", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityActive }); err != nil {
			t.Fatal(err)
		}
		b.within(time.Minute, "back", func() bool { return b.running(agent, "") == 3 })
		if on := b.on(id); on["node-2"] != 0 {
			t.Errorf("tasks went back by themselves: %v", on)
		}
	})
}

func TestAPausedNodeTakesNoTasks(t *testing.T) {
	inBubble(t, 2, func(b *bench) {
		b.form(1)
		id := b.create(spec("web", "shop/web:1", 2))
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 2 })
		if err := b.setNode(0, "node-1", func(s *swarm.NodeSpec) { s.Availability = swarm.NodeAvailabilityPause }); err != nil {
			t.Fatal(err)
		}
		b.update(id, func(s *swarm.ServiceSpec) { s.Mode.Replicated.Replicas = new(uint64(5)) })
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 5 })
		if on := b.on(id); on["node-1"] != 1 || on["node-0"] != 4 {
			t.Errorf("the tasks are on %v", on)
		}
	})
}

func TestTasksOfADeadNodeAreReplaced(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		id := b.create(spec("web", "shop/web:1", 6))
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 6 })
		b.engines.Partition(machine(2))
		began := time.Now()
		b.within(time.Minute, "down", func() bool { return b.nodes(0)["node-2"].Status.State == swarm.NodeStateDown })
		if took := time.Since(began); took < 8*time.Second || took > 20*time.Second {
			t.Errorf("it was down after %s", took)
		}
		b.within(time.Minute, "replaced", func() bool { on := b.on(id); return on["node-2"] == 0 && on["node-0"]+on["node-1"] == 6 })
		// What ran on it is still thought to run, and is shut down once it is back.
		lost := func() (n int) {
			for _, task := range b.tasks(id) {
				if task.DesiredState == swarm.TaskStateShutdown && task.Status.State == swarm.TaskStateRunning {
					n++
				}
			}
			return n
		}
		if n := lost(); n != 2 {
			t.Errorf("%d tasks are thought to run there", n)
		}
		b.engines.Revive(machine(2))
		b.within(time.Minute, "shut down", func() bool { return lost() == 0 })
		b.engines.Kill(machine(2))
		time.Sleep(time.Minute)
		if n := b.nodes(0)["node-2"]; n.Status.Message != "heartbeat failure" {
			t.Errorf("it is told that %q", n.Status.Message)
		}
		if err := b.removeNode(0, "node-2", false); err != nil {
			t.Error(err)
		}
	})
}

func TestTasksOfANodeThatStaysDownAreGivenUp(t *testing.T) {
	inBubble(t, 2, func(b *bench) {
		b.form(1)
		id := b.create(spec("web", "shop/web:1", 2))
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 2 })
		b.engines.Kill(machine(1))
		orphans := func() (n int) {
			for _, task := range b.tasks(id) {
				if task.Status.State == swarm.TaskStateOrphaned {
					n++
				}
			}
			return n
		}
		time.Sleep(23 * time.Hour)
		if n := orphans(); n != 0 {
			t.Errorf("%d tasks were given up", n)
		}
		time.Sleep(2 * time.Hour)
		if n := orphans(); n != 1 || b.running(id, "") != 2 {
			t.Errorf("%d tasks were given up, and %d run", n, b.running(id, ""))
		}
	})
}

func TestTasksGoWhereTheyMay(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		if err := b.setNode(0, "node-1", func(s *swarm.NodeSpec) { s.Labels = map[string]string{"pool": "fast"} }); err != nil {
			t.Fatal(err)
		}
		told := func(id string) string {
			b.Helper()
			b.within(time.Minute, "told", func() bool { ts := b.tasks(id); return len(ts) > 0 && ts[0].Status.Err != "" })
			task := b.tasks(id)[0]
			if task.Status.State != swarm.TaskStatePending || task.NodeID != "" {
				t.Errorf("the task is %+v", task.Status)
			}
			return task.Status.Err
		}
		s := spec("here", "shop/web:1", 3)
		s.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.labels.pool==fast", "node.role != manager"}}
		id := b.create(s)
		b.within(time.Minute, "running", func() bool { return b.on(id)["node-1"] == 3 && b.running(id, "") == 3 })
		s.Name, s.TaskTemplate.Placement = "nowhere", &swarm.Placement{Constraints: []string{"node.labels.pool == slow"}}
		if err := told(b.create(s)); err != "no suitable node (scheduling constraints not satisfied on 3 nodes)" {
			t.Errorf("it is told %q", err)
		}
		s.Name, s.TaskTemplate.Placement = "big", nil
		s.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{MemoryBytes: 64 << 30}}
		if err := told(b.create(s)); err != "no suitable node (insufficient resources on 3 nodes)" {
			t.Errorf("it is told %q", err)
		}
		if err := b.setNode(0, "node-2", drain); err != nil {
			t.Fatal(err)
		}
		s.Name = "bigger"
		if err := told(b.create(s)); err != "no suitable node (insufficient resources on 2 nodes; 1 node not available for new tasks)" {
			t.Errorf("it is told %q", err)
		}
	})
}

func TestTasksSpreadOverZones(t *testing.T) {
	inBubble(t, 6, func(b *bench) {
		b.form(1)
		if err := b.setNode(0, "node-3", drain); err != nil {
			t.Fatal(err)
		}
		s := spec("web", "shop/web:1", 6)
		s.TaskTemplate.Placement = &swarm.Placement{Preferences: []swarm.PlacementPreference{{Spread: &swarm.SpreadOver{SpreadDescriptor: "engine.labels.zone"}}}}
		id := b.create(s)
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 6 })
		if on := b.on(id); on["node-0"] != 2 || on["node-1"]+on["node-4"] != 2 || on["node-2"]+on["node-5"] != 2 {
			t.Errorf("the tasks are on %v", on)
		}
	})
}

func TestPortsAreOnesOwn(t *testing.T) {
	inBubble(t, 2, func(b *bench) {
		b.form(1)
		publish := func(name string, port uint32, mode swarm.PortConfigPublishMode) error {
			s := spec(name, "shop/web:1", 1)
			s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 8080, PublishedPort: port, PublishMode: mode}}}
			_, err := b.clients[0].ServiceCreate(b.Context(), client.ServiceCreateOptions{Spec: s})
			return err
		}
		if err := publish("web", 80, ""); err != nil {
			t.Fatal(err)
		}
		wants(t, publish("shop", 80, ""), "rpc error: code = InvalidArgument desc = port '80' is already in use by service 'web' (", ") as an ingress port")
		if err := publish("any", 0, ""); err != nil {
			t.Fatal(err)
		}
		if ports := b.service("any").Endpoint.Ports; len(ports) != 1 || ports[0].PublishedPort != 30000 || ports[0].Protocol != "tcp" {
			t.Errorf("it was given %+v", ports)
		}
		if ips := b.service("web").Endpoint.VirtualIPs; len(ips) != 1 || !ips[0].Addr.IsValid() {
			t.Errorf("it has the addresses %+v", ips)
		}
		for _, name := range []string{"host-1", "host-2"} {
			if err := publish(name, 9000, swarm.PortConfigPublishModeHost); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		b.update("host-2", func(s *swarm.ServiceSpec) { s.Mode.Replicated.Replicas = new(uint64(2)) })
		b.within(time.Minute, "told", func() bool {
			for _, task := range b.tasks("host-2") {
				if task.Status.Err == "no suitable node (host-mode port already in use on 2 nodes)" {
					return true
				}
			}
			return false
		})
	})
}
