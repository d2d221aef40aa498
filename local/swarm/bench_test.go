package swarm_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/local/clock"
	engines "portolan/local/swarm"
	"portolan/local/unique"
)

// A bench is some engines, with a client of each.
type bench struct {
	*testing.T
	engines *engines.Engines
	clients []*client.Client
}

// inBubble runs a test with so many engines that have booted.
func inBubble(t *testing.T, count int, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e, err := engines.New(engines.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		b := &bench{T: t, engines: e}
		for n := range count {
			b.launch(n)
		}
		time.Sleep(time.Second)
		test(b)
	})
}

func machine(n int) string { return fmt.Sprintf("i-%017d", n) }

func address(n int) string { return fmt.Sprintf("10.0.0.%d", 10+n) }

func (b *bench) launch(n int) {
	b.engines.Launch(engines.Machine{ID: machine(n), Name: fmt.Sprintf("node-%d", n), Address: address(n), CPUs: 2, MemoryMiB: 4096,
		Version: "20.10.24", Labels: map[string]string{"zone": string(rune('a' + n%3))}})
	b.clients = append(b.clients, b.dial(address(n)))
}

func (b *bench) dial(host string) *client.Client {
	b.Helper()
	c, err := client.New(client.WithHost("tcp://"+host+":2376"), client.WithAPIVersion("1.41"),
		client.WithHTTPClient(&http.Client{Transport: b.engines.WrapTransport(refusing{})}))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// refusing is the network beyond the engines.
type refusing struct{}

func (refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%s is beyond the engines", r.URL.Host)
}

// form makes a swarm of the engines: the first so many are its managers.
func (b *bench) form(managers int) {
	b.Helper()
	if _, err := b.clients[0].SwarmInit(b.Context(), client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377"}); err != nil {
		b.Fatal(err)
	}
	tokens := b.inspect(0).JoinTokens
	for n := 1; n < len(b.clients); n++ {
		token := tokens.Worker
		if n < managers {
			token = tokens.Manager
		}
		b.join(n, token)
	}
}

func (b *bench) join(n int, token string) {
	b.Helper()
	_, err := b.clients[n].SwarmJoin(b.Context(), client.SwarmJoinOptions{ListenAddr: "0.0.0.0:2377",
		RemoteAddrs: []string{address(0) + ":2377"}, JoinToken: token})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) inspect(n int) swarm.Swarm {
	b.Helper()
	found, err := b.clients[n].SwarmInspect(b.Context(), client.SwarmInspectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return found.Swarm
}

func (b *bench) nodes(by int) map[string]swarm.Node {
	b.Helper()
	found, err := b.clients[by].NodeList(b.Context(), client.NodeListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]swarm.Node{}
	for _, n := range found.Items {
		out[n.Description.Hostname] = n
	}
	return out
}

// spec describes a service.
func spec(name, image string, replicas uint64) swarm.ServiceSpec {
	return swarm.ServiceSpec{Annotations: swarm.Annotations{Name: name},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: image}},
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}}}
}

func (b *bench) create(s swarm.ServiceSpec) string {
	b.Helper()
	made, err := b.clients[0].ServiceCreate(b.Context(), client.ServiceCreateOptions{Spec: s})
	if err != nil {
		b.Fatal(err)
	}
	return made.ID
}

func (b *bench) service(id string) swarm.Service {
	b.Helper()
	found, err := b.clients[0].ServiceInspect(b.Context(), id, client.ServiceInspectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return found.Service
}

// update changes a service.
func (b *bench) update(id string, change func(*swarm.ServiceSpec)) {
	b.Helper()
	s := b.service(id)
	change(&s.Spec)
	_, err := b.clients[0].ServiceUpdate(b.Context(), id, client.ServiceUpdateOptions{Version: s.Version, Spec: s.Spec})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) tasks(service string) []swarm.Task {
	b.Helper()
	found, err := b.clients[0].TaskList(b.Context(), client.TaskListOptions{Filters: client.Filters{}.Add("service", service)})
	if err != nil {
		b.Fatal(err)
	}
	return found.Items
}

// running counts tasks that run, of an image or of any.
func (b *bench) running(service, image string) (n int) {
	b.Helper()
	for _, t := range b.tasks(service) {
		if t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning &&
			(image == "" || t.Spec.ContainerSpec.Image == image) {
			n++
		}
	}
	return n
}

// within waits for something to be so.
func (b *bench) within(patience time.Duration, what string, is func() bool) {
	b.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("not %s within %s", what, patience)
		}
	}
}
