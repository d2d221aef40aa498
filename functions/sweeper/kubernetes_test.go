package sweeper_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/functions/sweeper"
	"portolan/local/clock"
	embedded "portolan/local/kubernetes"
	"portolan/local/unique"
	"portolan/shared/contract"
	"portolan/shared/kubernetes"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

// kubeconfig is what Secrets Manager has of the cluster.
const kubeconfig = `{"apiVersion":"v1","kind":"Config","current-context":"shop",
"clusters":[{"name":"shop","cluster":{"server":"https://shop.example.com"}}],
"users":[{"name":"user","user":{"token":"secret"}}],
"contexts":[{"name":"shop","context":{"cluster":"shop","user":"user"}}]}`

// A secret answers each call of AWS with the kubeconfig.
type secret struct{}

func (secret) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(fmt.Sprintf(`{"SecretString":%q}`, kubeconfig)))}, nil
}

// A harbour is a round with an adopted cluster of Kubernetes.
type harbour struct {
	*round
	server *embedded.Server
	driver *kubernetes.Driver
	asked  atomic.Int64
	down   atomic.Bool
}

// RoundTrip counts what the API server is asked.
func (h *harbour) RoundTrip(r *http.Request) (*http.Response, error) {
	h.asked.Add(1)
	if h.down.Load() {
		return nil, errors.New("connection refused")
	}
	return h.server.RoundTrip(r)
}

// inHarbour runs a test with a cluster whose verbs are those.
func inHarbour(t *testing.T, verbs []contract.Verb, test func(*harbour)) {
	synctest.Test(t, func(t *testing.T) {
		h := &harbour{round: newRound(t)}
		var err error
		h.server, err = embedded.New(embedded.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(1), Name: "shop",
			Tokens: map[string]embedded.User{"secret": {Name: "admin", Groups: []string{"system:masters"}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer h.server.Close()
		h.driver = kubernetes.New(kubernetes.Config{Now: time.Now, Log: slog.New(slog.DiscardHandler),
			AWS:           aws.Config{Region: region, HTTPClient: &http.Client{Transport: secret{}}, Credentials: aws.AnonymousCredentials{}},
			WrapTransport: func(http.RoundTripper) http.RoundTripper { return h }})
		h.Handler.Services = map[contract.Orchestrator]orchestrator.Glancer{contract.Kubernetes: h.driver}
		h.cluster("shop", func(c *model.Cluster) {
			c.Spec.Orchestrator = contract.Kubernetes
			c.Spec.Adopted = contract.AdoptedCluster{Credentials: "arn:aws:secretsmanager:us-east-1:000000000000:secret:portolan/shop", Verbs: verbs}
			c.Facts.Kubernetes = &orchestrator.KubernetesFacts{Credentials: c.Spec.Adopted.Credentials, Namespace: "default"}
		})
		test(h)
	})
}

// deploy applies release 1 of a service with two tasks, as the table wants it.
func (h *harbour) deploy(name string) {
	h.Helper()
	h.commits(store.CreateService(model.Service{Cluster: "shop", Name: name, Team: "storefront", Replicas: 2, Generation: 3,
		Release: 1, LastRelease: 1, ReleaseObserved: 1, Status: contract.ServiceHealthy}))
	c, err := h.table.Cluster(h.Context(), "shop")
	if err == nil {
		spec := contract.ServiceSpec{Container: "webapp", Image: "shop/web:1", Cpu: 64, Memory: contract.Memory{LimitMiB: 64}}
		err = h.driver.Apply(h.Context(), orchestrator.Release{Service: orchestrator.ServiceRef{Cluster: c.Ref(), Name: name}, Number: 1,
			Spec: spec, Image: spec.Image, Replicas: 2, Operation: "made-" + name})
	}
	if err != nil {
		h.Fatal(err)
	}
}

// byHand is what somebody does with kubectl.
func (h *harbour) byHand(method, path, body string) {
	h.Helper()
	request, err := http.NewRequestWithContext(h.Context(), method, "https://shop.example.com"+path, strings.NewReader(body))
	if err != nil {
		h.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer secret")
	request.Header.Set("Content-Type", "application/strategic-merge-patch+json")
	response, err := h.server.RoundTrip(request)
	if err != nil || response.StatusCode >= 300 {
		h.Fatalf("%s %s: %v, %v", method, path, response, err)
	}
}

func deployment(name string) string { return "/apis/apps/v1/namespaces/default/deployments/" + name }

const (
	scaled   = `{"spec":{"replicas":5}}`
	replaced = `{"spec":{"template":{"spec":{"containers":[{"name":"webapp","image":"else:1"}]}}}}`
)

func TestDriftOnKubernetesIsFoundAndRepaired(t *testing.T) {
	inHarbour(t, []contract.Verb{contract.VerbDeploy, contract.VerbRepair}, func(h *harbour) {
		for _, name := range []string{"as-wanted", "gone", "replaced", "scaled"} {
			h.deploy(name)
		}
		if found := h.sweep(sweeper.In{Time: noon}); len(found) > 0 {
			t.Fatalf("before anything is changed, found %v", found)
		}
		h.byHand(http.MethodPatch, deployment("scaled")+"/scale?fieldManager=kubectl-scale", scaled)
		h.byHand(http.MethodPatch, deployment("replaced")+"?fieldManager=kubectl-set", replaced)
		h.byHand(http.MethodDelete, deployment("gone"), "")
		h.later()
		h.sweep(sweeper.In{Time: noon})
		for name, drift := range map[string]string{
			"as-wanted": "", "gone": "the service is gone", "scaled": "5 tasks are asked for, and 2 are wanted",
			"replaced": "else:1 runs in place of release 1",
		} {
			if got := h.readService(name).Drift; got != drift {
				t.Errorf("the drift of %s is %q", name, got)
			}
			if repairs := len(h.queue("service/shop/" + name)); (repairs == 1) != (drift != "") {
				t.Errorf("%s: %d repairs", name, repairs)
			}
		}
	})
}

func TestDriftOnKubernetesIsReportedWithoutTheVerb(t *testing.T) {
	inHarbour(t, []contract.Verb{contract.VerbDeploy}, func(h *harbour) {
		h.deploy("web")
		h.byHand(http.MethodPatch, deployment("web")+"?fieldManager=kubectl-set", replaced)
		found := h.sweep(sweeper.In{Time: noon})
		if len(found) != 1 || found[0].Did != "what is seen of its drift is kept" || !strings.Contains(found[0].Why, "may not repair") {
			t.Errorf("found %v", found)
		}
		if h.readService("web").Drift == "" || len(h.queue("service/shop/web")) > 0 {
			t.Errorf("the service is %+v", h.readService("web"))
		}
	})
}

// A page of services that are all Deployments costs one list, and each that differs one more.
func TestLookingAtServicesOnKubernetesTakesFewLists(t *testing.T) {
	inHarbour(t, nil, func(h *harbour) {
		for n := range 120 {
			h.deploy(fmt.Sprintf("web-%03d", n))
		}
		h.byHand(http.MethodPatch, deployment("web-007")+"/scale", scaled)
		h.asked.Store(0)
		h.sweep(sweeper.In{Time: noon})
		if asked := h.asked.Load(); asked != 3 || h.readService("web-007").Drift == "" {
			t.Errorf("%d requests", asked)
		}
	})
}

// A cluster that does not answer keeps no other from being looked at.
func TestAClusterThatDoesNotAnswerIsLookedAtAgain(t *testing.T) {
	inHarbour(t, nil, func(h *harbour) {
		h.deploy("web")
		h.down.Store(true)
		_, err := h.Handle(h.Context(), sweeper.In{Time: noon})
		if err == nil || !strings.Contains(err.Error(), "looking at the services of cluster shop") {
			t.Errorf("got %v", err)
		}
	})
}
