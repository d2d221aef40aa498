package decide

import (
	"fmt"
	"slices"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/model"
)

// UpgradeCluster returns the cluster with another version wanted, or nil when it has
// that one already, and what is wrong with the wish.
func UpgradeCluster(c model.Cluster, version string) (*model.Cluster, []fault.Field) {
	wrong := func(format string, args ...any) (*model.Cluster, []fault.Field) {
		return nil, []fault.Field{{Pointer: "/version", Detail: fmt.Sprintf(format, args...)}}
	}
	if c.Spec.Orchestrator == contract.Swarm && !Adopted(c.Spec) {
		return upgradeSwarm(c, version)
	}
	switch {
	case c.Spec.Orchestrator != contract.Kubernetes:
		return wrong("cannot be chosen for %s, whose version is AWS's", c.Spec.Orchestrator)
	case Adopted(c.Spec):
		return wrong("cannot be changed here: cluster %s is adopted, and upgraded by whoever made it; what its last survey found "+
			"in the way is in its upgradeBlockers", c.Name())
	}
	has := MinorVersion(&c)
	from, known := kubernetesspec.Minor(has)
	to, ok := kubernetesspec.Minor(version)
	switch {
	case !ok || !known:
		return wrong("cannot be compared: the cluster has %q, and %q is asked for", has, version)
	case to == from:
		return nil, nil
	case to < from:
		return wrong("must not be older than the cluster's %s: Kubernetes goes one way only", has)
	case to > from+1:
		return wrong("must be 1.%d, the next after the cluster's %s: Kubernetes goes one minor version at a time", from+1, has)
	}
	if c.OrchestratorVersion == "" {
		c.OrchestratorVersion = "v" + has // the wish takes its place, and may fail
	}
	c.Spec.Kubernetes.Version = version
	c.Generation++
	return &c, nil
}

// VersionOf is the version that a cluster is known to have.
func VersionOf(c *model.Cluster) string {
	if c.Spec.Orchestrator == contract.Swarm {
		return EngineVersion(c.Spec)
	}
	return MinorVersion(c)
}

// MinorVersion is the version that a cluster was last seen to have, without its
// patch, or the one that was asked for.
func MinorVersion(c *model.Cluster) string {
	seen := strings.TrimPrefix(c.OrchestratorVersion, "v")
	if parts := strings.SplitN(seen, ".", 3); len(parts) >= 2 {
		return parts[0] + "." + strings.TrimRight(parts[1], "+")
	}
	return c.Spec.Kubernetes.Version
}

// A PoolVersion is the version of a node pool's nodes.
type PoolVersion struct {
	Pool, Version string
}

// NextPool is the first of the pools, in the order of the cluster's description, whose
// nodes have another version than is wanted; empty when all have it.
func NextPool(c *model.Cluster, seen []PoolVersion) string {
	for _, pool := range c.NodePools {
		i := slices.IndexFunc(seen, func(p PoolVersion) bool { return p.Pool == pool.Name })
		if i >= 0 && seen[i].Version != c.Spec.Kubernetes.Version {
			return pool.Name
		}
	}
	return ""
}
