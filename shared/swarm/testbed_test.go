//go:build testbed

package swarm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	swarmtypes "github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	testbed "portolan/local/testbed/swarm"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/orchestratortest"
	"portolan/shared/swarm"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// field is real engines with a driver, and the means of somebody who works past it.
type field struct {
	testing.TB
	engines  []*testbed.Engine
	vault    *vault
	balancer *loadBalancer
	driver   *swarm.Driver
	ref      orchestrator.ClusterRef
}

// onField starts so many engines, which end with the test.
func onField(t testing.TB, count int) *field {
	t.Helper()
	f := &field{TB: t, engines: testbed.EnginesForTest(t, count)}
	identity, err := testbed.ForTest(t).Client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{
		"ca": string(identity.CA), "certificate": string(identity.Certificate), "key": string(identity.Key),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.vault = &vault{text: string(raw)}
	f.ref = orchestrator.ClusterRef{Name: "shop", Team: "checkout", Facts: orchestrator.Facts{Swarm: &orchestrator.SwarmFacts{
		Credentials: secretARN, VPC: "vpc-1",
	}}}
	f.balancer = newLoadBalancer(t, f.vault, f.ref.Facts.Swarm)
	f.driver = swarm.New(swarm.Config{AWS: f.vault.config(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	return f
}

// within looks again until something is so, as long as real engines may take.
func (f *field) within(what string, is func() bool) {
	f.Helper()
	await(f.TB, time.Minute, what, is)
}

// await looks again, a few times a second, until something is so.
func await(t testing.TB, limit time.Duration, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never %s", what)
		}
	}
}

func (f *field) engine(n int) *swarm.Engine {
	f.Helper()
	e, err := f.driver.Engine(f.Context(), f.ref, f.engines[n].Address())
	if err != nil {
		f.Fatal(err)
	}
	return e
}

// form makes a swarm of the first so many engines as managers, and the others as workers,
// by the driver's own means.
func (f *field) form(managers int) {
	f.Helper()
	facts := f.ref.Facts.Swarm
	facts.SwarmID, facts.Managers = "", nil
	var leaving sync.WaitGroup
	for n := range f.engines {
		leaving.Go(func() {
			if err := f.engine(n).Leave(f.Context(), true); err != nil {
				f.Error(err)
			}
		})
	}
	leaving.Wait()
	info, err := f.engine(0).Init(f.Context(), f.engines[0].IP())
	if err != nil {
		f.Fatal(err)
	}
	facts.SwarmID, facts.Managers = info.Swarm, []string{f.engines[0].Address()}
	tokens, err := f.driver.Tokens(f.Context(), f.ref)
	if err != nil {
		f.Fatal(err)
	}
	for n := 1; n < len(f.engines); n++ {
		in := swarm.JoinInput{Token: tokens.Worker, Managers: []string{f.engines[0].IP()}, Advertise: f.engines[n].IP()}
		if n < managers {
			in.Token, in.Manager = tokens.Manager, true
			facts.Managers = append(facts.Managers, f.engines[n].Address())
		}
		if info, err := f.engine(n).Join(f.Context(), in); err != nil || info.State != swarm.Inside {
			f.Fatalf("joining engine %d: %+v, %v", n, info, err)
		}
	}
	f.within("ready", func() bool {
		page, err := f.driver.ListNodes(f.Context(), orchestrator.NodeQuery{Cluster: f.ref})
		ready := 0
		for _, node := range page.Nodes {
			if node.State == orchestrator.NodeReady {
				ready++
			}
		}
		quorum, quorumErr := f.driver.Quorum(f.Context(), f.ref)
		return err == nil && quorumErr == nil && ready == len(f.engines) && quorum.Reachable == managers
	})
	for n := range f.engines {
		info, err := f.engine(n).Info(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		labels := map[string]string{swarm.LabelInstance: machine(n)}
		if err := f.driver.Label(f.Context(), orchestrator.NodeRef{Cluster: f.ref, ID: info.Node}, labels); err != nil {
			f.Fatal(err)
		}
	}
}

// mend makes the swarm what a test finds: three managers that are ready, and no service.
// Only one whose nodes a test has taken away is formed anew.
func (f *field) mend() {
	f.Helper()
	if len(f.ref.Facts.Swarm.Managers) == 0 {
		f.form(3)
		return
	}
	whole := func() bool {
		page, err := f.driver.ListNodes(f.Context(), orchestrator.NodeQuery{Cluster: f.ref})
		return err == nil && len(page.Nodes) == 3 && !slices.ContainsFunc(page.Nodes, func(n orchestrator.Node) bool {
			return n.State != orchestrator.NodeReady || !n.Manager
		})
	}
	if !whole() {
		f.form(3)
		return
	}
	ref := orchestrator.ServiceRef{Cluster: f.ref, Name: "web"}
	f.within("clean", func() bool {
		left, err := f.driver.Remove(f.Context(), ref)
		return err == nil && len(left) == 0 && len(leftOn(f, f.by(0))) == 0
	})
}

// by is a client of an engine for somebody else.
func (f *field) by(n int) *client.Client {
	f.Helper()
	c, err := client.New(client.WithAPIVersion("1.41"), client.WithHost("unix://"+f.engines[n].Socket()))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	return c
}

// push puts the images of the suite into the registry, and returns their digests.
func push(t testing.TB) map[string]string {
	t.Helper()
	digests := map[string]string{"pull-fail": "sha256:" + strings.Repeat("0a", 32)}
	for name, workload := range map[string]string{"web": "web", "shop": "web", "unhealthy": "unhealthy", "crash": "crash"} {
		image, err := testbed.ForTest(t).PushWorkload(t.Context(), workload, "shop/"+name, "1")
		if err != nil {
			t.Fatal(err)
		}
		digests[name] = image.Digest
	}
	for name, code := range map[string]string{"exit-0": "0", "exit-1": "1"} {
		job := testbed.Workload{Command: []string{"job", "-after", "1s", "-exit", code}}
		if _, err := testbed.ForTest(t).Push(t.Context(), job, "shop/"+name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	return digests
}

// TestContractOnRealEngines runs the contract on three managers.
func TestContractOnRealEngines(t *testing.T) {
	f := onField(t, 3)
	digests := push(t)
	orchestratortest.RunInRealTime(t, func(t *testing.T) orchestratortest.Harness {
		f.TB = t
		f.mend()
		return orchestratortest.Harness{
			Orchestrator: f.driver, Cluster: f.ref,
			ChangeByHand: func(t *testing.T, service, image string) {
				changeByHand(t, f.by(0), service, func(spec *swarmtypes.ServiceSpec) { spec.TaskTemplate.ContainerSpec.Image = image })
			},
			Left:   func(t *testing.T) []string { return append(leftOn(t, f.by(0)), f.balancer.left(t)...) },
			Pinned: func(name string) string { return testbed.SharedRegistry + "/shop/" + name + "@" + digests[name] },
		}
	})
}

// TestARequestGoesThroughTheMesh deploys a service and asks every node for it.
func TestARequestGoesThroughTheMesh(t *testing.T) {
	f := onField(t, 3)
	f.form(1)
	image, err := testbed.ForTest(t).PushWorkload(t.Context(), "web", "shop/web", "1")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{TB: t, ref: f.ref, driver: f.driver}
	release := b.release("web", 1, publishing(port(8080, 8000)))
	release.Image = testbed.SharedRegistry + "/shop/web@" + image.Digest
	b.apply(release)
	f.within("healthy", func() bool {
		seen, err := f.driver.Observe(t.Context(), b.service("web"))
		return err == nil && seen.Rollout.State == orchestrator.RolledOut
	})
	for n := range f.engines {
		f.within("answered", func() bool {
			response, err := http.Get(fmt.Sprintf("http://%s:8000/", f.engines[n].IP()))
			if err != nil {
				return false
			}
			response.Body.Close()
			return response.StatusCode == http.StatusOK
		})
	}
	if found := f.balancer.listeners(t); len(found) != 2 {
		t.Errorf("got %+v", found)
	}
}

// TestALostManagerIsPassedOver kills managers one by one: one is passed over, two are a
// lost quorum, which is said and recovered from.
func TestALostManagerIsPassedOver(t *testing.T) {
	f := onField(t, 3)
	f.form(3)
	f.engines[0].Kill()
	f.within("passed over", func() bool {
		quorum, err := f.driver.Quorum(t.Context(), f.ref)
		return err == nil && quorum.Managers == 3 && quorum.Reachable == 2
	})
	f.engines[1].Kill()
	f.within("lost", func() bool {
		health, err := f.driver.Health(t.Context(), f.ref)
		return err == nil && health.State == orchestrator.Unhealthy && strings.Contains(health.Reason, "quorum")
	})
	info, err := f.engine(2).ForceNewCluster(t.Context(), f.engines[2].IP())
	if err != nil || info.Swarm != f.ref.Facts.Swarm.SwarmID {
		t.Fatalf("got %+v, %v", info, err)
	}
	f.within("recovered", func() bool {
		quorum, err := f.driver.Quorum(t.Context(), f.ref)
		return err == nil && quorum.Managers == 1 && quorum.Kept()
	})
}

// TestASocketOfThisMachine adopts a swarm by the socket of its manager.
func TestASocketOfThisMachine(t *testing.T) {
	f := onField(t, 1)
	f.form(1)
	f.ref.Facts.Swarm = &orchestrator.SwarmFacts{Managers: []string{"unix://" + f.engines[0].Socket()}}
	survey, err := f.driver.Survey(t.Context(), f.ref, nil)
	if err != nil || survey.Nodes != 1 || survey.Version == "" {
		t.Errorf("got %+v, %v", survey, err)
	}
	health, err := f.driver.Health(t.Context(), f.ref)
	if err != nil || health.State != orchestrator.Healthy {
		t.Errorf("got %+v, %v", health, err)
	}
}
