//go:build testbed

package kubernetes_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/yaml"
	clientcmd "k8s.io/client-go/tools/clientcmd/api/v1"

	testbed "portolan/local/testbed/kubernetes"
	"portolan/shared/kubernetes"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/orchestratortest"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// field is a namespace of the real cluster, with the driver and the means of somebody
// who works on it past Portolan.
type field struct {
	*testing.T
	namespace string
	address   string
	client    *http.Client
	amazon    *amazon
	driver    *kubernetes.Driver
	ref       orchestrator.ClusterRef

	requests, writes, watches *atomic.Int64
}

// onField starts a test on the real cluster, when what tests before it made is gone.
func onField(t *testing.T) *field {
	t.Helper()
	cluster, namespace := testbed.ForTest(t)
	f := &field{T: t, namespace: namespace, amazon: newAmazon(cluster.Kubeconfig())}
	f.requests, f.writes, f.watches = new(atomic.Int64), new(atomic.Int64), new(atomic.Int64)
	f.dial(cluster.Kubeconfig())
	f.driver = f.newDriver(f.amazon)
	f.ref = orchestrator.ClusterRef{Name: "shop", Team: "checkout", Facts: orchestrator.Facts{
		Kubernetes: &orchestrator.KubernetesFacts{Credentials: secretARN, EKSCluster: "shop", Namespace: namespace},
	}}
	f.mend()
	f.Cleanup(f.clear)
	return f
}

// clear ends what runs. It goes with the namespace, too, but some seconds later.
func (f *field) clear() {
	for _, path := range []string{
		"/apis/batch/v1/namespaces/" + f.namespace + "/jobs", f.apps("deployments"), f.apps("daemonsets"), "/apis/batch/v1/namespaces/" + f.namespace + "/cronjobs",
		"/api/v1/namespaces/" + f.namespace + "/pods",
	} {
		f.change(http.MethodDelete, path, "", document{"propagationPolicy": "Background"})
	}
}

func (f *field) newDriver(a *amazon) *kubernetes.Driver {
	return kubernetes.New(kubernetes.Config{
		AWS: a.config(), Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		WrapTransport: func(next http.RoundTripper) http.RoundTripper { return counter{f, next} },
	})
}

// counter counts the requests of the driver.
type counter struct {
	f    *field
	next http.RoundTripper
}

func (c counter) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.URL.Query().Get("watch") != "":
		c.f.watches.Add(1)
	case r.Method != http.MethodGet:
		c.f.writes.Add(1)
		fallthrough
	default:
		c.f.requests.Add(1)
	}
	return c.next.RoundTrip(r)
}

// dial makes a client as the cluster's administrator.
func (f *field) dial(kubeconfig []byte) {
	f.Helper()
	var config clientcmd.Config
	raw, err := yaml.ToJSON(kubeconfig)
	f.must(err)
	f.must(json.Unmarshal(raw, &config))
	cluster, user := config.Clusters[0].Cluster, config.AuthInfos[0].AuthInfo
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cluster.CertificateAuthorityData)
	pair, err := tls.X509KeyPair(user.ClientCertificateData, user.ClientKeyData)
	f.must(err)
	f.address = cluster.Server
	f.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}},
	}}
	f.Cleanup(f.client.CloseIdleConnections)
}

func (f *field) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

type document = map[string]any

// do sends a request of somebody else, under the name of a field manager.
func (f *field) do(method, path, manager string, body any) (int, document) {
	f.Helper()
	raw, err := json.Marshal(body)
	f.must(err)
	if manager != "" {
		path += "?fieldManager=" + manager
	}
	request, err := http.NewRequestWithContext(context.Background(), method, f.address+path, bytes.NewReader(raw))
	f.must(err)
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/strategic-merge-patch+json")
	}
	response, err := f.client.Do(request)
	f.must(err)
	defer response.Body.Close()
	var answer document
	f.must(json.NewDecoder(response.Body).Decode(&answer))
	return response.StatusCode, answer
}

// change changes an object, and wants it to work.
func (f *field) change(method, path, manager string, body any) document {
	f.Helper()
	code, answer := f.do(method, path, manager, body)
	if code >= 300 {
		f.Fatalf("%s %s: %d: %v", method, path, code, answer["message"])
	}
	return answer
}

func (f *field) apps(name string) string {
	return "/apis/apps/v1/namespaces/" + f.namespace + "/" + name
}

func (f *field) items(path string) []document {
	f.Helper()
	code, list := f.do(http.MethodGet, path, "", nil)
	if code != http.StatusOK {
		f.Fatalf("listing %s: %v", path, list["message"])
	}
	var items []document
	for _, item := range list["items"].([]any) {
		items = append(items, item.(document))
	}
	return items
}

func name(o document) string { return o["metadata"].(document)["name"].(string) }

// eventually waits until a question has no answer but nil.
func (f *field) eventually(what string, ask func() error) {
	f.Helper()
	start := time.Now()
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Since(start) > time.Minute {
			f.Fatalf("never %s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

const nodesWanted = 3

// mend makes the nodes again that a test before took away, as instances of EC2, and
// waits until nothing runs on them.
func (f *field) mend() {
	f.Helper()
	for i := range nodesWanted {
		node := fmt.Sprintf("node-%d", i)
		resources := document{"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "100Gi"}
		code, answer := f.do(http.MethodPost, "/api/v1/nodes", "", document{
			"metadata": document{"name": node, "labels": document{
				"kubernetes.io/hostname": node, "topology.kubernetes.io/zone": fmt.Sprintf("testbed-%c", 'a'+i%3),
			}},
			"status": document{"capacity": resources, "allocatable": resources},
		})
		if code >= 300 && code != http.StatusConflict {
			f.Fatalf("making node %s: %v", node, answer["message"])
		}
		f.change(http.MethodPatch, "/api/v1/nodes/"+node, "", document{"spec": document{
			"providerID": fmt.Sprintf("aws:///testbed-%c/i-%017d", 'a'+i%3, i+1), "unschedulable": nil,
		}, "metadata": document{"annotations": document{"portolan.dev/draining": nil}}})
	}
	f.eventually("usable", func() error {
		if all := f.items("/api/v1/pods"); len(all) > 0 {
			return fmt.Errorf("there are %d pods", len(all))
		}
		for _, node := range f.items("/api/v1/nodes") {
			if taints := node["spec"].(document)["taints"]; taints != nil {
				return fmt.Errorf("node %s has the taints %v", name(node), taints)
			}
		}
		return nil
	})
}

func (f *field) changeByHand(t *testing.T, service, image string) {
	f.change(http.MethodPatch, f.apps("deployments/"+service), "kubectl-set", document{"spec": document{
		"template": document{"spec": document{"containers": []document{{"name": "webapp", "image": image}}}},
	}})
}

func (f *field) left(t *testing.T) []string {
	var left []string
	for _, path := range []string{
		f.apps("deployments"), f.apps("daemonsets"), f.apps("replicasets"),
		"/api/v1/namespaces/" + f.namespace + "/pods", "/api/v1/namespaces/" + f.namespace + "/services",
		"/api/v1/namespaces/" + f.namespace + "/persistentvolumeclaims",
		"/apis/networking.k8s.io/v1/namespaces/" + f.namespace + "/ingresses",
		"/apis/policy/v1/namespaces/" + f.namespace + "/poddisruptionbudgets",
	} {
		for _, item := range f.items(path) {
			left = append(left, path+"/"+name(item))
		}
	}
	for _, account := range f.items("/api/v1/namespaces/" + f.namespace + "/serviceaccounts") {
		if name(account) != "default" {
			left = append(left, "serviceaccounts/"+name(account))
		}
	}
	for _, one := range f.amazon.roles(t) {
		left = append(left, "association "+one.ID)
	}
	return left
}

// images behave on the testbed by a part of their name.
func images(name string) string {
	for suite, played := range map[string]string{"crash": "fail-crash", "pull-fail": "fail-pull", "unhealthy": "fail-ready", "exit-1": "fail-exit"} {
		if name == suite {
			return played
		}
	}
	return name
}

func TestContractOnKubernetes(t *testing.T) {
	orchestratortest.RunInRealTime(t, func(t *testing.T) orchestratortest.Harness {
		f := onField(t)
		return orchestratortest.Harness{
			Orchestrator: f.driver, Cluster: f.ref, ChangeByHand: f.changeByHand, Left: f.left, Image: images,
		}
	})
}

// seen waits until a service is as wanted, and returns it.
func (f *field) seen(service string, want func(orchestrator.Observation) bool) orchestrator.Observation {
	f.Helper()
	var last orchestrator.Observation
	f.eventually("as wanted", func() error {
		var err error
		last, err = f.driver.Observe(f.Context(), f.service(service))
		f.must(err)
		if !want(last) {
			return fmt.Errorf("it is %+v", last)
		}
		return nil
	})
	return last
}

func (f *field) service(name string) orchestrator.ServiceRef {
	return orchestrator.ServiceRef{Cluster: f.ref, Name: name}
}
