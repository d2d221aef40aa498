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

// blocked is an API server with an old node and a budget that lets nothing go.
var blocked = map[string]string{
	"/api/v1/nodes": `{"kind":"NodeList","apiVersion":"v1","metadata":{},"items":[
		{"metadata":{"name":"old"},"status":{"nodeInfo":{"kubeletVersion":"v1.31.4-eks-1a2b3c"}}},
		{"metadata":{"name":"new"},"status":{"nodeInfo":{"kubeletVersion":"v1.34.2"}}}]}`,
	"/apis/policy/v1/poddisruptionbudgets": `{"kind":"PodDisruptionBudgetList","apiVersion":"policy/v1","metadata":{},"items":[
		{"metadata":{"name":"web","namespace":"shop"},"status":{"expectedPods":3,"currentHealthy":2,"desiredHealthy":2,"disruptionsAllowed":0}},
		{"metadata":{"name":"idle","namespace":"shop"},"status":{"expectedPods":0,"disruptionsAllowed":0}},
		{"metadata":{"name":"wide","namespace":"shop"},"status":{"expectedPods":3,"currentHealthy":3,"desiredHealthy":2,"disruptionsAllowed":1}}]}`,
}

func TestBlockers(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer k8s-aws-v1.") {
			w.WriteHeader(http.StatusUnauthorized)
		}
		w.Header().Set("Content-Type", "application/json")
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
