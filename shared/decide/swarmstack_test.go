package decide

import (
	"slices"
	"testing"
	"time"

	"portolan/shared/contract"
)

func TestGroupsOfSwarmsAreKnownByTheirNames(t *testing.T) {
	if cluster, pool, ok := PoolOfSwarmGroup(SwarmGroup("fleet-2", "managers")); !ok || cluster != "fleet-2" || pool != "managers" {
		t.Errorf("got %s, %s, %t", cluster, pool, ok)
	}
	for _, other := range []string{"", "portolan-fleet", "portolan.fleet", "portolan..managers", "portolan.a.b.c", "eks.fleet.managers"} {
		if _, _, ok := PoolOfSwarmGroup(other); ok {
			t.Errorf("%q is taken for a swarm's", other)
		}
	}
}

func TestLaunchesAreLetIn(t *testing.T) {
	c := NewCluster(onSwarm(), time.Unix(0, 0))
	c.Status, c.Spec.Drift = contract.ClusterReady, contract.Report
	if answer := AnswerLaunch(&c, "i-1", false); !answer.Repair {
		t.Errorf("a launch is left alone: %s", answer.Reason)
	}
	if AnswerLaunch(&c, "i-1", true).Repair {
		t.Error("a launch is repaired beside an operation")
	}
	if c.Status = contract.ClusterRetiring; AnswerLaunch(&c, "i-1", false).Repair {
		t.Error("a launch is let into a cluster that goes")
	}
}

func TestStacksOfASwarm(t *testing.T) {
	c := NewCluster(onSwarm(), time.Unix(0, 0))
	want := []string{"portolan-fleet-network", "portolan-fleet", "portolan-fleet-pool-managers", "portolan-fleet-pool-workers"}
	if !slices.Equal(c.Stacks, want) {
		t.Fatalf("the stacks are %v", c.Stacks)
	}
	before := Outputs{Values: map[string]string{"VpcId": "vpc-1", "PrivateSubnetIds": "a,b", "PublicSubnetIds": "c,d", "SubnetIds": "a,b"}}
	if _, err := ClusterStack(&c, "portolan-fleet", before, Deployment{}); err == nil {
		t.Error("a stack is made before the engines have certificates")
	}
	c.Facts.Swarm.EngineSecret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:portolan-swarm/engines/fleet-AbCdEf"
	common, err := ClusterStack(&c, "portolan-fleet", before, Deployment{ConnectorLayer: "layer"})
	if err != nil || common.Template != "swarm" || common.Parameters["LoadBalancerSubnetIds"] != "c,d" ||
		common.Parameters["StorageSubnetB"] != "b" || common.Parameters["CloudWatchLogs"] != "yes" {
		t.Errorf("got %+v, %v", common, err)
	}
	managers, err := ClusterStack(&c, "portolan-fleet-pool-managers", before, Deployment{})
	if err != nil || managers.Parameters["NodesDesired"] != "3" || managers.Parameters["NodesMax"] != "4" {
		t.Errorf("the managers may be at most one more than wanted: %+v, %v", managers, err)
	}
	workers, err := ClusterStack(&c, "portolan-fleet-pool-workers", before, Deployment{})
	if err != nil || workers.Parameters["NodesMax"] != "10" || workers.Parameters["RootVolumeSizeGiB"] != "20" ||
		workers.Parameters["RootVolumeType"] != "standard" || workers.Parameters["EbsOptimized"] != "true" {
		t.Errorf("got %+v, %v", workers, err)
	}
}
