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

var exchanges = []exchange{
	{name: "not found", method: "GET", path: appsV1 + "deployments/nobody"},
	{name: "not found in core", method: "GET", path: coreV1 + "pods/nobody"},
	{name: "no such node", method: "GET", path: "/api/v1/nodes/nobody"},
	{name: "no such namespace", method: "POST", path: "/apis/apps/v1/namespaces/nowhere/deployments",
		body: strings.Replace(deploymentJSON("x", ""), `{"name":"x",`, `{"name":"x","namespace":"nowhere",`, 1)},
	{name: "created", method: "POST", path: appsV1 + "deployments", body: deploymentJSON("made",
		`,"ports":[{"containerPort":80}],"readinessProbe":{"httpGet":{"port":80}},"env":[{"name":"A","value":"b"}]`)},
	{name: "created again", method: "POST", path: appsV1 + "deployments", body: deploymentJSON("made", "")},
	{name: "scale read", method: "GET", path: appsV1 + "deployments/made/scale"},
	{name: "scale unfit", method: "PATCH", path: appsV1 + "deployments/made/scale", media: asMerge, body: `{"spec":{"replicas":-1}}`},
	{name: "name that is none", method: "POST", path: appsV1 + "deployments", body: deploymentJSON("Made_Up", "")},
	{name: "no image", method: "POST", path: appsV1 + "deployments",
		body: strings.Replace(deploymentJSON("x", ""), `,"image":"i:1"`, "", 1)},
	{name: "no containers", method: "POST", path: appsV1 + "deployments",
		body: strings.Replace(deploymentJSON("x", ""), `[{"name":"c","image":"i:1"}]`, "[]", 1)},
	{name: "selector that does not match", method: "POST", path: appsV1 + "deployments",
		body: strings.Replace(deploymentJSON("x", ""), `"matchLabels":{"app":"x"}`, `"matchLabels":{"app":"y"}`, 1)},
	{name: "no selector", method: "POST", path: appsV1 + "deployments",
		body: strings.Replace(deploymentJSON("x", ""), `"selector":{"matchLabels":{"app":"x"}},`, "", 1)},
	{name: "replicas below zero", method: "POST", path: appsV1 + "deployments",
		body: strings.Replace(deploymentJSON("x", ""), `"replicas":0`, `"replicas":-1`, 1)},
	{name: "request above limit", method: "POST", path: appsV1 + "deployments",
		body: deploymentJSON("x", `,"resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}`)},
	{name: "port that is none", method: "POST", path: appsV1 + "deployments", body: deploymentJSON("x", `,"ports":[{"containerPort":70000}]`)},
	{name: "mount of nothing", method: "POST", path: appsV1 + "deployments",
		body: deploymentJSON("x", `,"volumeMounts":[{"name":"data","mountPath":"/data"}]`)},
	{name: "field that is unknown, strict", method: "POST", path: appsV1 + "deployments?fieldValidation=Strict",
		body: deploymentJSON("x", `,"imag":"typo"`)},
	{name: "kind that does not fit", ours: "it speaks of no conversion", method: "POST", path: appsV1 + "deployments",
		body: strings.Replace(deploymentJSON("x", ""), `"kind":"Deployment"`, `"kind":"ReplicaSet"`, 1)},
	{name: "other namespace", method: "POST", path: appsV1 + "deployments",
		body: strings.Replace(deploymentJSON("x", ""), `{"name":"x",`, `{"name":"x","namespace":"other",`, 1)},
	{name: "type that does not fit", method: "POST", path: appsV1 + "deployments",
		body: strings.Replace(deploymentJSON("x", ""), `"replicas":0`, `"replicas":"many"`, 1)},
	{name: "no JSON", method: "POST", path: appsV1 + "deployments", body: `{`},
	{name: "media type that is unknown", ours: "fewer types are spoken", method: "POST", path: appsV1 + "deployments", media: "text/plain", body: "hello"},
	{name: "patch of unknown media type", ours: "the types are named", method: "PATCH", path: appsV1 + "deployments/made", media: "text/plain", body: "hello"},
	{name: "selector changed", method: "PATCH", path: appsV1 + "deployments/made", media: asMerge,
		body: `{"spec":{"selector":{"matchLabels":{"app":"x","b":"c"}},"template":{"metadata":{"labels":{"b":"c"}}}}}`},
	{name: "stale", method: "PATCH", path: appsV1 + "deployments/made", media: asMerge, body: `{"metadata":{"resourceVersion":"1"}}`},
	{name: "other uid", method: "DELETE", path: appsV1 + "deployments/made",
		body: `{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"00000000-0000-4000-8000-000000000000"}}`},
	{name: "patch of nothing", method: "PATCH", path: appsV1 + "deployments/nobody", media: asMerge, body: `{}`},
	{name: "patch that is no JSON", method: "PATCH", path: appsV1 + "deployments/made", media: asMerge, body: `{`},
	{name: "strategic patch", method: "PATCH", path: appsV1 + "deployments/made?fieldManager=someone", media: asStrategic,
		body: `{"metadata":{"annotations":{"note":"x"}},"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"B","value":"c"}]}]}}}}`},
	{name: "JSON patch", method: "PATCH", path: appsV1 + "deployments/made?fieldManager=someone", media: asJSONPatch,
		body: `[{"op":"add","path":"/metadata/annotations/more","value":"y"}]`},
	{name: "JSON patch that does not fit", method: "PATCH", path: appsV1 + "deployments/made", media: asJSONPatch,
		body: `[{"op":"remove","path":"/metadata/annotations/nothing"}]`},

	{name: "applied", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=portolan", media: asApply, body: deploymentJSON("applied", "")},
	{name: "applied again", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=portolan", media: asApply,
		body: deploymentJSON("applied", "")},
	{name: "applied without a manager", method: "PATCH", path: appsV1 + "deployments/applied", media: asApply, body: deploymentJSON("applied", "")},
	{name: "conflict", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=other", media: asApply,
		body: strings.Replace(strings.Replace(deploymentJSON("applied", ""), "i:1", "i:2", 1), `"replicas":0`, `"replicas":1`, 1)},
	{name: "conflict in one field", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=other", media: asApply,
		body: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"applied"},"spec":{"paused":true,"template":{"spec":{"containers":[{"name":"c","image":"i:9"}]}}}}`},
	{name: "forced", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=other&force=true", media: asApply,
		body: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"applied"},"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i:2"}]}}}}`},
	{name: "given up", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=portolan", media: asApply,
		body: strings.Replace(deploymentJSON("applied", ""), `,"image":"i:1"`, "", 1)},
	{name: "conflict with an update", method: "PATCH", path: appsV1 + "deployments/made?fieldManager=portolan", media: asApply,
		body: strings.Replace(deploymentJSON("made", ""), "i:1", "i:2", 1)},
	{name: "applied with an unknown field", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=portolan", media: asApply,
		body: deploymentJSON("applied", `,"imag":"typo"`)},
	{name: "applied as another kind", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=portolan", media: asApply,
		body: strings.Replace(deploymentJSON("applied", ""), `"kind":"Deployment"`, `"kind":"DaemonSet"`, 1)},
	{name: "applied without a name", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=portolan", media: asApply,
		body: strings.Replace(deploymentJSON("applied", ""), `"name":"applied",`, ``, 1)},
	{name: "applied what is no YAML", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=portolan", media: asApply,
		body: `{"metadata":{,}}`},
	{name: "applied under another name", method: "PATCH", path: appsV1 + "deployments/applied?fieldManager=portolan", media: asApply,
		body: deploymentJSON("other", "")},
	{name: "status applied", method: "PATCH", path: appsV1 + "deployments/nobody/status?fieldManager=portolan", media: asApply,
		body: deploymentJSON("nobody", "")},
	{name: "dry", method: "PATCH", path: appsV1 + "deployments/dry?fieldManager=portolan&dryRun=All", media: asApply, body: deploymentJSON("dry", "")},
	{name: "dry was not kept", method: "GET", path: appsV1 + "deployments/dry"},

	{name: "service", method: "POST", path: coreV1 + "services", body: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},` +
		`"spec":{"selector":{"app":"x"},"ports":[{"port":80,"targetPort":8080}]}}`},
	{name: "service without ports", method: "POST", path: coreV1 + "services",
		body: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"none"},"spec":{"selector":{"app":"x"}}}`},
	{name: "service whose name is none", method: "POST", path: coreV1 + "services",
		body: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"1web"},"spec":{"ports":[{"port":80}]}}`},
	{name: "ports without names", method: "POST", path: coreV1 + "services",
		body: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"two"},"spec":{"ports":[{"port":80},{"port":81}]}}`},
	{name: "ingress", method: "POST", path: netV1 + "ingresses", body: `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress",` +
		`"metadata":{"name":"web"},"spec":{"rules":[{"host":"a.example.com","http":{"paths":[{"path":"/","pathType":"Prefix",` +
		`"backend":{"service":{"name":"web","port":{"number":80}}}}]}}]}}`},
	{name: "empty ingress", method: "POST", path: netV1 + "ingresses",
		body: `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"none"},"spec":{}}`},
	{name: "ingress without path type", method: "POST", path: netV1 + "ingresses", body: `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress",` +
		`"metadata":{"name":"no"},"spec":{"rules":[{"http":{"paths":[{"path":"/","backend":{"service":{"name":"web","port":{"number":80}}}}]}}]}}`},
	{name: "budget", method: "POST", path: policyV1 + "poddisruptionbudgets", body: `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget",` +
		`"metadata":{"name":"web"},"spec":{"maxUnavailable":1,"selector":{"matchLabels":{"app":"x"}}}}`},
	{name: "budget of two minds", method: "POST", path: policyV1 + "poddisruptionbudgets", body: `{"apiVersion":"policy/v1",` +
		`"kind":"PodDisruptionBudget","metadata":{"name":"both"},"spec":{"maxUnavailable":1,"minAvailable":1}}`},
	{name: "daemon set", method: "POST", path: appsV1 + "daemonsets", body: `{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"agent"},` +
		`"spec":{"selector":{"matchLabels":{"app":"d"}},"template":{"metadata":{"labels":{"app":"d"}},"spec":{"nodeSelector":{"no":"where"},` +
		`"containers":[{"name":"c","image":"i"}]}}}}`},
	{name: "stateful set", method: "POST", path: appsV1 + "statefulsets", body: `{"apiVersion":"apps/v1","kind":"StatefulSet",` +
		`"metadata":{"name":"db"},"spec":{"replicas":0,"serviceName":"db","selector":{"matchLabels":{"app":"s"}},"template":{"metadata":` +
		`{"labels":{"app":"s"}},"spec":{"containers":[{"name":"c","image":"i:1"}]}},"volumeClaimTemplates":[{"metadata":{"name":"data"},` +
		`"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}]}}`},
	{name: "job", method: "POST", path: batchV1 + "jobs", body: `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"once"},` +
		`"spec":{"suspend":true,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i:1"}]}}}}`},
	{name: "job without restart policy", method: "POST", path: batchV1 + "jobs", body: `{"apiVersion":"batch/v1","kind":"Job",` +
		`"metadata":{"name":"no"},"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i:1"}]}}}}`},
	{name: "cron job", method: "POST", path: batchV1 + "cronjobs", body: `{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"often"},` +
		`"spec":{"suspend":true,"schedule":"* * * * *","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":` +
		`[{"name":"c","image":"i:1"}]}}}}}}`},
	{name: "claim without storage", method: "POST", path: coreV1 + "persistentvolumeclaims",
		body: `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"no"},"spec":{"accessModes":["ReadWriteOnce"]}}`},
	{name: "service account", method: "POST", path: coreV1 + "serviceaccounts",
		body: `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"web"}}`},
	{name: "secret", method: "POST", path: coreV1 + "secrets",
		body: `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"key"},"stringData":{"a":"b"}}`},
	{name: "metadata of a secret", method: "GET", path: coreV1 + "secrets/key",
		accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"},
	{name: "pod of an account that is not there", method: "POST", path: coreV1 + "pods", body: `{"apiVersion":"v1","kind":"Pod",` +
		`"metadata":{"name":"lone"},"spec":{"serviceAccountName":"nobody","containers":[{"name":"c","image":"i:1"}]}}`},
	{name: "label that is none", method: "PATCH", path: appsV1 + "deployments/made", media: asMerge, body: `{"metadata":{"labels":{"a b":"c"}}}`},
	{name: "field selector that is unknown", method: "GET", path: coreV1 + "pods?fieldSelector=spec.color%3Dred"},
	{name: "revision that is none", method: "GET", path: coreV1 + "pods?resourceVersion=abc"},
	{name: "continue that is none", ours: "the token is named", method: "GET", path: coreV1 + "pods?limit=1&continue=abc"},
	{name: "eviction of nobody", method: "POST", path: coreV1 + "pods/nobody/eviction",
		body: `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"nobody"}}`},
	{name: "list", method: "GET", path: netV1 + "ingresses"},
	{name: "list of nothing", method: "GET", path: coreV1 + "pods"},
	{name: "unacceptable", ours: "fewer types are spoken", method: "GET", path: coreV1 + "pods", accept: "text/html"},
	{name: "put to a list", ours: "the request is named", method: "PUT", path: coreV1 + "pods", body: `{}`},
	{name: "post to an object", ours: "the request is named", method: "POST", path: coreV1 + "pods/one", body: `{}`},
	{name: "may I", ours: "whose the fields are of what is not kept", method: "POST", path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body: `{"apiVersion":"authorization.k8s.io/v1",` +
		`"kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{"namespace":"NS","verb":"get","resource":"pods"}}}`},
	{name: "deleted", method: "DELETE", path: netV1 + "ingresses/web"},
	{name: "deleted again", method: "DELETE", path: netV1 + "ingresses/web"},
	{name: "deleted in the foreground", method: "DELETE", path: appsV1 + "deployments/made",
		body: `{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground"}`},
	{name: "deleted in a way that is none", method: "DELETE", path: appsV1 + "deployments/applied",
		body: `{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Somehow"}`},
	{name: "default namespace", method: "DELETE", path: "/api/v1/namespaces/default"},
}
