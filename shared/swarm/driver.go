package swarm

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Config is what a driver is made of.
type Config struct {
	// AWS is the configuration under whose session AWS is called.
	AWS aws.Config

	// WrapTransport, where it is set, wraps the transport to engines.
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
}

var (
	_ orchestrator.Orchestrator = (*Driver)(nil)
	_ orchestrator.Managers     = (*Driver)(nil)
	_ orchestrator.Glancer      = (*Driver)(nil)
	_ orchestrator.Surveyor     = (*Driver)(nil)
	_ orchestrator.Jobs         = (*Driver)(nil)
)

// New returns a driver.
func New(config Config) *Driver {
	if config.Connections == nil {
		config.Connections = &Connections{}
	}
	return &Driver{config: config}
}

// Capabilities implements orchestrator.Orchestrator. The quorum is that of the managers.
func (d *Driver) Capabilities(orchestrator.ClusterRef) orchestrator.Capabilities {
	return orchestrator.Capabilities{Nodes: true, Quorum: true, Jobs: true}
}

func factsOf(cluster orchestrator.ClusterRef) (orchestrator.SwarmFacts, error) {
	facts := cluster.Facts.Swarm
	if facts == nil || len(facts.Managers) == 0 {
		return orchestrator.SwarmFacts{}, fault.New(fault.NotFound, "cluster %q is no swarm yet", cluster.Name)
	}
	return *facts, nil
}
