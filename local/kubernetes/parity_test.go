//go:build testbed

package kubernetes_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"k8s.io/apimachinery/pkg/util/yaml"
	clientcmd "k8s.io/client-go/tools/clientcmd/api/v1"

	testbed "portolan/local/testbed/kubernetes"

	"portolan/local/clock"
	"portolan/local/kubernetes"
	"portolan/local/unique"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// An exchange is a request, and what it was answered.
type exchange struct {
	name, method, path string // with NS in place of the namespace
	media              string // of the body; JSON where it is empty
	body               string
	accept             string

	// ours says why the message is the embedded server's own.
	ours string

	// whole asks for the answer as it is.
	whole bool
}

const (
	asApply     = "application/apply-patch+yaml"
	asMerge     = "application/merge-patch+json"
	asStrategic = "application/strategic-merge-patch+json"
	asJSONPatch = "application/json-patch+json"
)

// TestAnswersAreKubernetessOwn sends the same requests to a real API server and to the
// embedded one. What both answer has to be the same, but for ids and times.
func TestAnswersAreKubernetessOwn(t *testing.T) {
	cluster, namespace := testbed.ForTest(t)
	address, transport := dial(t, cluster.Kubeconfig())
	var real, embedded []string
	for _, e := range exchanges {
		real = append(real, ask(t, transport, address, namespace, e))
	}
	synctest.Test(t, func(t *testing.T) {
		server, err := kubernetes.New(kubernetes.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(1), Version: "v1.37.2"})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		ask(t, server, "https://embedded", namespace, exchange{method: "POST", path: "/api/v1/namespaces",
			body: `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"` + namespace + `"}}`})
		synctest.Wait()
		for _, e := range exchanges {
			embedded = append(embedded, ask(t, server, "https://embedded", namespace, e))
		}
	})
	for i, e := range exchanges {
		if e.ours != "" {
			real[i], embedded[i] = gist(real[i]), gist(embedded[i])
		}
		if real[i] != embedded[i] {
			t.Errorf("%s: %s %s\n%s", e.name, e.method, e.path, differences(real[i], embedded[i]))
		}
	}
}

func dial(t *testing.T, kubeconfig []byte) (address string, transport http.RoundTripper) {
	t.Helper()
	var config clientcmd.Config
	raw, err := yaml.ToJSON(kubeconfig)
	if err == nil {
		err = json.Unmarshal(raw, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	cluster, user := config.Clusters[0].Cluster, config.AuthInfos[0].AuthInfo
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cluster.CertificateAuthorityData)
	pair, err := tls.X509KeyPair(user.ClientCertificateData, user.ClientKeyData)
	if err != nil {
		t.Fatal(err)
	}
	made := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}
	t.Cleanup(made.CloseIdleConnections)
	return cluster.Server, made
}

// ask sends a request and returns the answer without what differs each time.
func ask(t *testing.T, transport http.RoundTripper, address, namespace string, e exchange) string {
	t.Helper()
	fill := func(s string) string { return strings.ReplaceAll(s, "NS", namespace) }
	request, err := http.NewRequestWithContext(t.Context(), e.method, address+fill(e.path), bytes.NewReader([]byte(fill(e.body))))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", "parity/1")
	request.Header.Set("Accept", "application/json")
	if e.accept != "" {
		request.Header.Set("Accept", e.accept)
	}
	if e.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if e.media != "" {
		request.Header.Set("Content-Type", e.media)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if e.whole {
		return fmt.Sprintf("%d %s", response.StatusCode, raw)
	}
	var answer any
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Sprintf("%d %s", response.StatusCode, raw)
	}
	shown, err := json.MarshalIndent(steady(answer), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(shown), namespace, "NS")
	return fmt.Sprintf("%d %s", response.StatusCode, uids.ReplaceAllString(text, "UID"))
}

var uids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// steady takes out what differs each time.
func steady(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range []string{"resourceVersion", "creationTimestamp", "time", "clusterIP", "clusterIPs", "selfLink",
			"deletionTimestamp", "retryAfterSeconds", "deployment.kubernetes.io/revision"} {
			delete(v, name)
		}
		if v["kind"] != "Status" {
			delete(v, "status") // whose is the controllers'
		}
		for name := range v {
			v[name] = steady(v[name])
		}
		if annotations, ok := v["annotations"].(map[string]any); ok && len(annotations) == 0 {
			delete(v, "annotations")
		}
		if managed, ok := v["managedFields"].([]any); ok {
			managed = slices.DeleteFunc(managed, byControllers)
			v["managedFields"] = managed
			slices.SortFunc(managed, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	case []any:
		for i := range v {
			v[i] = steady(v[i])
		}
	}
	return value
}

// gist is an answer's code and reason.
func gist(answer string) string {
	code, body, _ := strings.Cut(answer, " ")
	var status struct{ Reason string }
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		return answer
	}
	return code + " " + status.Reason
}

// byControllers says whether an entry is of what controllers write, which the embedded
// server notes nowhere.
func byControllers(entry any) bool {
	manager, _ := entry.(map[string]any)["manager"].(string)
	return strings.HasPrefix(manager, "kube-")
}

// differences are the lines that only one of two answers has.
func differences(real, embedded string) string {
	a, b := strings.Split(real, "\n"), strings.Split(embedded, "\n")
	var out strings.Builder
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(a) > 0 && len(b) > 0 && a[0] == b[0]:
			a, b = a[1:], b[1:]
		case len(a) > 0 && !slices.Contains(b, a[0]):
			fmt.Fprintln(&out, "  Kubernetes:", a[0])
			a = a[1:]
		case len(b) > 0:
			fmt.Fprintln(&out, "  embedded:  ", b[0])
			b = b[1:]
		default:
			fmt.Fprintln(&out, "  Kubernetes:", a[0])
			a = a[1:]
		}
	}
	return out.String()
}

func deploymentJSON(name, more string) string {
	return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"` + name + `","annotations":{"a":"b"}},"spec":{"replicas":0,` +
		`"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"i:1"` +
		more + `}]}}}}`
}

const (
	coreV1   = "/api/v1/namespaces/NS/"
	appsV1   = "/apis/apps/v1/namespaces/NS/"
	batchV1  = "/apis/batch/v1/namespaces/NS/"
	policyV1 = "/apis/policy/v1/namespaces/NS/"
	netV1    = "/apis/networking.k8s.io/v1/namespaces/NS/"
)
