package swarm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	swarmtypes "github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/functions/connector"
	engines "portolan/local/swarm"
	wireconnector "portolan/shared/connector"
	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/swarm"
)

// refused wants an error of a kind with those words.
func refused(t testing.TB, what string, err error, is func(error) bool, words string) {
	t.Helper()
	if !is(err) || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: %v", what, err)
	}
	if err != nil && (strings.Contains(err.Error(), "PRIVATE KEY") || strings.Contains(err.Error(), "SWMTKN-1-")) {
		t.Errorf("%s: the error tells what is secret", what)
	}
}

func (b *bench) quorum() error {
	_, err := b.driver.Quorum(b.Context(), b.ref)
	return err
}

func TestAnAddressThatDoesNotAnswer(t *testing.T) {
	inSwarm(t, 1, 0, func(b *bench) {
		facts := b.ref.Facts.Swarm
		b.engines.Stop(machine(0))
		refused(b, "a stopped engine", b.quorum(), fault.IsUnavailable, api(0)+": nobody listens there")
		b.engines.Revive(machine(0))
		b.engines.Partition(machine(0))
		started := time.Now()
		refused(b, "a lost host", b.quorum(), fault.IsUnavailable, "10.0.0.10:2376: ")
		if took := time.Since(started); took > 30*time.Second {
			b.Errorf("it took %s", took)
		}
		for _, bad := range []string{"10.0.0.10", ":2376", "tcp://10.0.0.10", "10.0.0.10:"} {
			facts.Managers = []string{bad}
			refused(b, bad, b.quorum(), fault.IsInvalid, "no address of an engine")
		}
		facts.Managers = []string{"unix:///nowhere/docker.sock"}
		refused(b, "a socket that is not there", b.quorum(), fault.IsInvalid, "there is no such socket")
		facts.Managers, facts.Credentials = []string{api(0)}, ""
		refused(b, "no certificates", b.quorum(), fault.IsInvalid, "with certificates only")
		facts.Managers = nil
		refused(b, "no managers", b.quorum(), fault.IsNotFound, "no swarm yet")
	})
}

func TestWrongCertificates(t *testing.T) {
	inSwarm(t, 1, 0, func(b *bench) {
		good := b.vault.text
		stranger := newAuthority(b)
		mixed := map[string]string{}
		if err := json.Unmarshal([]byte(stranger.issue(time.Now().Add(time.Hour))), &mixed); err != nil {
			b.Fatal(err)
		}
		mixed["ca"] = b.authority.pem
		raw, _ := json.Marshal(mixed)
		swapped := map[string]string{}
		if err := json.Unmarshal([]byte(good), &swapped); err != nil {
			b.Fatal(err)
		}
		swapped["key"] = mixed["key"]
		rawSwapped, _ := json.Marshal(swapped)
		for name, bad := range map[string]struct{ text, words string }{
			"no JSON":                    {"ca", "are no JSON object"},
			"a part that is missing":     {`{"ca":"a","certificate":"b"}`, "have no key"},
			"no PEM":                     {`{"ca":"a","certificate":"b","key":"c"}`, "have a ca that is no certificate"},
			"a key of another":           {string(rawSwapped), "do not belong together"},
			"an expired one":             {b.authority.issue(time.Now().Add(-time.Hour)), "have a certificate that expired on"},
			"a client of somebody else":  {string(raw), "does not take the certificate"},
			"engines of somebody else's": {stranger.issue(time.Now().Add(time.Hour)), "not of the cluster's authority"},
		} {
			b.vault.text, b.driver = bad.text, b.newDriver()
			refused(b, name, b.quorum(), fault.IsInvalid, bad.words)
		}
		b.vault.text, b.driver = good, b.newDriver()
		b.ref.Facts.Swarm.ServerName = "engines.other"
		refused(b, "another name", b.quorum(), fault.IsInvalid, "for another name")
		b.ref.Facts.Swarm.ServerName = serverName
		if err := b.quorum(); err != nil {
			b.Error(err)
		}
	})
}

// TestCertificatesAreReadAgain changes the secret while the driver's connections are kept:
// what the engines refuse is read again at once.
func TestCertificatesAreReadAgain(t *testing.T) {
	inSwarm(t, 1, 0, func(b *bench) {
		good := b.vault.text
		b.vault.text = newAuthority(b).issue(time.Now().Add(time.Hour))
		b.driver = b.newDriver()
		if err := b.quorum(); !fault.IsInvalid(err) {
			b.Errorf("got %v", err)
		}
		b.vault.text = good
		if err := b.quorum(); err != nil {
			b.Errorf("with the right certificates: %v", err)
		}
		reads := b.vault.reads
		for range 10 {
			if err := b.quorum(); err != nil {
				b.Error(err)
			}
		}
		if b.vault.reads != reads {
			b.Errorf("they were read %d times more", b.vault.reads-reads)
		}
	})
}

func TestAnEngineWhoseCertificateHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.identity = b.authority.issue(time.Now().Add(-time.Hour), serverName)
		b.launch(1)
		_, err := b.engine(0).Info(t.Context())
		refused(b, "an expired certificate", err, fault.IsInvalid, "the engine's certificate has expired")
	})
}

func TestAnEngineThatIsInAnotherSwarm(t *testing.T) {
	inSwarm(t, 1, 1, func(b *bench) {
		ours := *b.ref.Facts.Swarm
		tokens, err := b.driver.Tokens(b.Context(), b.ref)
		if err != nil {
			b.Fatal(err)
		}
		b.engines.Launch(engines.Machine{ID: machine(5), Name: "node-5", Address: address(5), CPUs: 2, MemoryMiB: 4096, Version: "20.10.24", Secret: "arn"})
		time.Sleep(time.Minute)
		other := b.ref
		other.Name, other.Facts.Swarm = "other", &orchestrator.SwarmFacts{Credentials: secretARN, ServerName: serverName}
		foreign, err := b.driver.Engine(b.Context(), other, api(5))
		if err != nil {
			b.Fatal(err)
		}
		info, err := foreign.Init(b.Context(), address(5))
		if err != nil {
			b.Fatal(err)
		}
		// Ours is asked to take it in, with its swarm's id known and not known yet.
		_, err = b.engine(5).Init(b.Context(), address(5))
		refused(b, "init", err, fault.IsConflict, "is in another swarm, "+info.Swarm)
		_, err = b.engine(5).Join(b.Context(), swarm.JoinInput{Token: tokens.Worker, Managers: []string{address(0)}, Advertise: address(5)})
		refused(b, "join", err, fault.IsConflict, info.Swarm)
		b.ref.Facts.Swarm = &orchestrator.SwarmFacts{Credentials: secretARN, ServerName: serverName}
		_, err = b.engine(5).Init(b.Context(), address(5))
		refused(b, "init without an id", err, fault.IsConflict, "was not made for cluster shop")
		_, err = b.engine(1).Init(b.Context(), address(1))
		refused(b, "init of a worker", err, fault.IsConflict, "as a worker of the managers")
		// The worker is of a swarm that the other cluster does not know.
		other.Facts.Swarm.Managers, other.Facts.Swarm.SwarmID = []string{api(5)}, info.Swarm
		worker, err := b.driver.Engine(b.Context(), other, api(1))
		if err != nil {
			b.Fatal(err)
		}
		_, err = worker.Join(b.Context(), swarm.JoinInput{Token: tokens.Worker, Managers: []string{address(5)}, Advertise: address(1)})
		refused(b, "a worker of another swarm", err, fault.IsConflict, "is in another swarm, of the managers")
		// And a cluster whose managers' address leads to it says so.
		ours.Managers = []string{api(5)}
		b.ref.Facts.Swarm = &ours
		_, err = b.driver.Health(b.Context(), b.ref)
		refused(b, "health", err, fault.IsConflict, info.Swarm)
	})
}

func TestEnginesAreMadeOnce(t *testing.T) {
	inSwarm(t, 1, 1, func(b *bench) {
		tokens, err := b.driver.Tokens(b.Context(), b.ref)
		if err != nil {
			b.Fatal(err)
		}
		info, err := b.engine(0).Init(b.Context(), address(0))
		if err != nil || info.Swarm != b.ref.Facts.Swarm.SwarmID {
			b.Errorf("init again: %+v, %v", info, err)
		}
		again, err := b.engine(1).Join(b.Context(), swarm.JoinInput{Token: tokens.Worker, Managers: []string{address(0)}, Advertise: address(1)})
		if err != nil || again.State != swarm.Inside {
			b.Errorf("join again: %+v, %v", again, err)
		}
		if err := b.driver.RotateTokens(b.Context(), b.ref); err != nil {
			b.Fatal(err)
		}
		after, err := b.driver.Tokens(b.Context(), b.ref)
		if err != nil || after.Worker == tokens.Worker || after.Manager == tokens.Manager {
			b.Errorf("the tokens are the same: %v", err)
		}
		refused(b, "a manager that leaves", b.engine(0).Leave(b.Context(), false), fault.IsConflict, "demoted before it leaves")
		for range 2 {
			if err := b.engine(1).Leave(b.Context(), false); err != nil {
				b.Error(err)
			}
		}
		_, err = b.engine(1).Join(b.Context(), swarm.JoinInput{Token: tokens.Worker, Managers: []string{address(0)}, Advertise: address(1)})
		if err == nil {
			b.Error("a token that was rotated lets in")
		}
		refused(b, "an old token", err, func(err error) bool { return err != nil }, "token")
		_, err = b.engine(1).ForceNewCluster(b.Context(), address(1))
		refused(b, "forcing what is no manager", err, fault.IsConflict, "no manager")
	})
}

func TestTokensShowThemselvesNowhere(t *testing.T) {
	tokens := swarm.Tokens{Worker: "SWMTKN-1-worker", Manager: "SWMTKN-1-manager"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("joining", "tokens", tokens, "token", tokens.Worker)
	raw, err := json.Marshal(tokens)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q", tokens, tokens, tokens, tokens.Worker, tokens.Manager) + log.String() + string(raw)
	if strings.Contains(shown, "SWMTKN") {
		t.Errorf("got %s", shown)
	}
}

// answering is a host that answers all requests alike.
func answering(t testing.TB, header, value string, body []byte) *http.Server {
	t.Helper()
	return &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(header, value)
		w.Write(body)
	})}
}

func TestEnginesThatCannotBeTalkedTo(t *testing.T) {
	for name, host := range map[string]struct {
		server *http.Server
		words  string
	}{
		"too old":           {answering(t, "Api-Version", "1.39", nil), "is too old: it speaks version 1.39"},
		"no engine":         {answering(t, "Server", "nginx", nil), "no Docker engine"},
		"a version of none": {answering(t, "Api-Version", "new", nil), "is too old"},
		"a flood":           {answering(t, "Api-Version", "1.41", make([]byte, 33<<20)), "is larger than"},
	} {
		b := &bench{TB: t, vault: &vault{text: newAuthority(t).issue(time.Now().Add(time.Hour))}}
		b.ref.Name, b.ref.Facts.Swarm = "shop", &orchestrator.SwarmFacts{Credentials: secretARN, Managers: []string{api(0)}}
		b.driver = swarm.New(swarm.Config{
			AWS: b.vault.config(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
			WrapTransport: func(http.RoundTripper) http.RoundTripper { return serving{host.server.Handler} },
		})
		refused(t, name, b.quorum(), fault.IsInvalid, host.words)
	}
}

// serving is a transport to a handler.
type serving struct{ handler http.Handler }

func (s serving) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestWhatTheSwarmDoesNotHave(t *testing.T) {
	inSwarm(t, 1, 0, func(b *bench) {
		made, err := b.by(0).SecretCreate(b.Context(), client.SecretCreateOptions{
			Spec: swarmtypes.SecretSpec{Annotations: swarmtypes.Annotations{Name: "database"}, Data: []byte("x")},
		})
		if err != nil {
			b.Fatal(err)
		}
		err = b.driver.Apply(b.Context(), b.release("web", 1, func(s *contract.ServiceSpec) {
			s.Swarm.Networks = []string{"backend", "frontend"}
			s.Swarm.SecretFiles = []contract.SwarmFile{{Name: "database"}, {Name: "gone"}}
			s.Swarm.Configs = []contract.SwarmFile{{Name: "web"}}
		}))
		var pointers []string
		for _, field := range fault.FieldsOf(err) {
			pointers = append(pointers, field.Pointer)
		}
		if got := strings.Join(pointers, " "); !fault.IsInvalid(err) ||
			got != "/swarm/networks/0 /swarm/networks/1 /swarm/secretFiles/1/name /swarm/configs/0/name" {
			b.Errorf("got %s, %v", got, err)
		}
		b.apply(b.release("web", 1, func(s *contract.ServiceSpec) { s.Swarm.SecretFiles = []contract.SwarmFile{{Name: "database"}} }))
		found, err := b.by(0).ServiceInspect(b.Context(), "web", client.ServiceInspectOptions{})
		if err != nil || found.Service.Spec.TaskTemplate.ContainerSpec.Secrets[0].SecretID != made.ID {
			b.Errorf("got %+v, %v", found, err)
		}
		job := orchestrator.Job{Cluster: b.ref, Name: "migrate", Operation: "01JOB", Spec: contract.JobSpec{
			Image: "example.com/exit-0:1", Memory: contract.Memory{LimitMiB: 64},
			Swarm: contract.SwarmJob{SecretFiles: []contract.SwarmFile{{Name: "database"}}, Networks: []string{"backend"}},
		}}
		if err := b.driver.RunJob(b.Context(), job); !fault.IsInvalid(err) || fault.FieldsOf(err)[0].Pointer != "/swarm/networks/0" {
			b.Errorf("got %v", err)
		}
		job.Spec.Swarm.Networks = nil
		if err := b.driver.RunJob(b.Context(), job); err != nil {
			b.Fatal(err)
		}
		found, err = b.by(0).ServiceInspect(b.Context(), "job_migrate", client.ServiceInspectOptions{})
		if err != nil || found.Service.Spec.TaskTemplate.ContainerSpec.Secrets[0].SecretID != made.ID {
			b.Errorf("got %+v, %v", found, err)
		}
	})
}

// TestThroughTheConnector runs a swarm whose engines are only reached by the function in
// their VPC.
func TestThroughTheConnector(t *testing.T) {
	inSwarm(t, 3, 0, func(b *bench) {
		handler := &connector.Handler{
			Hosts: []string{api(0), api(1), api(2)}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			Wrap: b.engines.WrapTransport,
		}
		elb, calls := b.vault.other, 0
		b.vault.other = doer(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/invocations") {
				return elb.Do(r)
			}
			calls++
			var in wireconnector.Request
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				return nil, err
			}
			out, err := handler.Handle(r.Context(), in)
			response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
			raw, _ := json.Marshal(out)
			if err != nil {
				response.Header.Set("X-Amz-Function-Error", "Unhandled")
				raw, _ = json.Marshal(map[string]string{"errorType": string(fault.KindOf(err)), "errorMessage": err.Error()})
			}
			response.Body = io.NopCloser(bytes.NewReader(raw))
			return response, nil
		})
		b.ref.Facts.Swarm.Connector = "arn:aws:lambda:eu-central-1:111122223333:function:connector"
		b.driver = swarm.New(swarm.Config{AWS: b.vault.config(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		b.engines.Kill(machine(0))
		time.Sleep(time.Minute)
		b.apply(b.release("web", 1, nil))
		b.healthy("web", 1)
		if calls == 0 {
			b.Error("the connector was not called")
		}
		b.ref.Facts.Swarm.Managers = []string{"10.0.0.99:2376"}
		refused(b, "a host that the connector does not call", b.quorum(), fault.IsInvalid, "not among the hosts")
		b.ref.Facts.Swarm.Managers = []string{"unix:///var/run/docker.sock"}
		refused(b, "a socket beyond the connector", b.quorum(), fault.IsInvalid, "no connector gets there")
	})
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// counting counts what is asked of engines.
type counting struct {
	next  http.RoundTripper
	calls *[]string
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	*c.calls = append(*c.calls, r.Method+" "+r.URL.Host+r.URL.Path)
	return c.next.RoundTrip(r)
}

// TestAHundredServicesAreSeenInOneCall is the number that drift depends on.
func TestAHundredServicesAreSeenInOneCall(t *testing.T) {
	inSwarm(t, 1, 3, func(b *bench) {
		var names []string
		for n := range 100 {
			release := b.release(fmt.Sprintf("service-%d", n), int64(n+1), nil)
			release.Replicas, release.Spec.Memory.LimitMiB = 1, 6
			b.apply(release)
			names = append(names, release.Service.Name)
		}
		time.Sleep(5 * time.Minute)
		changeByHand(b, b.by(0), "service-7", func(s *swarmtypes.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "other:1" })
		var calls []string
		b.wrap = func(next http.RoundTripper) http.RoundTripper { return counting{next, &calls} }
		b.driver = b.newDriver()
		seen, err := b.driver.Glance(b.Context(), b.ref, append(names, "nobody"))
		if err != nil || len(seen) != 100 || len(calls) != 2 {
			b.Fatalf("%d seen in the calls %v, %v", len(seen), calls, err)
		}
		for n, name := range names {
			o := seen[name]
			if n == 7 {
				if o.Foreign != "other:1" || o.Rollout.Release != 0 {
					b.Errorf("changed by hand: %+v", o)
				}
				continue
			}
			if o.Desired != 1 || o.Running != 1 || o.Rollout.Release != int64(n+1) || o.Foreign != "" {
				b.Errorf("%s is %+v", name, o)
			}
		}
		calls = nil
		if _, err := b.driver.Glance(b.Context(), b.ref, names); err != nil || len(calls) != 1 {
			b.Errorf("the second time: %v, %v", calls, err)
		}
	})
}

// TestTheNextManagerIsAsked loses managers: each call finds one that answers, and no call
// stays with one that is lost.
func TestTheNextManagerIsAsked(t *testing.T) {
	inSwarm(t, 3, 0, func(b *bench) {
		b.apply(b.release("web", 1, nil))
		b.engines.Kill(machine(0))
		started := time.Now()
		if err := b.quorum(); err != nil {
			b.Fatal(err)
		}
		if took := time.Since(started); took > 20*time.Second {
			b.Errorf("finding the next one took %s", took)
		}
		started = time.Now()
		for range 5 {
			if err := b.quorum(); err != nil {
				b.Fatal(err)
			}
		}
		if took := time.Since(started); took > time.Second {
			b.Errorf("with the next one known, 5 calls took %s", took)
		}
		b.engines.Kill(machine(1))
		time.Sleep(time.Minute)
		health, err := b.driver.Health(b.Context(), b.ref)
		if err != nil || health.State != orchestrator.Unhealthy || !strings.Contains(health.Reason, "quorum") {
			b.Errorf("without a quorum: %+v, %v", health, err)
		}
		refused(b, "a change without a quorum", b.driver.Scale(b.Context(), b.service("web"), 3), fault.IsUnavailable, "leader")
	})
}

// TestASilentManagerIsAskedLast loses the host of the manager that is asked first, and gives
// each call less time than one manager may take: only the first call fails for it.
func TestASilentManagerIsAskedLast(t *testing.T) {
	inSwarm(t, 3, 0, func(b *bench) {
		if err := b.quorum(); err != nil {
			b.Fatal(err)
		}
		b.engines.Partition(machine(0))
		for i := range 4 {
			ctx, cancel := context.WithTimeout(b.Context(), 6*time.Second)
			_, err := b.driver.Quorum(ctx, b.ref)
			cancel()
			if i > 0 && err != nil {
				b.Errorf("call %d: %v", i+1, err)
			}
			if i == 0 {
				refused(b, "the first call", err, fault.IsUnavailable, api(0))
				time.Sleep(20 * time.Second) // until another one leads
			}
		}
	})
}

// TestWhatIsInEffectIsNotWritten applies a release again and again.
func TestWhatIsInEffectIsNotWritten(t *testing.T) {
	inSwarm(t, 1, 1, func(b *bench) {
		release := b.release("web", 1, publishing(port(8080, 8000)))
		b.apply(release)
		b.healthy("web", 1)
		var calls []string
		b.wrap = func(next http.RoundTripper) http.RoundTripper { return counting{next, &calls} }
		b.driver = b.newDriver()
		b.apply(release)
		release.Operation = "operation-2"
		b.apply(release)
		for _, call := range calls {
			if !strings.HasPrefix(call, http.MethodGet+" ") {
				b.Errorf("it made the call %s", call)
			}
		}
	})
}

// TestALostAnswer loses the answer to a change that took effect: doing it again is right.
func TestALostAnswer(t *testing.T) {
	inSwarm(t, 1, 1, func(b *bench) {
		var calls []string
		lost := errors.New("the connection was reset")
		b.wrap = func(to http.RoundTripper) http.RoundTripper {
			return losing{to, func(r *http.Request) bool {
				calls = append(calls, r.URL.Path)
				return r.Method == http.MethodPost && len(calls) < 6
			}, lost}
		}
		b.driver = b.newDriver()
		release := b.release("web", 1, nil)
		if err := b.driver.Apply(b.Context(), release); !fault.IsUnavailable(err) {
			b.Fatalf("got %v", err)
		}
		b.apply(release)
		b.healthy("web", 1)
	})
}

// losing is a transport that loses the answers to some requests.
type losing struct {
	to   http.RoundTripper
	lose func(*http.Request) bool
	err  error
}

func (l losing) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.to.RoundTrip(r)
	if err == nil && l.lose(r) {
		response.Body.Close()
		return nil, l.err
	}
	return response, err
}

// TestANodeThatChangesMeanwhile changes a node as the swarm does that has just demoted it:
// between the driver's look at it and its own change.
func TestANodeThatChangesMeanwhile(t *testing.T) {
	inSwarm(t, 1, 1, func(b *bench) {
		page, err := b.driver.ListNodes(b.Context(), orchestrator.NodeQuery{Cluster: b.ref})
		if err != nil {
			b.Fatal(err)
		}
		at := slices.IndexFunc(page.Nodes, func(n orchestrator.Node) bool { return !n.Manager })
		worker := page.Nodes[at]
		changed := false
		b.wrap = func(next http.RoundTripper) http.RoundTripper {
			return before{next, func(r *http.Request) {
				if r.Method == http.MethodPost && !changed {
					changed = true
					b.label(worker.ID, "rack", "7")
				}
			}}
		}
		b.driver = b.newDriver()
		if err := b.driver.Drain(b.Context(), b.node(worker.ID)); err != nil {
			b.Fatal(err)
		}
		out, err := b.by(0).NodeInspect(b.Context(), worker.ID, client.NodeInspectOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if spec := out.Node.Spec; !changed || spec.Availability != swarmtypes.NodeAvailabilityDrain || spec.Labels["rack"] != "7" {
			b.Errorf("the node is %+v", spec)
		}
	})
}

// A service changes between the look at it and its change, as the swarm itself changes it for
// some moments after another manager leads.
func TestAServiceThatChangesMeanwhile(t *testing.T) {
	inSwarm(t, 1, 2, func(b *bench) {
		b.apply(b.release("web", 2, nil))
		b.healthy("web", 2)
		worker, left := b.nodeOf(1), 0
		b.wrap = func(next http.RoundTripper) http.RoundTripper {
			return before{next, func(r *http.Request) {
				if left > 0 && strings.Contains(r.URL.Path, "/services/") && strings.HasSuffix(r.URL.Path, "/update") {
					left--
					b.labelService("web", "rack", fmt.Sprint(left))
				}
			}}
		}
		b.driver = b.newDriver()
		for _, change := range []func(context.Context, orchestrator.NodeRef) error{b.driver.Drain, b.driver.Uncordon} {
			left = 2
			if err := change(b.Context(), worker); err != nil || left != 0 {
				b.Errorf("%d changes are left, %v", left, err)
			}
		}
	})
}

// labelService labels a service past Portolan.
func (b *bench) labelService(name, label, value string) {
	b.Helper()
	out, err := b.by(0).ServiceInspect(b.Context(), name, client.ServiceInspectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	spec := out.Service.Spec
	spec.Labels = maps.Clone(spec.Labels)
	spec.Labels[label] = value
	_, err = b.by(0).ServiceUpdate(b.Context(), out.Service.ID, client.ServiceUpdateOptions{Version: out.Service.Version, Spec: spec})
	if err != nil {
		b.Fatal(err)
	}
}

// before is a transport with something that is done before each request.
type before struct {
	next http.RoundTripper
	do   func(*http.Request)
}

func (w before) RoundTrip(r *http.Request) (*http.Response, error) {
	w.do(r)
	return w.next.RoundTrip(r)
}

// label is somebody else's label on a node.
func (b *bench) label(id, name, value string) {
	b.Helper()
	node, err := b.by(0).NodeInspect(b.Context(), id, client.NodeInspectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	node.Node.Spec.Labels[name] = value
	if _, err := b.by(0).NodeUpdate(b.Context(), id, client.NodeUpdateOptions{Version: node.Node.Version, Spec: node.Node.Spec}); err != nil {
		b.Fatal(err)
	}
}
