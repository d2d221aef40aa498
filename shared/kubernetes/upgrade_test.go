package kubernetes_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"portolan/shared/kubernetes"
	"portolan/shared/orchestrator"
)

// blocked is an API server with an old node, a budget that lets nothing go, and a
// client of an API that 1.35 has no more.
var blocked = map[string]string{
	"/api/v1/nodes": `{"kind":"NodeList","apiVersion":"v1","metadata":{},"items":[
		{"metadata":{"name":"old"},"status":{"nodeInfo":{"kubeletVersion":"v1.31.4-eks-1a2b3c"}}},
		{"metadata":{"name":"new"},"status":{"nodeInfo":{"kubeletVersion":"v1.34.2"}}}]}`,
	"/apis/policy/v1/poddisruptionbudgets": `{"kind":"PodDisruptionBudgetList","apiVersion":"policy/v1","metadata":{},"items":[
		{"metadata":{"name":"web","namespace":"shop"},"status":{"expectedPods":3,"currentHealthy":2,"desiredHealthy":2,"disruptionsAllowed":0}},
		{"metadata":{"name":"idle","namespace":"shop"},"status":{"expectedPods":0,"disruptionsAllowed":0}},
		{"metadata":{"name":"wide","namespace":"shop"},"status":{"expectedPods":3,"currentHealthy":3,"desiredHealthy":2,"disruptionsAllowed":1}}]}`,
	"/metrics": `# HELP apiserver_requested_deprecated_apis Gauge of deprecated APIs that have been requested
apiserver_requested_deprecated_apis{group="flowcontrol.apiserver.k8s.io",removed_release="1.35",resource="flowschemas",subresource="",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="policy",removed_release="1.38",resource="later",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",resource="never",subresource="",version="v1beta1"} 0
`,
}

func TestBlockers(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer k8s-aws-v1.") {
			w.WriteHeader(http.StatusUnauthorized)
		}
		if r.URL.Path != "/metrics" {
			w.Header().Set("Content-Type", "application/json")
		}
		fmt.Fprint(w, blocked[r.URL.Path])
	}))
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	cluster := orchestrator.ClusterRef{Name: "shop", Facts: orchestrator.Facts{Kubernetes: &orchestrator.KubernetesFacts{
		EKSCluster: "portolan-shop", Endpoint: server.URL, CertificateAuthority: base64.StdEncoding.EncodeToString(authority),
	}}}
	driver := kubernetes.New(kubernetes.Config{AWS: newAmazon(nil).config(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	got, err := driver.Blockers(t.Context(), cluster, "1.35")
	want := []string{
		"node old has kubelet v1.31.4-eks-1a2b3c, and 1.35 needs 1.32 at least: replace the node first",
		"PodDisruptionBudget shop/web lets none of its 3 pods go (2 are healthy, 2 have to be): add a pod, mend those that are not healthy, or widen it",
		"somebody still asks for flowschemas of flowcontrol.apiserver.k8s.io/v1beta3, which 1.35 has no more: move them to a newer version of that API",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %q", err, got)
	}
	if got, err := driver.Blockers(t.Context(), cluster, "1.34"); err != nil || len(got) != 1 {
		t.Errorf("for 1.34: %v, %q", err, got)
	}
	if _, err := driver.Blockers(t.Context(), cluster, "35"); err == nil {
		t.Error("35 is taken for a version")
	}
}
