//go:build testbed

package adopted_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"portolan/local/story"
	testbed "portolan/local/testbed/kubernetes"
	"portolan/shared/contract"
)

// secretToken is in each kubeconfig that is made here, and in no answer.
const secretToken = "t0k3n-that-nobody-may-read"

// kubeconfig is one with that server, and those lines of the user.
func kubeconfig(server string, authority []byte, user string) string {
	return fmt.Sprintf(`{"current-context":"a","contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],"clusters":[{"name":"a","cluster":`+
		`{"server":%q,"certificate-authority-data":%q}}],"users":[{"name":"a","user":{%s}}]}`,
		server, base64.StdEncoding.EncodeToString(authority), user)
}

// ofVersion is a server that calls itself a Kubernetes of that minor version.
func ofVersion(t *testing.T, minor int) string {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"major":"1","minor":"%d","gitVersion":"v1.%d.3"}`, minor, minor)
	}))
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return kubeconfig(server.URL, authority, `"token":"`+secretToken+`"`)
}

// nowhere is a kubeconfig whose server is not there.
func nowhere(good []byte) string {
	return regexp.MustCompile(`(server: "?https://127\.0\.0\.1):[0-9]+`).ReplaceAllString(string(good), "${1}:1")
}

// Each kubeconfig that is of no use ends the adoption with a clear answer, which tells
// nothing of what is secret in it, and leaves nothing behind.
func TestAdoptionsThatCannotBe(t *testing.T) {
	cluster, _ := testbed.ForTest(t)
	token := `"token":"` + secretToken + `"`
	tests := map[string]struct{ kubeconfig, want string }{
		"malformed":   {"{clusters: [" + secretToken, "is not YAML or JSON"},
		"expired":     {string(cluster.ExpiredKubeconfig()), "expired at"},
		"nowhere":     {nowhere(cluster.Kubeconfig()), "nobody listens at the API server's address"},
		"few-rights":  {string(cluster.LimitedKubeconfig()), "the credentials may not list deployments.apps in all namespaces"},
		"plugin":      {kubeconfig("https://10.0.0.1", nil, `"exec":{"command":"aws","apiVersion":"client.authentication.k8s.io/v1"}`), `the program "aws", and Portolan runs no programs`},
		"file":        {kubeconfig("https://10.0.0.1", nil, `"tokenFile":"/run/token"`), `the file "/run/token"`},
		"unknown":     {kubeconfig("https://10.0.0.1", nil, token) + secretToken, "is not YAML or JSON"},
		"too-old":     {ofVersion(t, 28), "runs Kubernetes v1.28.3, and Portolan works with 1.29 to"},
		"too-new":     {ofVersion(t, 60), "runs Kubernetes v1.60.3, and Portolan works with 1.29 to"},
		"no-user":     {kubeconfig("https://10.0.0.1", nil, ""), "neither a token nor a client certificate"},
		"plain-http":  {kubeconfig("http://10.0.0.1", nil, token), "is not called by https"},
		"no-document": {secretToken, "is not YAML or JSON"},
	}
	stage := &story.Stage{Local: start(t), Out: io.Discard}
	operations := map[string]contract.Operation{}
	for name, test := range tests {
		operations[name] = adopt(t, stage, name, test.kubeconfig)
	}
	for name, test := range tests {
		ended := follow(t, stage, operations[name])
		if ended.Status != contract.OperationFailedClean || !strings.Contains(ended.Reason, test.want) {
			t.Errorf("%s: adopt ended %s: %s", name, ended.Status, ended.Reason)
		}
		if text, err := json.Marshal(ended); err != nil || strings.Contains(string(text), secretToken) {
			t.Errorf("%s: the operation tells a secret: %s, %v", name, text, err)
		}
	}
}

// adopt asks for the adoption of a cluster, by a kubeconfig in a secret.
func adopt(t *testing.T, stage *story.Stage, name, kubeconfig string) (o contract.Operation) {
	t.Helper()
	secret, err := secretsmanager.NewFromConfig(stage.Local.UserConfig()).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("portolan/storefront/" + name), SecretString: &kubeconfig,
	})
	if err != nil {
		t.Fatal(err)
	}
	wish := contract.ClusterSpec{Name: name, Team: "storefront", Orchestrator: contract.Kubernetes,
		Adopted: contract.AdoptedCluster{Credentials: *secret.ARN}}
	if status, err := stage.Call(t.Context(), http.MethodPost, "/v1/clusters", wish, &o); err != nil || status != http.StatusAccepted {
		t.Fatalf("%s: %d, %v", name, status, err)
	}
	return o
}

// follow looks at an operation until it has ended. What cannot be reached is tried again
// for minutes of AWS's time.
func follow(t *testing.T, stage *story.Stage, o contract.Operation) contract.Operation {
	t.Helper()
	looks := time.NewTicker(100 * time.Millisecond)
	defer looks.Stop()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); <-looks.C {
		if _, err := stage.Call(t.Context(), http.MethodGet, "/v1/operations/"+o.Id, nil, &o); err != nil {
			t.Fatal(err)
		}
		switch o.Status {
		case contract.OperationSucceeded, contract.OperationFailedClean, contract.OperationFailedDirty:
			return o
		}
	}
	return o
}
