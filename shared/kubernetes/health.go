package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/version"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// The minor versions of Kubernetes that are taken. Before 1.29 the fields that we apply
// were not all known: an older API server would drop some in silence. The newest one is
// the client's own, and one more, for which the API's promise of stability holds:
// https://kubernetes.io/docs/reference/using-api/deprecation-policy/.
const (
	oldestMinor = 29
	newestMinor = 38
)

// Health implements orchestrator.Orchestrator. It makes two requests for the API
// server, and one for each 250 nodes, 20 at most.
func (d *Driver) Health(ctx context.Context, cluster orchestrator.ClusterRef) (orchestrator.Health, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return orchestrator.Health{}, err
	}
	version, err := c.version(ctx)
	if err != nil {
		return orchestrator.Health{}, err
	}
	health := orchestrator.Health{State: orchestrator.Healthy, Version: version}
	if err := c.ready(ctx); err != nil {
		return orchestrator.Health{State: orchestrator.Unhealthy, Reason: err.Error()}, nil
	}
	if health.NodesRegistered, err = c.countNodes(ctx); err != nil {
		return orchestrator.Health{}, err
	}
	if health.NodesRegistered == 0 {
		health.State, health.Reason = orchestrator.Unhealthy, "no node has registered"
	}
	return health, nil
}

// minor finds the minor version; some clusters write 34+.
var minor = regexp.MustCompile(`^[0-9]+`)

// version returns the cluster's version, such as v1.34.2. It is Invalid when it is none
// that we can work with.
func (c *connection) version(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	raw, err := c.client.Get().AbsPath("/version").MaxRetries(retries).DoRaw(ctx)
	if err != nil {
		if unauthorized(err) {
			c.refused()
		}
		return "", classify(err, "asking for the version of cluster "+c.cluster.Name, "get", kind{plural: "/version", everywhere: true}, "")
	}
	var said version.Info
	if err := json.Unmarshal(raw, &said); err != nil || said.GitVersion == "" {
		return "", fault.New(fault.Invalid, "what answers at the API server's address of cluster %s is no Kubernetes", c.cluster.Name)
	}
	number, err := strconv.Atoi(minor.FindString(said.Minor))
	if err != nil || said.Major != "1" || number < oldestMinor || number > newestMinor {
		return "", fault.New(fault.Invalid, "cluster %s runs Kubernetes %s, and Portolan works with 1.%d to 1.%d", c.cluster.Name,
			said.GitVersion, oldestMinor, newestMinor)
	}
	return said.GitVersion, nil
}

// ready asks whether the API server takes requests.
func (c *connection) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	if _, err := c.client.Get().AbsPath("/readyz").MaxRetries(0).DoRaw(ctx); err != nil {
		return fmt.Errorf("the API server is not ready: %w", transportError(err))
	}
	return nil
}

// countNodes counts the nodes that joined, to a bound.
func (c *connection) countNodes(ctx context.Context) (int, error) {
	count := 0
	s := selection{limit: nodesPage}
	for range nodesPagesMax {
		var list core.NodeList
		if err := c.list(ctx, nodes, "", s, &list); err != nil {
			return 0, err
		}
		count += len(list.Items)
		if s.next = list.Continue; s.next == "" {
			break
		}
	}
	return count, nil
}
