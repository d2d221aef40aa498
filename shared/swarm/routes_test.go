package swarm_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// inSwarm runs a test on a swarm of so many managers and workers.
func inSwarm(t *testing.T, managers, workers int, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.form(managers, workers)
		test(b)
	})
}

func (b *bench) service(name string) orchestrator.ServiceRef {
	return orchestrator.ServiceRef{Cluster: b.ref, Name: name}
}

// release is one of a service that needs nothing.
func (b *bench) release(name string, number int64, change func(*contract.ServiceSpec)) orchestrator.Release {
	spec := contract.ServiceSpec{Image: "shop/" + name, Memory: contract.Memory{LimitMiB: 64}}
	if change != nil {
		change(&spec)
	}
	return orchestrator.Release{
		Service: b.service(name), Number: number, Spec: spec, Image: "shop/" + name + "@sha256:" + strings.Repeat("0a", 32),
		Commit: "4a5b6c7", Replicas: 2, Operation: "operation-1",
	}
}

func (b *bench) apply(r orchestrator.Release) {
	b.Helper()
	if err := b.driver.Apply(b.Context(), r); err != nil {
		b.Fatal(err)
	}
}

// within looks again until something is so.
func (b *bench) within(limit time.Duration, what string, is func() bool) {
	b.Helper()
	for start := time.Now(); !is(); time.Sleep(time.Second) {
		if time.Since(start) > limit {
			b.Fatalf("never %s", what)
		}
	}
}

func (b *bench) healthy(name string, release int64) {
	b.Helper()
	b.within(10*time.Minute, "healthy", func() bool {
		seen, err := b.driver.Observe(b.Context(), b.service(name))
		if err != nil {
			b.Fatal(err)
		}
		return seen.Rollout.State == orchestrator.RolledOut && seen.InEffect == release
	})
}

func port(container, host int) contract.Port {
	return contract.Port{ContainerPort: container, HostPort: host}
}

func publishing(ports ...contract.Port) func(*contract.ServiceSpec) {
	return func(s *contract.ServiceSpec) { s.Ports = ports }
}

func TestPublishedPortsBecomeListeners(t *testing.T) {
	inSwarm(t, 1, 2, func(b *bench) {
		secure := func(s *contract.ServiceSpec) {
			s.Ports = []contract.Port{{ContainerPort: 8080, HostPort: 8000}, {ContainerPort: 8443, HostPort: 443}, {ContainerPort: 53, HostPort: 53, Protocol: contract.Udp}}
			s.Swarm.Certificates = []contract.ListenerCertificate{{Port: 443, Certificate: "arn:acm:1"}}
		}
		b.apply(b.release("web", 1, secure))
		b.healthy("web", 1)
		found := b.balancer.listeners(b)
		if len(found) != 3 || found[8000].Protocol != types.ProtocolEnumHttp || found[443].Protocol != types.ProtocolEnumHttps ||
			aws.ToString(found[443].Certificates[0].CertificateArn) != "arn:acm:1" {
			b.Fatalf("got %+v", found)
		}
		want := []string{machine(0), machine(1), machine(2)}
		if got := b.balancer.targets(b, found[8000]); !slices.Equal(got, want) {
			b.Errorf("behind port 8000 are %v", got)
		}
		// Another certificate, a port that goes, and one that comes.
		b.apply(b.release("web", 2, func(s *contract.ServiceSpec) {
			s.Ports = []contract.Port{{ContainerPort: 8443, HostPort: 443}, {ContainerPort: 8080, HostPort: 8001}}
			s.Swarm.Certificates = []contract.ListenerCertificate{{Port: 443, Certificate: "arn:acm:2"}}
		}))
		found = b.balancer.listeners(b)
		if _, stays := found[8000]; stays || len(found) != 3 || aws.ToString(found[443].Certificates[0].CertificateArn) != "arn:acm:2" {
			b.Errorf("got %+v", found)
		}
		b.healthy("web", 2)
		no := false
		b.apply(b.release("web", 3, func(s *contract.ServiceSpec) {
			s.Ports, s.Swarm.Listeners = []contract.Port{{ContainerPort: 8080, HostPort: 8001}}, &no
		}))
		if left := b.balancer.left(b); len(left) > 0 {
			b.Errorf("a service that wants no listeners has %v", left)
		}
	})
}

func TestNodesAreBehindTheLoadBalancerWhileTheyServe(t *testing.T) {
	inSwarm(t, 1, 1, func(b *bench) {
		b.apply(b.release("web", 1, publishing(port(8080, 8000))))
		b.healthy("web", 1)
		worker := b.nodeOf(1)
		targets := func() string { return strings.Join(b.balancer.targets(b, b.balancer.listeners(b)[8000]), " ") }
		if err := b.driver.Drain(b.Context(), worker); err != nil {
			b.Fatal(err)
		}
		if got := targets(); got != machine(0) {
			b.Errorf("with a node draining there are %s", got)
		}
		if err := b.driver.Uncordon(b.Context(), worker); err != nil {
			b.Fatal(err)
		}
		if got := targets(); got != machine(0)+" "+machine(1) {
			b.Errorf("with the node back there are %s", got)
		}
	})
}

// nodeOf is the node that a machine is.
func (b *bench) nodeOf(n int) orchestrator.NodeRef {
	b.Helper()
	page, err := b.driver.ListNodes(b.Context(), orchestrator.NodeQuery{Cluster: b.ref, Instance: machine(n)})
	if err != nil || len(page.Nodes) != 1 {
		b.Fatalf("got %+v, %v", page, err)
	}
	return b.node(page.Nodes[0].ID)
}

func TestPortsThatCollideAreRefused(t *testing.T) {
	inSwarm(t, 1, 1, func(b *bench) {
		b.apply(b.release("web", 1, publishing(port(8080, 8000))))
		b.balancer.listen(b, 9000)
		no := false
		for name, refusal := range map[string]struct {
			change func(*contract.ServiceSpec)
			words  string
		}{
			"of another service's listener": {publishing(contract.Port{ContainerPort: 1, HostPort: 8000}), `port 8000 of the cluster's load balancer is that of service "web"`},
			"of somebody else's listener":   {publishing(contract.Port{ContainerPort: 1, HostPort: 9000}), "it is left alone"},
			"of the listener for all":       {publishing(contract.Port{ContainerPort: 1, HostPort: 80}), "it is left alone"},
			"of another service's mesh": {func(s *contract.ServiceSpec) {
				s.Ports, s.Swarm.Listeners = []contract.Port{{ContainerPort: 1, HostPort: 8000}}, &no
			}, "port '8000' is already in use by service 'web'"},
		} {
			err := b.driver.Apply(b.Context(), b.release("api", 1, refusal.change))
			if !fault.IsInvalid(err) || !strings.Contains(err.Error(), refusal.words) || len(fault.FieldsOf(err)) != 1 {
				b.Errorf("a port %s: %v", name, err)
			}
		}
		if _, err := b.driver.Observe(b.Context(), b.service("api")); !fault.IsNotFound(err) {
			b.Errorf("what was refused is there: %v", err)
		}
		if found := b.balancer.listeners(b); len(found) != 3 {
			b.Errorf("got %+v", found)
		}
	})
}
