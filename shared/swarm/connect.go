package swarm

import (
	"context"
	"net/http"

	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// A connection is a client of a cluster's managers, or of one engine.
type connection struct {
	driver  *Driver
	client  *client.Client
	cluster orchestrator.ClusterRef
	facts   orchestrator.SwarmFacts
}

// connect returns a connection to a cluster's managers.
func (d *Driver) connect(ctx context.Context, cluster orchestrator.ClusterRef) (*connection, error) {
	facts, err := factsOf(cluster)
	if err != nil {
		return nil, err
	}
	return d.dial(ctx, cluster, facts, facts.Managers)
}

// dial makes a connection to engines of a cluster. It calls none of them yet, but reads
// the certificates.
func (d *Driver) dial(
	ctx context.Context, cluster orchestrator.ClusterRef, facts orchestrator.SwarmFacts, addresses []string,
) (*connection, error) {
	w := &way{driver: d, facts: facts, addresses: addresses}
	if facts.Credentials != "" {
		var err error
		if w.credentials, err = d.credentials(ctx, facts.Credentials); err != nil {
			return nil, fault.Wrap(fault.KindOf(err), err, "connecting to cluster %s", cluster.Name)
		}
	}
	made, err := client.New(client.WithHTTPClient(&http.Client{Transport: w, CheckRedirect: client.CheckRedirect}),
		client.WithAPIVersion(apiVersion), client.WithUserAgent("portolan"))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "connecting to cluster %s", cluster.Name)
	}
	return &connection{driver: d, client: made, cluster: cluster, facts: facts}, nil
}

// credentials returns the certificates of a secret, which are read now and then.
func (d *Driver) credentials(ctx context.Context, arn string) (credentials, error) {
	now := d.config.Now()
	if found, ok := d.config.Connections.credentials(arn, now); ok {
		return found, nil
	}
	read, err, _ := d.config.Connections.reading.Do(arn, func() (any, error) {
		return d.readCredentials(ctx, arn)
	})
	if err != nil {
		return credentials{}, err
	}
	d.config.Connections.keepCredentials(arn, read.(credentials), now)
	return read.(credentials), nil
}
