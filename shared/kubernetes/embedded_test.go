package kubernetes_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/json"

	"portolan/local/clock"
	embedded "portolan/local/kubernetes"
	"portolan/local/unique"
	"portolan/shared/kubernetes"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/orchestratortest"
)

const embeddedConfig = `{"apiVersion":"v1","kind":"Config","current-context":"shop",
"clusters":[{"name":"shop","cluster":{"server":"https://shop.example.com"}}],
"users":[{"name":"user","user":{"token":"secret"}}],
"contexts":[{"name":"shop","context":{"cluster":"shop","user":"user"}}]}`

// TestContractOnTheEmbeddedKubernetes runs the contract in virtual time.
func TestContractOnTheEmbeddedKubernetes(t *testing.T) {
	orchestratortest.Run(t, func(t *testing.T) orchestratortest.Harness {
		server, err := embedded.New(embedded.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(1), Name: "shop",
			Tokens: map[string]embedded.User{"secret": {Name: "admin", Groups: []string{"system:masters"}}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		for n := range 3 {
			err := server.JoinNode(t.Context(), embedded.Registration{Name: fmt.Sprintf("node-%d", n), EC2InstanceID: fmt.Sprintf("i-%017d", n+1),
				Zone: fmt.Sprintf("%s%c", area, 'a'+n), InstanceType: "m5.large", CPU: 2048, Memory: 8192})
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		a := newAmazon([]byte(embeddedConfig))
		ask := func(method, path, media, body string) map[string]any {
			request, err := http.NewRequestWithContext(t.Context(), method, "https://shop.example.com"+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer secret")
			request.Header.Set("Content-Type", media)
			response, err := server.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(response.Body)
			var answer map[string]any
			if err == nil {
				err = json.Unmarshal(raw, &answer)
			}
			if err != nil || response.StatusCode >= 300 {
				t.Fatalf("%s %s: %d %s, %v", method, path, response.StatusCode, raw, err)
			}
			return answer
		}
		return orchestratortest.Harness{
			Image: func(name string) string { return strings.Replace(name, "exit-1", "fail-exit", 1) },
			Orchestrator: kubernetes.New(kubernetes.Config{AWS: a.config(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
				WrapTransport: func(http.RoundTripper) http.RoundTripper { return server }}),
			Cluster: orchestrator.ClusterRef{Name: "shop", Team: "checkout", Facts: orchestrator.Facts{
				Kubernetes: &orchestrator.KubernetesFacts{Credentials: secretARN, EKSCluster: "shop", Namespace: "default"}}},
			ChangeByHand: func(_ *testing.T, service, image string) {
				ask(http.MethodPatch, "/apis/apps/v1/namespaces/default/deployments/"+service+"?fieldManager=kubectl-set",
					"application/strategic-merge-patch+json",
					`{"spec":{"template":{"spec":{"containers":[{"name":"webapp","image":"`+image+`"}]}}}}`)
			},
			Left: func(t *testing.T) (left []string) {
				for _, path := range []string{"/apis/apps/v1/deployments", "/apis/apps/v1/daemonsets", "/apis/apps/v1/replicasets", "/api/v1/pods",
					"/apis/batch/v1/jobs", "/api/v1/services", "/api/v1/serviceaccounts", "/api/v1/persistentvolumeclaims", "/apis/networking.k8s.io/v1/ingresses",
					"/apis/policy/v1/poddisruptionbudgets"} {
					for _, item := range ask(http.MethodGet, path, "", "")["items"].([]any) {
						if name := item.(map[string]any)["metadata"].(map[string]any)["name"].(string); name != "default" {
							left = append(left, path+"/"+name)
						}
					}
				}
				for _, one := range a.roles(t) {
					left = append(left, "association "+one.ID)
				}
				return left
			},
		}
	})
}
