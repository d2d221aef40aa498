package decide

import (
	"encoding/json"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/contract/schema/schematest"
)

// A field that is added to the description of clusters has to be decided for swarms too:
// it is refused, or something that is made of the cluster differs by it.
func TestEachFieldOfASwarmIsUsedOrRefused(t *testing.T) {
	newest, adopted := onSwarm(), adoptedSwarm()
	newest.Network.Cidr, newest.NodePools[0].InstanceType = "10.1.0.0/16", "m6i.xlarge"
	newest.Swarm.SharedStorage, newest.Swarm.EngineVersion, newest.Swarm.Managers.InstanceType = true, "28.0.0", "m6i.xlarge"
	adopted.Swarm.ServerName = "engines.shop"
	newest.Swarm.AllowedIngress = []contract.Ingress{{Cidr: "10.0.0.0/8", Port: contract.N22}}
	elsewhere := map[string]string{"/drift": "TestAnswerDrift", "/adopted/verbs/0": "TestRefusal"}
	for name, base := range map[string]contract.ClusterSpec{"new": newest, "adopted": adopted, "on a socket": onSocket()} {
		t.Run(name, func(t *testing.T) {
			known := elsewhere
			if name == "new" {
				known = map[string]string{"/drift": elsewhere["/drift"]}
			}
			refused := func(spec contract.ClusterSpec) bool { return len(CheckCluster(spec)) > 0 }
			schematest.Decided(t, "ClusterSpec", base, refused, func(spec contract.ClusterSpec) string { return madeOf(t, spec) }, known)
		})
	}
}

// madeOf is all that is made of a description at once: whose it is, the facts, the node pools, and
// each stack with its parameters.
func madeOf(t *testing.T, spec contract.ClusterSpec) string {
	t.Helper()
	c := NewCluster(spec, time.Unix(0, 0))
	if c.Facts.Swarm != nil {
		c.Facts.Swarm.EngineSecret = "arn"
	}
	before := Outputs{Values: map[string]string{"VpcId": "vpc-1", "PrivateSubnetIds": "a,b", "PublicSubnetIds": "c,d", "SubnetIds": "a,b"}}
	made := []any{c.Name(), c.Spec.Team, c.Facts, c.NodePools, c.Stacks}
	for _, name := range c.Stacks {
		stack, err := ClusterStack(&c, name, before, Deployment{})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, stack)
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
