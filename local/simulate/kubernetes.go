package simulate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"portolan/local/kubernetes"
	"portolan/local/unique"
)

// An apiServer is a cluster of Kubernetes for who may do everything there: a person
// with kubectl, and the one who watches.
type apiServer struct {
	*kubernetes.Server
	name      string
	namespace string // of the services there
}

// A someonesCluster is one that somebody made, and Portolan adopts.
type someonesCluster struct {
	apiServer
	nodes int // that ever joined

	// secret is the ARN of its kubeconfig.
	secret string
}

// namespace is that of the services on clusters that somebody made. Those on clusters in
// EKS are in the one that each cluster has.
const namespace = "shop"

// domain is what the names of their API servers end in.
const domain = ".kubernetes.local"

const adminToken = "secret"

// kubeconfig is that of a cluster.
func kubeconfig(name string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"it",
"clusters":[{"name":"it","cluster":{"server":"https://%s%s"}}],
"users":[{"name":"it","user":{"token":%q}}],
"contexts":[{"name":"it","context":{"cluster":"it","user":"it","namespace":%q}}]}`, name, domain, adminToken, namespace)
}

// startKubernetes starts the clusters that the plan adopts.
func (w *World) startKubernetes() error {
	for i, s := range w.Plan.Steps {
		if s.Do != AdoptCluster || w.adopted[s.Cluster] != nil {
			continue
		}
		server, err := kubernetes.New(kubernetes.Config{Clock: w.Clock, IDs: unique.New(w.Plan.Seed<<8 + uint64(i)), Images: w.ECR,
			Name: s.Cluster, Tokens: map[string]kubernetes.User{adminToken: {Name: "admin", Groups: []string{"system:masters"}}}})
		if err != nil {
			return err
		}
		c := &someonesCluster{apiServer: apiServer{server, s.Cluster, namespace}}
		w.adopted[s.Cluster] = c
		for range s.Count {
			if err := c.join(w.ctx); err != nil {
				return err
			}
		}
		out, err := secretsmanager.NewFromConfig(w.UserConfig()).CreateSecret(w.privileged(), &secretsmanager.CreateSecretInput{
			Name: aws.String("portolan/" + teamOf(s.Cluster) + "/" + s.Cluster), SecretString: aws.String(kubeconfig(s.Cluster))})
		if err != nil {
			return err
		}
		c.secret = aws.ToString(out.ARN)
		if _, err := c.ask(w.privileged(), http.MethodPost, "/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":%q}}`, namespace)); err != nil {
			return err
		}
	}
	return nil
}

// kubernetes is a cluster of Kubernetes; nil for one of another orchestrator, or none.
func (w *World) kubernetes(name string) *apiServer {
	if c := w.adopted[name]; c != nil {
		return &c.apiServer
	}
	if server := w.EKS.Cluster("portolan-" + name); server != nil {
		return &apiServer{server, name, "default"}
	}
	return nil
}

// ofKubernetes says whether a cluster of the plan is of Kubernetes.
func (w *World) ofKubernetes(name string) bool {
	return slices.ContainsFunc(w.Plan.Steps, func(s Step) bool {
		return s.Cluster == name && (s.Do == AdoptCluster || s.Do == CreateCluster && s.Text == onEKS)
	})
}

// join adds a node.
func (c *someonesCluster) join(ctx context.Context) error {
	c.nodes++
	return c.JoinNode(ctx, kubernetes.Registration{Name: fmt.Sprintf("node-%d", c.nodes),
		EC2InstanceID: fmt.Sprintf("i-%s%015d", c.name, c.nodes), Zone: region + string(rune('a'+c.nodes%3)),
		InstanceType: "m5.xlarge", CPU: 4096, Memory: 16384})
}

// ask is a person with kubectl and an administrator's certificate.
func (c *apiServer) ask(ctx context.Context, method, path, body string) (map[string]any, error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://"+c.name+domain+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	who := &x509.Certificate{Subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}}
	request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{who}, VerifiedChains: [][]*x509.Certificate{{who}}}
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/strategic-merge-patch+json")
	}
	response, err := c.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(response.Body)
	var answer map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, raw)
	}
	return answer, err
}

// list are the objects below a path, in order.
func (c *apiServer) list(ctx context.Context, path string) ([]object, error) {
	answer, err := c.ask(ctx, http.MethodGet, path, "")
	if err != nil {
		return nil, err
	}
	var all []object
	items, _ := answer["items"].([]any)
	for _, item := range items {
		all = append(all, object{item})
	}
	slices.SortStableFunc(all, func(a, b object) int { return strings.Compare(a.name(), b.name()) })
	return all, nil
}

// An object is one of the API's as JSON.
type object struct{ value any }

// at follows a path of names; nil where there is nothing.
func (o object) at(path ...string) any {
	value := o.value
	for _, name := range path {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	return value
}

func (o object) text(path ...string) string {
	text, _ := o.at(path...).(string)
	return text
}

func (o object) number(path ...string) int {
	number, _ := o.at(path...).(float64)
	return int(number)
}

func (o object) name() string { return o.text("metadata", "name") }

func (o object) label(name string) string { return o.text("metadata", "labels", name) }

func (o object) annotation(name string) string { return o.text("metadata", "annotations", name) }

// deployment is a service of a cluster.
func (c *apiServer) deployment(ctx context.Context, service string) (object, bool) {
	answer, err := c.ask(ctx, http.MethodGet, c.deployments()+service, "")
	return object{answer}, err == nil
}

// deployments is where services are.
func (c *apiServer) deployments() string {
	return "/apis/apps/v1/namespaces/" + c.namespace + "/deployments/"
}
