package local_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/local"
	"portolan/shared/contract"
)

// workersInUpgrade is how many workers the tested swarm has, and eventsMost is how many
// events Step Functions keeps of an execution, of which a swarm of a thousand has to make
// do with its share.
const (
	workersInUpgrade = 50
	eventsMost       = 25000
)

// A larger pool of workers gets its engine some nodes at a time, and no more than that are
// missing at once.
func TestALargePoolIsUpgradedSomeNodesAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		spec := swarmOf(t, l, 1)
		spec.NodePools[0].Size, spec.NodePools[0].SizeMax = workersInUpgrade, workersInUpgrade
		provisioned(t, l, spec)
		webOnSwarm(t, l, "fleet", 20)
		before := instances(t, l)
		var o contract.Operation
		if status := request(t, l, http.MethodPut, "/v1/clusters/fleet/version", contract.ClusterVersion{Version: "29.1.0"}, &o); status != http.StatusAccepted {
			t.Fatalf("the upgrade is refused: %d", status)
		}
		began, missing := l.Clock.Now(), 0
		for o.EndedAt.IsZero() && l.Clock.Now().Sub(began) < 12*time.Hour {
			missing = max(missing, workersInUpgrade-workersInService(t, l))
			if err := l.Clock.Sleep(t.Context(), 15*time.Second); err != nil {
				t.Fatal(err)
			}
			request(t, l, http.MethodGet, "/v1/operations/"+o.Id, nil, &o)
		}
		if o.Status != contract.OperationSucceeded {
			t.Fatalf("upgrade ended %s: %s", o.Status, o.Reason)
		}
		for _, id := range instances(t, l) {
			if slices.Contains(before, id) {
				t.Errorf("instance %s was not replaced", id)
			}
		}
		events := eventsOf(t, l, "upgrade-swarm")
		t.Logf("%d workers took %v and %d events, with %d missing at most", workersInUpgrade, o.EndedAt.Sub(o.StartedAt), events, missing)
		if missing != 2 {
			t.Errorf("%d workers were replaced at a time, and not two", missing)
		}
		if most := eventsMost * workersInUpgrade / 1000; events > most {
			t.Errorf("the machine wrote %d events, and may write %d", events, most)
		}
	})
}

// A worker whose task has nowhere to go stays and serves, and ends the upgrade with the
// reason.
func TestAnUpgradeEndsAtANodeThatCannotBeDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		provisioned(t, l, swarmOf(t, l, 1))
		before := instances(t, l)
		for i, name := range []string{"one", "two"} { // one on each worker
			pinned := contract.ServiceSpec{Image: "example.com/web:1", Memory: contract.Memory{LimitMiB: 64}, Placement: contract.Placement{
				Constraints: []contract.Constraint{{Attribute: "instance", Operator: contract.In, Values: []string{before[1+i]}}}}}
			if o := put(t, l, http.MethodPut, "/v1/clusters/fleet/services/"+name, pinned); o.Status != contract.OperationSucceeded {
				t.Fatalf("deploy ended %s: %s", o.Status, o.Reason)
			}
		}
		o := put(t, l, http.MethodPut, "/v1/clusters/fleet/version", contract.ClusterVersion{Version: "29.1.0"})
		if o.Status != contract.OperationFailedDirty || !strings.Contains(o.Reason, "could not be drained in time") {
			t.Errorf("upgrade ended %s: %s", o.Status, o.Reason)
		}
		if now := instances(t, l); !slices.Equal(now[1:], before[1:]) {
			t.Errorf("the workers were %v, and are %v", before[1:], now[1:])
		}
	})
}

// workersInService counts the instances of the workers' group that serve.
func workersInService(t *testing.T, l *local.Local) (count int) {
	t.Helper()
	out, err := autoscaling.NewFromConfig(l.UserConfig()).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{"portolan.fleet.workers"}})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		t.Fatalf("the workers' group: %+v, %v", out, err)
	}
	for _, i := range out.AutoScalingGroups[0].Instances {
		if i.LifecycleState == types.LifecycleStateInService {
			count++
		}
	}
	return count
}

// eventsOf counts the events of the newest execution of a machine.
func eventsOf(t *testing.T, l *local.Local, machine string) (count int) {
	t.Helper()
	client := sfn.NewFromConfig(l.UserConfig())
	machines, err := client.ListStateMachines(t.Context(), &sfn.ListStateMachinesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range machines.StateMachines {
		if !strings.HasSuffix(aws.ToString(m.Name), "-"+machine) {
			continue
		}
		executions, err := client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: m.StateMachineArn, MaxResults: 1})
		if err != nil || len(executions.Executions) == 0 {
			t.Fatalf("the executions are %+v, %v", executions, err)
		}
		pages := sfn.NewGetExecutionHistoryPaginator(client, &sfn.GetExecutionHistoryInput{ExecutionArn: executions.Executions[0].ExecutionArn})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			count += len(page.Events)
		}
	}
	return count
}
