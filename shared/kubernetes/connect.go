package kubernetes

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"portolan/shared/connector"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// How an API server is called: requests a second and at once, which is less than
// kubectl's, and how long one may take.
const (
	requestsASecond = 30
	requestsAtOnce  = 60
	requestDeadline = 20 * time.Second
	userAgent       = "portolan"
)

// credentialsKept is how long a kubeconfig is used before it is read again: it is
// changed in Secrets Manager without anybody telling. One that the API server refuses
// is read again at once.
const credentialsKept = 5 * time.Minute

// Connections are the accesses that were read from Secrets Manager, kept for the
// drivers to come. The zero value is ready, and safe for concurrent use.
type Connections struct {
	mu    sync.Mutex
	known map[string]known
}

type known struct {
	access access
	until  time.Time
}

// accessesKept bounds them; one function works on few clusters.
const accessesKept = 256

func (c *Connections) find(key string, now time.Time) (access, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.known[key]
	return found.access, ok && now.Before(found.until)
}

func (c *Connections) keep(key string, a access, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= accessesKept {
		c.known = map[string]known{}
	}
	c.known[key] = known{a, now.Add(credentialsKept)}
}

func (c *Connections) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key)
}

// An access is what it takes to call an API server.
type access struct {
	endpoint, serverName        string
	authorities                 []byte
	token                       string
	certificate, certificateKey []byte
	impersonate                 rest.ImpersonationConfig
}

// A connection is a client of one API server.
type connection struct {
	client  *rest.RESTClient
	cluster orchestrator.ClusterRef
	facts   orchestrator.KubernetesFacts

	// refused is called when the API server does not know who we are.
	refused func()
}

// connect returns the connection to a cluster, which the driver makes once.
func (d *Driver) connect(ctx context.Context, cluster orchestrator.ClusterRef) (*connection, error) {
	facts, err := factsOf(cluster)
	if err != nil {
		return nil, err
	}
	key := strings.Join([]string{facts.Credentials, facts.Context, facts.Endpoint, facts.EKSCluster, facts.Connector}, "\n")
	d.mu.Lock()
	open, found := d.open[key]
	d.mu.Unlock()
	if found {
		return open, nil
	}
	a, err := d.access(ctx, key, facts)
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), err, "connecting to cluster %s", cluster.Name)
	}
	client, err := d.client(facts, a)
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), err, "connecting to cluster %s", cluster.Name)
	}
	c := &connection{client: client, cluster: cluster, facts: facts, refused: func() { d.forget(key) }}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[key] = c
	return c, nil
}

func (d *Driver) forget(key string) {
	d.config.Connections.forget(key)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, key)
}

// access finds out how a cluster is called: as a kubeconfig in Secrets Manager says, or
// as EKS does.
func (d *Driver) access(ctx context.Context, key string, facts orchestrator.KubernetesFacts) (access, error) {
	if facts.Credentials == "" {
		authorities, err := base64.StdEncoding.DecodeString(facts.CertificateAuthority)
		if err != nil {
			return access{}, fault.New(fault.Invalid, "the certificate authority of %s is not base64", facts.Endpoint)
		}
		return access{endpoint: facts.Endpoint, authorities: authorities}, nil
	}
	now := d.config.Now()
	if a, found := d.config.Connections.find(key, now); found {
		return a, nil
	}
	out, err := secretsmanager.NewFromConfig(d.config.AWS).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(facts.Credentials),
	})
	if err != nil {
		return access{}, fault.FromAWS(err, "reading the kubeconfig in "+facts.Credentials)
	}
	raw := out.SecretBinary
	if out.SecretString != nil {
		raw = []byte(*out.SecretString)
	}
	a, err := parseKubeconfig(raw, facts.Context, now)
	if err != nil {
		return access{}, fault.Wrap(fault.Invalid, err, "the kubeconfig in %s", facts.Credentials)
	}
	d.config.Connections.keep(key, a, now)
	return a, nil
}

// client makes a client of an access. The transports beneath are shared by all clients
// of one certificate authority.
func (d *Driver) client(facts orchestrator.KubernetesFacts, a access) (*rest.RESTClient, error) {
	config := &rest.Config{
		Host: a.endpoint, BearerToken: a.token, Impersonate: a.impersonate, UserAgent: userAgent,
		QPS: requestsASecond, Burst: requestsAtOnce,
		// What the API server warns of is for who writes the descriptions of objects.
		WarningHandlerWithContext: rest.NoWarnings{},
		ContentConfig: rest.ContentConfig{
			GroupVersion: &schema.GroupVersion{Version: "v1"}, NegotiatedSerializer: codecs().WithoutConversion(),
			ContentType: asJSON,
		},
	}
	d.way(config, facts, a)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the certificates for %s cannot be used: they are no PEM, or the key is of "+
			"another certificate", a.endpoint)
	}
	made, err := rest.RESTClientForConfigAndClient(config, client)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the API server's address %s is no URL", a.endpoint)
	}
	return made, nil
}

// way says how requests get to the API server: from here, or by the connector in its
// VPC; and that EKS is told by a token who calls.
func (d *Driver) way(config *rest.Config, facts orchestrator.KubernetesFacts, a access) {
	if facts.Connector != "" {
		config.Transport = &connector.Transport{
			Lambda: lambda.NewFromConfig(d.config.AWS), Function: facts.Connector,
			Trust: connector.Trust{
				CertificateAuthority: a.authorities, ServerName: a.serverName, Certificate: a.certificate, Key: a.certificateKey,
			},
		}
	} else {
		config.TLSClientConfig = rest.TLSClientConfig{
			ServerName: a.serverName, CAData: a.authorities, CertData: a.certificate, KeyData: a.certificateKey,
		}
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		if d.config.WrapTransport != nil && facts.Connector == "" {
			next = d.config.WrapTransport(next)
		}
		if facts.Credentials == "" {
			next = &signed{next: next, config: d.config.AWS, cluster: facts.EKSCluster, now: d.config.Now}
		}
		return next
	})
}
