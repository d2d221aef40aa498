package local_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"portolan/local"
	"portolan/shared/contract"
)

// swarmOf is a swarm of so many managers and two workers, in the VPC that is there.
func swarmOf(t *testing.T, l *local.Local, managers int) contract.ClusterSpec {
	t.Helper()
	return contract.ClusterSpec{Name: "fleet", Team: "storefront", Orchestrator: contract.Swarm, Network: defaultNetwork(t, l),
		NodePools: []contract.NodePoolSpec{{Name: "workers", InstanceType: "m6i.large", Size: 2, SizeMax: 6}},
		Swarm: contract.SwarmCluster{Managers: contract.SwarmManagers{Count: managers, InstanceType: "m6i.large"},
			SharedStorage: true, EncryptSharedStorage: true, SystemPrune: true}}
}

// put asks for something and waits for its end.
func put(t *testing.T, l *local.Local, method, path string, body any) contract.Operation {
	t.Helper()
	var o contract.Operation
	if status := request(t, l, method, path, body, &o); status != http.StatusAccepted {
		t.Fatalf("%s %s is refused: %d", method, path, status)
	}
	return ended(t, l, o)
}

func theCluster(t *testing.T, l *local.Local, name string) contract.Cluster {
	t.Helper()
	var c contract.Cluster
	if status := request(t, l, http.MethodGet, "/v1/clusters/"+name, nil, &c); status != http.StatusOK {
		t.Fatalf("the cluster cannot be seen: %d", status)
	}
	return c
}

// joined is how many nodes of a pool have joined.
func joined(c contract.Cluster, pool string) int {
	for _, p := range c.NodePools {
		if p.Name == pool {
			return p.SizeObserved
		}
	}
	return -1
}

func TestSwarmFromItsStacksToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		provisioned(t, l, swarmOf(t, l, 3))
		c := theCluster(t, l, "fleet")
		if c.Status != contract.ClusterReady || joined(c, "managers") != 3 || joined(c, "workers") != 2 {
			t.Fatalf("the cluster is %+v", c)
		}
		managersAreSafe(t, l, 4)

		// The number of managers changes, one at a time, and the group's limit with it.
		for _, managers := range []int{5, 3, 1, 3} {
			o := put(t, l, http.MethodPut, "/v1/clusters/fleet/node-pools/managers", contract.NodePoolScale{Size: managers})
			if c := theCluster(t, l, "fleet"); o.Status != contract.OperationSucceeded || joined(c, "managers") != managers {
				t.Fatalf("%d managers: %s: %s; %d have joined", managers, o.Status, o.Reason, joined(c, "managers"))
			}
			managersAreSafe(t, l, managers+1)
		}
		var refused contract.Operation
		if status := request(t, l, http.MethodPut, "/v1/clusters/fleet/node-pools/managers", contract.NodePoolScale{Size: 4}, &refused); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
			t.Errorf("four managers: %d", status)
		}
		// All nodes get another engine, and the managers are never fewer than wanted.
		before := instances(t, l)
		if o := put(t, l, http.MethodPut, "/v1/clusters/fleet/version", contract.ClusterVersion{Version: "29.1.0"}); o.Status != contract.OperationSucceeded {
			t.Fatalf("upgrade ended %s: %s", o.Status, o.Reason)
		}
		for _, id := range instances(t, l) {
			if slices.Contains(before, id) {
				t.Errorf("instance %s was not replaced", id)
			}
		}
		managersAreSafe(t, l, 4)

		// A manager's machine dies: another takes its place, and the swarm forgets the dead one.
		killed := instances(t, l)[0]
		if !l.AutoScaling.KillInstance(killed) {
			t.Fatalf("instance %s cannot be killed", killed)
		}
		if err := l.Clock.Sleep(t.Context(), 20*time.Minute); err != nil {
			t.Fatal(err)
		}
		var page contract.OperationPage
		request(t, l, http.MethodGet, "/v1/operations?cluster=fleet", nil, &page)
		if o := page.Items[0]; o.Kind != contract.KindRepair || o.Status != contract.OperationSucceeded {
			t.Errorf("after a manager died the newest operation is %+v", o)
		}

		if o := put(t, l, http.MethodPost, "/v1/clusters/fleet/recovery", nil); o.Status != contract.OperationFailedClean {
			t.Errorf("the recovery of a swarm that has its majority ended %s: %s", o.Status, o.Reason)
		}
		if o := put(t, l, http.MethodPut, "/v1/clusters/fleet/node-pools/workers", contract.NodePoolScale{Size: 1}); o.Status != contract.OperationSucceeded {
			t.Fatalf("scaling workers in: %s: %s", o.Status, o.Reason)
		}

		if o := put(t, l, http.MethodDelete, "/v1/clusters/fleet", nil); o.Status != contract.OperationSucceeded {
			t.Fatalf("retire ended %s: %s, left %v", o.Status, o.Reason, o.Left)
		}
		if left := liveStacks(t.Context(), t, l); len(left) > 0 {
			t.Errorf("stacks are left: %v", left)
		}
		secrets, err := secretsmanager.NewFromConfig(l.UserConfig()).ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
		if err != nil || len(secrets.SecretList) > 0 {
			t.Errorf("secrets are left: %+v, %v", secrets, err)
		}
	})
}

// instances are those of the managers' group first, and then the workers', without those
// that end.
func instances(t *testing.T, l *local.Local) []string {
	t.Helper()
	var ids []string
	for _, name := range []string{"portolan.fleet.managers", "portolan.fleet.workers"} {
		out, err := autoscaling.NewFromConfig(l.UserConfig()).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{
			AutoScalingGroupNames: []string{name}})
		if err != nil || len(out.AutoScalingGroups) != 1 {
			t.Fatalf("group %s: %+v, %v", name, out, err)
		}
		for _, i := range out.AutoScalingGroups[0].Instances {
			if i.LifecycleState != types.LifecycleStateTerminating {
				ids = append(ids, aws.ToString(i.InstanceId))
			}
		}
	}
	return ids
}

// managersAreSafe looks whether the managers' group may have so many instances, and
// balances no zones.
func managersAreSafe(t *testing.T, l *local.Local, most int) {
	t.Helper()
	out, err := autoscaling.NewFromConfig(l.UserConfig()).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{"portolan.fleet.managers"},
	})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		t.Fatalf("the managers' group: %+v, %v", out, err)
	}
	group := out.AutoScalingGroups[0]
	var suspended []string
	for _, process := range group.SuspendedProcesses {
		suspended = append(suspended, aws.ToString(process.ProcessName))
	}
	if int(aws.ToInt32(group.MaxSize)) != most || aws.ToString(group.HealthCheckType) != "EC2" || !slices.Contains(suspended, "AZRebalance") {
		t.Errorf("the managers' group has at most %d, health by %s, suspended %v", aws.ToInt32(group.MaxSize),
			aws.ToString(group.HealthCheckType), suspended)
	}
}
