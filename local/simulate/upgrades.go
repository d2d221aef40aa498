package simulate

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// upgradeCluster is a team that wants the next version for its cluster, or one that it must
// not get.
func (w *World) upgradeCluster(s Step) error {
	return w.putVersion(s.Cluster, w.versionFor(s))
}

func (w *World) putVersion(name, version string) error {
	return w.api(http.MethodPut, versionPath(name), contract.ClusterVersion{Version: version})
}

func versionPath(name string) string { return cluster(Step{Cluster: name}) + "/version" }

// versionFor is the version that a step asks for.
func (w *World) versionFor(s Step) string {
	if w.ofSwarm(s.Cluster) {
		return fmt.Sprintf("28.5.%d", s.Count)
	}
	out, err := eks.NewFromConfig(w.UserConfig()).DescribeCluster(w.privileged(), &eks.DescribeClusterInput{
		Name: aws.String("portolan-" + s.Cluster)})
	minor := 0
	if err != nil {
		return "1.35" // where it cannot be chosen
	}
	_, _ = fmt.Sscanf(aws.ToString(out.Cluster.Version), "1.%d", &minor) // what it cannot read is refused
	return fmt.Sprintf("1.%d", minor+1+s.Count/4)
}

// newestUpgrade is the newest operation that was to give a cluster another version since it
// was made.
func (o *oracle) newestUpgrade(cluster string) (model.Operation, bool) {
	all := o.sorted()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Target.Cluster != cluster {
			continue
		}
		switch all[i].Kind {
		case contract.KindUpgrade:
			return all[i], true
		case contract.KindProvision, contract.KindAdopt:
			return model.Operation{}, false
		}
	}
	return model.Operation{}, false
}

// askForVersion asks again for a version whose upgrade ended dirty.
func (w *World) askForVersion(c *model.Cluster) (asked bool, err error) {
	last, ok := w.watch.newestUpgrade(c.Name())
	if !ok || last.Status != contract.OperationFailedDirty {
		return false, nil
	}
	return true, w.insist(contract.Target{Cluster: c.Name()}, http.MethodPut, versionPath(c.Name()),
		contract.ClusterVersion{Version: versionWanted(c)})
}

func versionWanted(c *model.Cluster) string {
	if c.Spec.Orchestrator == contract.Swarm {
		return c.Spec.Swarm.EngineVersion
	}
	return c.Spec.Kubernetes.Version
}

// versionAsWanted checks that each node of a cluster whose upgrade succeeded has the version
// that is wanted.
func (o *oracle) versionAsWanted(c *model.Cluster) {
	last, ok := o.newestUpgrade(c.Name())
	if !ok {
		return
	}
	if last.Status != contract.OperationSucceeded && o.again[last.ID] {
		o.broken(5, "cluster %s was asked for again without a fault, and %s ended %s: %s", c.Name(), last.ID, last.Status, last.Reason)
	}
	if last.Status != contract.OperationSucceeded {
		return // its end says what is left
	}
	wanted := versionWanted(c)
	for node, has := range o.versions(c.Name()) {
		if has != wanted && !strings.HasPrefix(has, "v"+wanted+".") {
			o.broken(5, "node %s of %s is to have version %s, and has %s", node, c.Name(), wanted, has)
		}
	}
}

// versions are those of a cluster's nodes.
func (o *oracle) versions(cluster string) map[string]string {
	out := map[string]string{}
	if c := o.w.kubernetes(cluster); c != nil {
		all, err := c.list(o.ctx(), "/api/v1/nodes")
		if err != nil {
			o.broken(0, "the nodes of %s cannot be listed: %v", cluster, err)
		}
		for _, n := range all {
			out[n.name()] = n.text("status", "nodeInfo", "kubeletVersion")
		}
		return out
	}
	for _, n := range o.w.dockerSwarm(cluster).nodes() {
		out[n.ID] = n.Description.Engine.EngineVersion
	}
	return out
}
