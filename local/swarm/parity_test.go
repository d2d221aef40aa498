//go:build testbed

package swarm_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/local/clock"
	engines "portolan/local/swarm"
	testbed "portolan/local/testbed/swarm"
	"portolan/local/unique"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// A play is three engines, simulated or real, with what they were heard to say.
type play struct {
	*testing.T
	clients   []*client.Client
	addresses []string
	kill      func(int)
	raw       http.RoundTripper // to the first engine
	pace      time.Duration     // between two looks
	image     func(name string) string
	said      []string
}

// simulatedPlay has engines whose time runs forty times as fast.
func simulatedPlay(t *testing.T) *play {
	e, err := engines.New(engines.Config{Clock: clock.New(40), IDs: unique.New(1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	p := &play{T: t, pace: 5 * time.Millisecond, raw: e.WrapTransport(refusing{}), kill: func(n int) { e.Kill(machine(n)) },
		image: func(name string) string {
			return testbed.SharedRegistry + "/shop/" + name + "@sha256:" + strings.Repeat("0a", 32)
		}}
	b := &bench{T: t, engines: e}
	for n := range 3 {
		b.launch(n)
		p.addresses = append(p.addresses, address(n))
	}
	p.clients = b.clients
	p.await("booted", func() bool {
		for _, c := range p.clients {
			if _, err := c.Ping(t.Context(), client.PingOptions{}); err != nil {
				return false
			}
		}
		return true
	})
	return p
}

func realPlay(t *testing.T) *play {
	real := testbed.EnginesForTest(t, 3)
	p := &play{T: t, pace: 200 * time.Millisecond, kill: func(n int) { real[n].Kill() },
		image: func(name string) string { return testbed.PinnedForTest(t, name) }}
	for _, e := range real {
		c, err := client.New(client.WithHost("unix://"+e.Socket()), client.WithAPIVersion("1.41"))
		if err != nil {
			t.Fatal(err)
		}
		p.clients = append(p.clients, c)
		p.addresses = append(p.addresses, e.IP())
	}
	dial := p.clients[0].Dialer()
	p.raw = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	return p
}

func (p *play) await(what string, is func() bool) {
	p.Helper()
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(p.pace) {
		if is() {
			return
		}
	}
	p.Fatalf("never %s; until then:\n%s", what, strings.Join(p.said, "\n"))
}

var (
	ids     = regexp.MustCompile(`\b[0-9a-z]{25}\b`)
	tcpPort = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+`)
	digests = regexp.MustCompile(`sha256:[0-9a-f]{64}|[0-9a-f]{64}`)
)

// say notes what was heard, without what differs from swarm to swarm.
func (p *play) say(what, text string) {
	text = ids.ReplaceAllString(text, "ID")
	text = tcpPort.ReplaceAllString(text, "ADDRESS")
	text = digests.ReplaceAllString(text, "DIGEST")
	p.said = append(p.said, what+": "+text)
}

// try notes an error with its kind.
func (p *play) try(what string, err error) {
	kind := "none"
	for name, is := range map[string]func(error) bool{"invalid": errdefs.IsInvalidArgument, "not found": errdefs.IsNotFound,
		"conflict": errdefs.IsConflict, "unavailable": errdefs.IsUnavailable, "forbidden": errdefs.IsPermissionDenied,
		"not implemented": errdefs.IsNotImplemented, "internal": errdefs.IsInternal} {
		if is(err) {
			kind = name
		}
	}
	p.say(what, fmt.Sprintf("[%s] %v", kind, err))
}

func (p *play) ctx() context.Context { return p.Context() }

func (p *play) join(n int, at, token string) error {
	_, err := p.clients[n].SwarmJoin(p.ctx(), client.SwarmJoinOptions{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: p.addresses[n],
		RemoteAddrs: []string{at}, JoinToken: token})
	return err
}

func (p *play) initialize(n int, o client.SwarmInitOptions) error {
	o.AdvertiseAddr = p.addresses[n]
	_, err := p.clients[n].SwarmInit(p.ctx(), o)
	return err
}

// nodes tells of all nodes, by the order in which they joined.
func (p *play) nodes(by int) []swarm.Node {
	p.Helper()
	found, err := p.clients[by].NodeList(p.ctx(), client.NodeListOptions{})
	if err != nil {
		p.Fatal(err)
	}
	slices.SortFunc(found.Items, func(a, b swarm.Node) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return found.Items
}

func (p *play) sayNodes(what string, by int) {
	p.Helper()
	for i, n := range p.nodes(by) {
		manager := "no manager"
		if m := n.ManagerStatus; m != nil {
			manager = fmt.Sprintf("leader %v, %s at %s", m.Leader, m.Reachability, m.Addr)
		}
		p.say(fmt.Sprintf("%s, node %d", what, i), fmt.Sprintf("%s %s %s (%s) at %s; %s", n.Spec.Role, n.Spec.Availability,
			n.Status.State, n.Status.Message, n.Status.Addr, manager))
	}
}

func (p *play) setNode(by, n int, change func(*swarm.NodeSpec)) error {
	p.Helper()
	node := p.nodes(by)[n]
	change(&node.Spec)
	_, err := p.clients[by].NodeUpdate(p.ctx(), node.ID, client.NodeUpdateOptions{Version: node.Version, Spec: node.Spec})
	return err
}

func (p *play) create(s swarm.ServiceSpec) (string, error) {
	made, err := p.clients[0].ServiceCreate(p.ctx(), client.ServiceCreateOptions{Spec: s})
	return made.ID, err
}

func (p *play) tasks(service string) []swarm.Task {
	p.Helper()
	found, err := p.clients[0].TaskList(p.ctx(), client.TaskListOptions{Filters: client.Filters{}.Add("service", service)})
	if err != nil {
		p.Fatal(err)
	}
	return found.Items
}

// parity runs a scene with both, and compares what was said.
func parity(t *testing.T, scene func(*play)) {
	t.Helper()
	imagined, actual := simulatedPlay(t), realPlay(t)
	scene(actual)
	scene(imagined)
	for i := range max(len(imagined.said), len(actual.said)) {
		a, b := "nothing", "nothing"
		if i < len(actual.said) {
			a = actual.said[i]
		}
		if i < len(imagined.said) {
			b = imagined.said[i]
		}
		if a != b {
			t.Errorf("real\t%s\nsimulated\t%s", a, b)
		}
	}
	if t.Failed() {
		t.Logf("all that was really said:\n%s", strings.Join(actual.said, "\n"))
	}
}

func TestParityOfMembership(t *testing.T) {
	parity(t, func(p *play) {
		ctx := p.ctx()
		_, err := p.clients[0].NodeList(ctx, client.NodeListOptions{})
		p.try("list in no swarm", err)
		_, err = p.clients[0].SwarmLeave(ctx, client.SwarmLeaveOptions{})
		p.try("leave no swarm", err)
		p.try("init nowhere", p.initialize(0, client.SwarmInitOptions{}))
		p.try("init with a bad availability", p.initialize(0, client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377", Availability: "lazy"}))
		p.try("join without a token", p.join(0, p.addresses[1]+":2377", "token"))
		p.try("init", p.initialize(0, client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377"}))
		p.try("init twice", p.initialize(0, client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377"}))
		p.try("join oneself", p.join(0, p.addresses[0]+":2377", "token"))
		found, err := p.clients[0].SwarmInspect(ctx, client.SwarmInspectOptions{})
		if err != nil {
			p.Fatal(err)
		}
		tokens := found.Swarm.JoinTokens
		at := p.addresses[0] + ":2377"
		p.try("join with a wrong secret", p.join(1, at, tokens.Worker[:len(tokens.Worker)-25]+strings.Repeat("0", 25)))
		p.try("join as a worker", p.join(1, at, tokens.Worker))
		_, err = p.clients[1].NodeList(ctx, client.NodeListOptions{})
		p.try("list by a worker", err)
		p.try("join as a manager", p.join(2, p.addresses[0]+":2377", tokens.Manager))
		p.await("three nodes", func() bool {
			nodes := p.nodes(0)
			return len(nodes) == 3 && nodes[2].ManagerStatus != nil && nodes[2].ManagerStatus.Reachability == swarm.ReachabilityReachable
		})
		p.sayNodes("joined", 0)
		version := found.Swarm.Version
		version.Index++
		_, err = p.clients[0].SwarmUpdate(ctx, client.SwarmUpdateOptions{Version: version, Spec: found.Swarm.Spec})
		p.try("update out of sequence", err)
		p.roles()
		p.leaving()
	})
}

// roles is what is said of changes of roles.
func (p *play) roles() {
	p.Helper()
	nodes := p.nodes(0)
	_, err := p.clients[0].NodeUpdate(p.ctx(), nodes[1].ID, client.NodeUpdateOptions{Version: swarm.Version{Index: 1}, Spec: nodes[1].Spec})
	p.try("node out of sequence", err)
	p.try("a role that is none", p.setNode(0, 1, func(s *swarm.NodeSpec) { s.Role = "boss" }))
	p.try("an availability that is none", p.setNode(0, 1, func(s *swarm.NodeSpec) { s.Availability = "lazy" }))
	_, err = p.clients[0].NodeInspect(p.ctx(), "nobody", client.NodeInspectOptions{})
	p.try("no such node", err)
	_, err = p.clients[0].NodeRemove(p.ctx(), nodes[1].ID, client.NodeRemoveOptions{})
	p.try("remove a node that is ready", err)
	_, err = p.clients[0].NodeRemove(p.ctx(), nodes[2].ID, client.NodeRemoveOptions{Force: true})
	p.try("remove a manager", err)
	_, err = p.clients[2].SwarmLeave(p.ctx(), client.SwarmLeaveOptions{})
	p.try("leave as one of two managers", err)
	p.try("demote one of two", p.setNode(0, 2, demote))
	p.await("demoted", func() bool {
		_, err := p.clients[2].NodeList(p.ctx(), client.NodeListOptions{})
		return p.nodes(0)[2].ManagerStatus == nil && err != nil && strings.Contains(err.Error(), "Worker nodes")
	})
	p.try("demote the last", p.setNode(0, 0, demote))
	_, err = p.clients[0].SwarmLeave(p.ctx(), client.SwarmLeaveOptions{})
	p.try("leave as the last manager", err)
	p.sayNodes("demoted", 0)
}

// leaving is what is said of nodes that leave.
func (p *play) leaving() {
	p.Helper()
	_, err := p.clients[1].SwarmLeave(p.ctx(), client.SwarmLeaveOptions{})
	p.try("leave as a worker", err)
	began := time.Now()
	p.await("down", func() bool { return p.nodes(0)[1].Status.State == swarm.NodeStateDown })
	p.Logf("a node that left was down after %s", time.Since(began))
	p.sayNodes("left", 0)
	_, err = p.clients[0].NodeRemove(p.ctx(), p.nodes(0)[1].ID, client.NodeRemoveOptions{})
	p.try("remove what left", err)
}

func TestParityOfALostQuorum(t *testing.T) {
	parity(t, func(p *play) {
		p.try("init", p.initialize(0, client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377"}))
		found, err := p.clients[0].SwarmInspect(p.ctx(), client.SwarmInspectOptions{})
		if err != nil {
			p.Fatal(err)
		}
		for n := 1; n < 3; n++ {
			p.try("join", p.join(n, p.addresses[0]+":2377", found.Swarm.JoinTokens.Manager))
		}
		p.await("three managers", func() bool {
			reachable := 0
			for _, n := range p.nodes(0) {
				if n.ManagerStatus != nil && n.ManagerStatus.Reachability == swarm.ReachabilityReachable {
					reachable++
				}
			}
			return reachable == 3
		})
		p.kill(1)
		p.await("unreachable", func() bool { return p.nodes(0)[1].ManagerStatus.Reachability == swarm.ReachabilityUnreachable })
		p.await("down", func() bool { return p.nodes(0)[1].Status.State == swarm.NodeStateDown })
		p.sayNodes("one is killed", 0)
		p.try("demote one of two that are left", p.setNode(0, 2, demote))
		p.kill(2)
		p.await("without a leader", func() bool {
			_, err := p.clients[0].NodeList(p.ctx(), client.NodeListOptions{})
			return err != nil && strings.Contains(err.Error(), "does not have a leader")
		})
		_, err = p.clients[0].NodeList(p.ctx(), client.NodeListOptions{})
		p.try("list", err)
		_, err = p.clients[0].SwarmLeave(p.ctx(), client.SwarmLeaveOptions{})
		p.try("leave", err)
		info, err := p.clients[0].Info(p.ctx(), client.InfoOptions{})
		p.try("info", err)
		s := info.Info.Swarm
		p.say("info", fmt.Sprintf("%s, control %v, error %q, %d nodes, %d managers, %d remote", s.LocalNodeState, s.ControlAvailable, s.Error,
			s.Nodes, s.Managers, len(s.RemoteManagers)))
		p.try("force", p.initialize(0, client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377", ForceNewCluster: true}))
		p.await("down", func() bool {
			return p.nodes(0)[1].Status.State == swarm.NodeStateDown && p.nodes(0)[2].Status.State == swarm.NodeStateDown
		})
		p.sayNodes("forced", 0)
		p.try("demote a manager that is no member", p.setNode(0, 1, demote))
		_, err = p.clients[0].NodeRemove(p.ctx(), p.nodes(0)[1].ID, client.NodeRemoveOptions{Force: true})
		p.try("remove it", err)
		p.say("managers", fmt.Sprint(len(p.nodes(0))))
	})
}

func TestParityOfWhatIsRefused(t *testing.T) {
	parity(t, func(p *play) {
		p.try("init", p.initialize(0, client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377"}))
		for _, r := range refusals {
			s := spec("web", p.image("web"), 1)
			r.change(&s)
			_, err := p.create(s)
			p.try(r.name, err)
		}
		s := spec("web", p.image("web"), 1)
		s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 8080, PublishedPort: 8099}}}
		id, err := p.create(s)
		p.try("create", err)
		p.await("published", func() bool {
			found, err := p.clients[0].ServiceInspect(p.ctx(), id, client.ServiceInspectOptions{})
			return err == nil && len(found.Service.Endpoint.Ports) == 1
		})
		s.Name = "shop"
		_, err = p.create(s)
		p.try("a port that is taken", err)
		s.Name = "web"
		_, err = p.create(s)
		p.try("a name and port that are taken", err)
		s.EndpointSpec = nil
		_, err = p.create(s)
		p.try("a name that is taken", err)
		p.updates(id)
		p.lookups()
	})
}

// refusals are descriptions that no manager takes.
var refusals = []struct {
	name   string
	change func(*swarm.ServiceSpec)
}{
	{"no image", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "" }},
	{"a bad image", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "Not An Image" }},
	{"no container", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec = nil }},
	{"a bad name", func(s *swarm.ServiceSpec) { s.Name = "a b" }},
	{"two modes", func(s *swarm.ServiceSpec) { s.Mode.Global = &swarm.GlobalService{} }},
	{"little memory", func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Resources = &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 1 << 20}}
	}},
	{"little of a processor", func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{NanoCPUs: 1000}}
	}},
	{"a constraint that is none", func(s *swarm.ServiceSpec) { s.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"fast"}} }},
	{"a constraint with a bad key", func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"a b==c"}}
	}},
	{"a secret that is not there", func(s *swarm.ServiceSpec) {
		s.TaskTemplate.ContainerSpec.Secrets = []*swarm.SecretReference{{SecretID: "none", SecretName: "password",
			File: &swarm.SecretReferenceFileTarget{Name: "password"}}}
	}},
	{"a secret without a target", func(s *swarm.ServiceSpec) {
		s.TaskTemplate.ContainerSpec.Secrets = []*swarm.SecretReference{{SecretID: "none", SecretName: "password"}}
	}},
	{"two configs that are not there", func(s *swarm.ServiceSpec) {
		for _, name := range []string{"one", "two"} {
			s.TaskTemplate.ContainerSpec.Configs = append(s.TaskTemplate.ContainerSpec.Configs, &swarm.ConfigReference{ConfigID: name,
				ConfigName: name, File: &swarm.ConfigReferenceFileTarget{Name: "/" + name}})
		}
	}},
	{"a network that is not there", func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "nowhere"}}
	}},
	{"the network of the mesh", func(s *swarm.ServiceSpec) {
		s.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "ingress"}}
	}},
	{"a port twice", func(s *swarm.ServiceSpec) {
		s.EndpointSpec = &swarm.EndpointSpec{Ports: []swarm.PortConfig{{TargetPort: 1, PublishedPort: 80}, {TargetPort: 2, PublishedPort: 80}}}
	}},
	{"the mesh without an address", func(s *swarm.ServiceSpec) {
		s.EndpointSpec = &swarm.EndpointSpec{Mode: swarm.ResolutionModeDNSRR, Ports: []swarm.PortConfig{{TargetPort: 1, PublishedPort: 80}}}
	}},
	{"a failure action that is none", func(s *swarm.ServiceSpec) { s.UpdateConfig = &swarm.UpdateConfig{FailureAction: "cry"} }},
	{"an order that is none", func(s *swarm.ServiceSpec) { s.UpdateConfig = &swarm.UpdateConfig{Order: "any"} }},
	{"more failures than all", func(s *swarm.ServiceSpec) { s.UpdateConfig = &swarm.UpdateConfig{MaxFailureRatio: 2} }},
	{"a restart condition that is none", func(s *swarm.ServiceSpec) {
		s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: "maybe"}
	}},
}

// updates is what is said of changes of a service that are refused.
func (p *play) updates(id string) {
	p.Helper()
	change := func(what, rollback string, change func(*swarm.Service)) {
		p.Helper()
		found, err := p.clients[0].ServiceInspect(p.ctx(), id, client.ServiceInspectOptions{})
		if err != nil {
			p.Fatal(err)
		}
		change(&found.Service)
		_, err = p.clients[0].ServiceUpdate(p.ctx(), id, client.ServiceUpdateOptions{Version: found.Service.Version, Spec: found.Service.Spec,
			Rollback: rollback})
		p.try(what, err)
	}
	change("out of sequence", "", func(s *swarm.Service) { s.Version.Index-- })
	change("another mode", "", func(s *swarm.Service) { s.Spec.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}} })
	change("another name", "", func(s *swarm.Service) { s.Spec.Name = "other" })
	change("back to nothing", "previous", func(*swarm.Service) {})
	change("back to anything", "somewhere", func(*swarm.Service) {})
}

// lookups is what is said of what is not there.
func (p *play) lookups() {
	p.Helper()
	ctx, docker := p.ctx(), p.clients[0]
	_, err := docker.ServiceInspect(ctx, "nothing", client.ServiceInspectOptions{})
	p.try("no such service", err)
	_, err = docker.ServiceRemove(ctx, "nothing", client.ServiceRemoveOptions{})
	p.try("remove no such service", err)
	_, err = docker.TaskInspect(ctx, "nothing", client.TaskInspectOptions{})
	p.try("no such task", err)
	_, err = docker.SecretInspect(ctx, "nothing", client.SecretInspectOptions{})
	p.try("no such secret", err)
	_, err = docker.ConfigInspect(ctx, "nothing", client.ConfigInspectOptions{})
	p.try("no such config", err)
	_, err = docker.NetworkInspect(ctx, "nothing", client.NetworkInspectOptions{})
	p.try("no such network", err)
	_, err = docker.TaskList(ctx, client.TaskListOptions{Filters: client.Filters{}.Add("service", "nothing")})
	p.try("tasks of no service", err)
	_, err = docker.TaskList(ctx, client.TaskListOptions{Filters: client.Filters{}.Add("color", "red")})
	p.try("tasks by color", err)
	_, err = docker.TaskList(ctx, client.TaskListOptions{Filters: client.Filters{}.Add("desired-state", "happy")})
	p.try("tasks that are happy", err)
	_, err = docker.SecretCreate(ctx, client.SecretCreateOptions{Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: "a b"}, Data: []byte("x")}})
	p.try("a bad name of a secret", err)
	_, err = docker.SecretCreate(ctx, client.SecretCreateOptions{Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: "empty"}}})
	p.try("an empty secret", err)
	for range 2 {
		_, err = docker.SecretCreate(ctx, client.SecretCreateOptions{Spec: swarm.SecretSpec{Annotations: swarm.Annotations{Name: "s"}, Data: []byte("x")}})
		p.try("a secret", err)
		_, err = docker.ConfigCreate(ctx, client.ConfigCreateOptions{Spec: swarm.ConfigSpec{Annotations: swarm.Annotations{Name: "c"}, Data: []byte("x")}})
		p.try("a config", err)
		_, err = docker.NetworkCreate(ctx, "backend", client.NetworkCreateOptions{Driver: "overlay"})
		p.try("a network", err)
	}
	_, err = docker.NetworkRemove(ctx, "bridge", client.NetworkRemoveOptions{})
	p.try("remove the bridge", err)
	for _, path := range []string{"/v1.41/nothing", "/v1.99/info", "/v1.5/info"} {
		p.try(path, p.get(path))
	}
}

// get asks as no client of Docker's would.
func (p *play) get(path string) error {
	r, err := http.NewRequestWithContext(p.ctx(), http.MethodGet, "http://"+p.addresses[0]+":2376"+path, nil)
	if err != nil {
		return err
	}
	response, err := p.raw.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body := make([]byte, 4096)
	n, _ := response.Body.Read(body)
	return errors.New(response.Header.Get("Content-Type") + " " + fmt.Sprint(response.StatusCode) + " " + string(body[:n]))
}
