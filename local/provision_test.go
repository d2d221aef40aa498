package local_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/local"
	cfn "portolan/local/cloudformation"
	"portolan/local/wire"
	"portolan/shared/contract"
)

// request calls the API as the person at this machine.
func request(t *testing.T, l *local.Local, method, path string, body, out any) int {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, strings.NewReader(string(text)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+local.User.AccessKeyID+"/20000101/us-east-1/execute-api/aws4_request")
	w := httptest.NewRecorder()
	l.API.ServeHTTP(w, r)
	if w.Code >= 300 {
		t.Logf("%s %s: %d %s", method, path, w.Code, w.Body)
		return w.Code
	}
	if o, ok := out.(*contract.Operation); ok {
		*o = contract.Operation{}
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return w.Code
}

// ended waits until an operation has ended.
func ended(t *testing.T, l *local.Local, o contract.Operation) contract.Operation {
	t.Helper()
	for range 2000 {
		if request(t, l, http.MethodGet, "/v1/operations/"+o.Id, nil, &o); o.EndedAt != (time.Time{}) {
			return o
		}
		if err := l.Clock.Sleep(t.Context(), 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("operation %s (%s) does not end", o.Id, o.Kind)
	return o
}

func provision(t *testing.T, l *local.Local, spec contract.ClusterSpec) contract.Operation {
	t.Helper()
	var o contract.Operation
	if status := request(t, l, http.MethodPost, "/v1/clusters", spec, &o); status != http.StatusAccepted {
		t.Fatalf("the cluster is refused: %d", status)
	}
	return ended(t, l, o)
}

// provisioned has a cluster that a test goes on with.
func provisioned(t *testing.T, l *local.Local, spec contract.ClusterSpec) {
	t.Helper()
	if o := provision(t, l, spec); o.Status != contract.OperationSucceeded {
		t.Fatalf("provision ended %s: %s", o.Status, o.Reason)
	}
}

// defaultNetwork is the VPC that every account has, with two of its subnets.
func defaultNetwork(t *testing.T, l *local.Local) contract.Network {
	t.Helper()
	out, err := ec2.NewFromConfig(l.UserConfig()).DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{
		Filters: []types.Filter{{Name: aws.String("default-for-az"), Values: []string{"true"}}},
	})
	if err != nil || len(out.Subnets) < 2 {
		t.Fatalf("the default VPC has %v, %v", out, err)
	}
	return contract.Network{VpcId: *out.Subnets[0].VpcId,
		SubnetIds: []string{*out.Subnets[0].SubnetId, *out.Subnets[1].SubnetId}}
}

// liveStacks are the names of Portolan's stacks that CloudFormation has.
func liveStacks(ctx context.Context, t *testing.T, l *local.Local) []string {
	t.Helper()
	out, err := cloudformation.NewFromConfig(l.UserConfig()).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err != nil {
		t.Fatal(err)
	}
	var live []string
	for _, stack := range out.Stacks {
		live = append(live, *stack.StackName)
	}
	slices.Sort(live)
	return live
}

func TestFargateClusterInAnExistingVPC(t *testing.T) {
	var mu sync.Mutex
	registrars := map[string]bool{}
	watch := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, operation := wire.OperationOf(r); operation == "RegisterTargets" {
				mu.Lock()
				registrars[wire.Caller(r.Context()).ARN] = true
				mu.Unlock()
			}
			next.ServeHTTP(w, r)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l := start(t, watch)
		defer l.Close()
		o := provision(t, l, contract.ClusterSpec{Name: "shop", Team: "storefront", Orchestrator: contract.Ecs,
			Network: defaultNetwork(t, l), Ecs: contract.EcsCluster{Capacity: contract.FARGATE}})
		if o.Status != contract.OperationSucceeded || o.Reason != "the cluster works, and has no nodes of its own" {
			t.Fatalf("provision ended %s: %s", o.Status, o.Reason)
		}
		if got := liveStacks(t.Context(), t, l); !slices.Equal(got, []string{"portolan-shop"}) {
			t.Errorf("stacks are %v; an existing VPC needs no network stack", got)
		}
		spec := contract.ServiceSpec{Image: "example.com/web:1", Cpu: 256, Memory: contract.Memory{LimitMiB: 512},
			Ports:        []contract.Port{{ContainerPort: 8080}},
			LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, Rules: []contract.RoutingRule{{Paths: []string{"/*"}}}}}
		if status := request(t, l, http.MethodPut, "/v1/clusters/shop/services/web", spec, &o); status != http.StatusAccepted {
			t.Fatalf("the service is refused: %d", status)
		}
		if o = ended(t, l, o); o.Status != contract.OperationSucceeded {
			t.Errorf("deploy ended %s: %s", o.Status, o.Reason)
		}
		const scheduler = "arn:aws:sts::" + local.Account + ":assumed-role/AWSServiceRoleForECS/ecs-service-scheduler"
		mu.Lock()
		if len(registrars) != 1 || !registrars[scheduler] {
			t.Errorf("tasks are registered with the load balancer by %v, and on AWS by ECS", registrars)
		}
		mu.Unlock()
		request(t, l, http.MethodDelete, "/v1/clusters/shop", nil, &o)
		if o = ended(t, l, o); o.Status != contract.OperationSucceeded {
			t.Errorf("retire ended %s: %s (left: %v)", o.Status, o.Reason, o.Left)
		}
		if got := liveStacks(t.Context(), t, l); len(got) > 0 {
			t.Errorf("stacks %v are left", got)
		}
	})
}

func TestClusterWhoseStackFailsLeavesNothing(t *testing.T) {
	for _, fault := range []cfn.Fault{
		{StackName: "portolan-shop-network", LogicalID: "NatGateway1", Action: "create", Reason: "Too many gateways"},
		{StackName: "portolan-shop", Type: "AWS::ECS::CapacityProvider", Action: "create", Reason: "Quota reached"},
	} {
		t.Run(fault.StackName, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := start(t)
				defer l.Close()
				l.Stacks.Fail(fault)
				o := provision(t, l, ec2Cluster())
				if o.Status != contract.OperationFailedClean {
					t.Errorf("provision ended %s: %s (left: %v)", o.Status, o.Reason, o.Left)
				}
				if !strings.Contains(o.Reason, fault.Reason) {
					t.Errorf("the reason %q does not say %q", o.Reason, fault.Reason)
				}
				if got := liveStacks(t.Context(), t, l); len(got) > 0 {
					t.Errorf("stacks %v are left", got)
				}
			})
		})
	}
}

func TestClusterThatCannotBeDeletedNamesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		provisioned(t, l, ec2Cluster())
		l.Stacks.Fail(cfn.Fault{StackName: "portolan-shop-network", LogicalID: "Vpc", Action: "delete",
			Reason: "The vpc has dependencies and cannot be deleted."})
		var o contract.Operation
		request(t, l, http.MethodDelete, "/v1/clusters/shop", nil, &o)
		if o = ended(t, l, o); o.Status != contract.OperationFailedDirty {
			t.Errorf("retire ended %s: %s", o.Status, o.Reason)
		}
		if !slices.ContainsFunc(o.Left, func(arn string) bool { return strings.Contains(arn, ":vpc/") }) {
			t.Errorf("left names %v, and no VPC", o.Left)
		}
	})
}

func ec2Cluster() contract.ClusterSpec {
	return contract.ClusterSpec{Name: "shop", Team: "storefront", Orchestrator: contract.Ecs,
		NodePools: []contract.NodePoolSpec{{Name: "nodes", InstanceType: "m6i.large", Size: 1, SizeMax: 2}},
		Ecs:       contract.EcsCluster{Capacity: contract.EC2}}
}
