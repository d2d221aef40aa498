package swarm_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	swarmtypes "github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/local/clock"
	engines "portolan/local/swarm"
	"portolan/local/unique"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/orchestratortest"
	"portolan/shared/swarm"
)

const serverName = "engines.shop"

// bench is simulated engines with a driver, and the means of somebody who works past it.
type bench struct {
	testing.TB
	engines   *engines.Engines
	authority *authority
	vault     *vault
	driver    *swarm.Driver
	ref       orchestrator.ClusterRef
	balancer  *loadBalancer

	// identity is what engines that are launched know themselves by.
	identity string

	// wrap stands between the driver and the engines, where it is set.
	wrap func(http.RoundTripper) http.RoundTripper
}

func newBench(t testing.TB) *bench {
	t.Helper()
	authority := newAuthority(t)
	b := &bench{TB: t, authority: authority, vault: &vault{text: authority.issue(time.Now().AddDate(0, 1, 0))}}
	b.identity = authority.issue(time.Now().AddDate(0, 6, 0), serverName)
	var err error
	b.engines, err = engines.New(engines.Config{
		Clock: clock.New(1).Ordered(), IDs: unique.New(1), Secret: func(string) (string, error) { return b.identity, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.engines.Close)
	b.ref = orchestrator.ClusterRef{Name: "shop", Team: "checkout", Facts: orchestrator.Facts{Swarm: &orchestrator.SwarmFacts{
		Credentials: secretARN, ServerName: serverName, VPC: "vpc-1",
	}}}
	b.balancer = newLoadBalancer(t, b.vault, b.ref.Facts.Swarm)
	b.driver = b.newDriver()
	return b
}

func (b *bench) newDriver() *swarm.Driver {
	return swarm.New(swarm.Config{
		AWS: b.vault.config(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			next = b.engines.WrapTransport(next)
			if b.wrap != nil {
				next = b.wrap(next)
			}
			return next
		},
	})
}

func machine(n int) string { return fmt.Sprintf("i-%017d", n+1) }

func address(n int) string { return fmt.Sprintf("10.0.0.%d", 10+n) }

func api(n int) string { return address(n) + ":2376" }

func (b *bench) launch(count int) {
	b.Helper()
	for n := range count {
		b.engines.Launch(engines.Machine{ID: machine(n), Name: fmt.Sprintf("node-%d", n), Address: address(n), CPUs: 2, MemoryMiB: 4096,
			Version: "20.10.24", Secret: "arn"})
	}
	time.Sleep(time.Minute)
}

// form makes a swarm of so many managers and workers by the driver's own means.
func (b *bench) form(managers, workers int) {
	b.Helper()
	b.launch(managers + workers)
	info, err := b.engine(0).Init(b.Context(), address(0))
	if err != nil {
		b.Fatal(err)
	}
	facts := b.ref.Facts.Swarm
	facts.SwarmID, facts.Managers = info.Swarm, []string{api(0)}
	tokens, err := b.driver.Tokens(b.Context(), b.ref)
	if err != nil {
		b.Fatal(err)
	}
	for n := 1; n < managers+workers; n++ {
		in := swarm.JoinInput{Token: tokens.Worker, Managers: []string{address(0)}, Advertise: address(n)}
		if n < managers {
			in.Token, in.Manager = tokens.Manager, true
			facts.Managers = append(facts.Managers, api(n))
		}
		if info, err = b.engine(n).Join(b.Context(), in); err != nil || info.State != swarm.Inside {
			b.Fatalf("joining engine %d: %+v, %v", n, info, err)
		}
	}
	time.Sleep(time.Minute)
	for n := range managers + workers {
		info, err := b.engine(n).Info(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := b.driver.Label(b.Context(), b.node(info.Node), map[string]string{swarm.LabelInstance: machine(n)}); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *bench) engine(n int) *swarm.Engine {
	b.Helper()
	e, err := b.driver.Engine(b.Context(), b.ref, api(n))
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func (b *bench) node(id string) orchestrator.NodeRef {
	return orchestrator.NodeRef{Cluster: b.ref, ID: id}
}

// by is a client of an engine for somebody else.
func (b *bench) by(n int) *client.Client {
	b.Helper()
	c, err := client.New(client.WithAPIVersion("1.41"), client.WithScheme("https"), client.WithHTTPClient(&http.Client{
		Transport: to{api(n), b.engines.WrapTransport(&http.Transport{TLSClientConfig: b.authority.trusting(b.vault.text)})},
	}))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// to sends requests to one address.
type to struct {
	address string
	next    http.RoundTripper
}

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = t.address
	return t.next.RoundTrip(r)
}

// changeByHand changes a service past the driver.
func changeByHand(t testing.TB, c *client.Client, service string, change func(*swarmtypes.ServiceSpec)) {
	t.Helper()
	found, err := c.ServiceInspect(t.Context(), service, client.ServiceInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	change(&found.Service.Spec)
	_, err = c.ServiceUpdate(t.Context(), found.Service.ID, client.ServiceUpdateOptions{Version: found.Service.Version, Spec: found.Service.Spec})
	if err != nil {
		t.Fatal(err)
	}
}

// leftOn names the services of a swarm and their tasks that have not ended.
func leftOn(t testing.TB, c *client.Client) (left []string) {
	t.Helper()
	services, err := c.ServiceList(t.Context(), client.ServiceListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range services.Items {
		left = append(left, "service "+one.Spec.Name)
	}
	tasks, err := c.TaskList(t.Context(), client.TaskListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range tasks.Items {
		if one.Status.State == swarmtypes.TaskStateRunning {
			left = append(left, "task "+one.ID)
		}
	}
	return left
}

// TestContractOnSimulatedEngines runs the contract in virtual time.
func TestContractOnSimulatedEngines(t *testing.T) {
	orchestratortest.Run(t, func(t *testing.T) orchestratortest.Harness {
		b := newBench(t)
		b.form(3, 0)
		return orchestratortest.Harness{
			Orchestrator: b.driver, Cluster: b.ref,
			Image: func(name string) string {
				switch name {
				case "crash":
					return "crash-checked" // by a health check of the image
				case "exit-1":
					return "fail-exit"
				}
				return name
			},
			ChangeByHand: func(t *testing.T, service, image string) {
				changeByHand(t, b.by(0), service, func(spec *swarmtypes.ServiceSpec) { spec.TaskTemplate.ContainerSpec.Image = image })
			},
			Left: func(t *testing.T) []string { return append(leftOn(t, b.by(0)), b.balancer.left(t)...) },
		}
	})
}
