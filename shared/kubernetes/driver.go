package kubernetes

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Config is what a driver is made of.
type Config struct {
	// AWS is the configuration under whose session AWS is called, and of whom EKS's
	// audit log tells.
	AWS aws.Config

	// WrapTransport, where it is set, wraps the transport to API servers.
	WrapTransport func(http.RoundTripper) http.RoundTripper

	Now func() time.Time
	Log *slog.Logger

	// Connections are kept across drivers; nil keeps none.
	Connections *Connections
}

// Driver implements orchestrator.Orchestrator. It keeps nothing but how to connect,
// and is safe for concurrent use.
type Driver struct {
	config Config

	mu   sync.Mutex
	open map[string]*connection
}

var (
	_ orchestrator.Orchestrator = (*Driver)(nil)
	_ orchestrator.Jobs         = (*Driver)(nil)
	_ orchestrator.Watcher      = (*Driver)(nil)
	_ orchestrator.Glancer      = (*Driver)(nil)
	_ orchestrator.Surveyor     = (*Driver)(nil)
)

// New returns a driver.
func New(config Config) *Driver {
	if config.Connections == nil {
		config.Connections = &Connections{}
	}
	return &Driver{config: config, open: map[string]*connection{}}
}

// Capabilities implements orchestrator.Orchestrator. The quorum is that of etcd, which
// is no business of nodes that Portolan knows.
func (d *Driver) Capabilities(orchestrator.ClusterRef) orchestrator.Capabilities {
	return orchestrator.Capabilities{Nodes: true, Jobs: true}
}

func factsOf(cluster orchestrator.ClusterRef) (orchestrator.KubernetesFacts, error) {
	facts := cluster.Facts.Kubernetes
	if facts == nil || facts.Credentials == "" && facts.Endpoint == "" {
		return orchestrator.KubernetesFacts{}, fault.New(fault.NotFound, "cluster %q is no Kubernetes cluster yet", cluster.Name)
	}
	return *facts, nil
}

// defaultNamespace is that of services which name none, on a cluster that names none.
const defaultNamespace = "default"

// namespaceOf is where a service is.
func namespaceOf(ref orchestrator.ServiceRef) string {
	if ref.Namespace != "" {
		return ref.Namespace
	}
	if facts := ref.Cluster.Facts.Kubernetes; facts != nil && facts.Namespace != "" {
		return facts.Namespace
	}
	return defaultNamespace
}

func notFound(ref orchestrator.ServiceRef) error {
	return fault.New(fault.NotFound, "cluster %q has no service %q in namespace %s", ref.Cluster.Name, ref.Name, namespaceOf(ref))
}
