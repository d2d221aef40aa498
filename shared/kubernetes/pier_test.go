package kubernetes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portolan/local/clock"
	embedded "portolan/local/kubernetes"
	"portolan/local/unique"
	"portolan/shared/contract"
	"portolan/shared/kubernetes"
	"portolan/shared/orchestrator"
)

// A pier is a driver with a cluster on the embedded API server, in virtual time, and
// what it asks of it.
type pier struct {
	*testing.T
	server *embedded.Server
	driver *kubernetes.Driver
	amazon *amazon
	ref    orchestrator.ClusterRef

	mu    sync.Mutex
	asked []string

	// lose, where it is set, says of a request whether nobody answers it, and whether it
	// has its effect all the same.
	lose func(*http.Request) (lost, effect bool)
}

// RoundTrip keeps what the driver asks.
func (p *pier) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	what := r.Method
	if r.URL.Query().Get("watch") != "" {
		what = "WATCH"
	}
	p.asked = append(p.asked, what+" "+r.URL.Path)
	p.mu.Unlock()
	lost, effect := false, true
	if p.lose != nil {
		lost, effect = p.lose(r)
	}
	if !effect {
		return nil, io.ErrUnexpectedEOF
	}
	response, err := p.server.RoundTrip(r)
	if lost && err == nil {
		return nil, errors.Join(io.ErrUnexpectedEOF, response.Body.Close())
	}
	return response, err
}

// counted are how many requests were made since the last call, of which how many wrote,
// and how many watches.
func (p *pier) counted() (requests, writes, watches int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, what := range p.asked {
		switch method, _, _ := strings.Cut(what, " "); method {
		case "WATCH":
			watches++
		case http.MethodGet:
			requests++
		default:
			requests++
			writes++
		}
	}
	p.asked = nil
	return requests, writes, watches
}

// onPier runs a test on a cluster with three nodes.
func onPier(t *testing.T, test func(*pier)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pier{T: t, amazon: newAmazon([]byte(embeddedConfig))}
		var err error
		p.server, err = embedded.New(embedded.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(1), Name: "shop",
			Tokens: map[string]embedded.User{"secret": {Name: "admin", Groups: []string{"system:masters"}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.server.Close()
		for n := range 3 {
			err := p.server.JoinNode(t.Context(), embedded.Registration{Name: fmt.Sprintf("node-%d", n), EC2InstanceID: fmt.Sprintf("i-%017d", n+1),
				Zone: fmt.Sprintf("%s%c", area, 'a'+n), InstanceType: "m5.large", CPU: 2048, Memory: 8192})
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		p.driver = kubernetes.New(kubernetes.Config{AWS: p.amazon.config(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
			WrapTransport: func(http.RoundTripper) http.RoundTripper { return p }})
		p.ref = orchestrator.ClusterRef{Name: "shop", Team: "checkout", Facts: orchestrator.Facts{
			Kubernetes: &orchestrator.KubernetesFacts{Credentials: secretARN, EKSCluster: "shop", Namespace: "default"}}}
		test(p)
	})
}

// ask is what somebody else does.
func (p *pier) ask(method, path, body string) map[string]any {
	p.Helper()
	request, err := http.NewRequestWithContext(p.Context(), method, "https://shop.example.com"+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer secret")
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/strategic-merge-patch+json")
	}
	response, err := p.server.RoundTrip(request)
	if err != nil {
		p.Fatal(err)
	}
	raw, err := io.ReadAll(response.Body)
	var answer map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil || response.StatusCode >= 300 {
		p.Fatalf("%s %s: %d %s, %v", method, path, response.StatusCode, raw, err)
	}
	return answer
}

// release is one of the service web behind a load balancer, with so many tasks.
func (p *pier) release(number int64, image string, replicas int) orchestrator.Release {
	return orchestrator.Release{
		Service: orchestrator.ServiceRef{Cluster: p.ref, Name: "web"}, Number: number, Replicas: replicas, Commit: "4a5b6c7",
		Operation: fmt.Sprintf("operation-%d", number), Image: "shop/" + image + "@sha256:" + strings.Repeat("0a", 32),
		Spec: contract.ServiceSpec{
			Container: "webapp", Image: "shop/" + image + ":1", Cpu: 64, Memory: contract.Memory{LimitMiB: 64},
			Ports:        []contract.Port{{ContainerPort: 8080}},
			LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, Rules: []contract.RoutingRule{{Paths: []string{"/shop/*"}}}},
			Rollout:      contract.Rollout{DeadlineSeconds: 300},
		},
	}
}

// rollOut applies a release and listens to the end of its rollout.
func (p *pier) rollOut(release orchestrator.Release) orchestrator.Observation {
	p.Helper()
	p.must(p.driver.Apply(p.Context(), release))
	seen, err := p.driver.Watch(p.Context(), release.Service, time.Now().Add(10*time.Minute))
	p.must(err)
	return seen
}

func (p *pier) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func contains(text string, words ...string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
