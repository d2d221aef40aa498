package trail

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

const (
	clusterARN = "arn:aws:ecs:eu-central-1:111122223333:cluster/portolan-shop"
	group      = "portolan-shop-AutoScalingGroup-1AB2C3"
	task       = "c13b4cb40f1f4fe4a2971f76ae5a47ad"
	taskRole   = "arn:aws:iam::111122223333:role/shop-web"
	execRole   = "arn:aws:iam::111122223333:role/portolan-shop-TaskExecutionRole-1X"
	definition = "arn:aws:ecs:us-west-2:111122223333:task-definition/sample-fargate:1"
	digestA    = "sha256:74b2c688c700ec95a93e478cdb959737c148df3fbf5ea706abe0318726e885e6"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func document(t testing.TB, name string, changes ...string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile("../../events/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(raw), changes[i]) {
			t.Fatalf("%s has no %s", name, changes[i])
		}
	}
	return json.RawMessage(strings.NewReplacer(changes...).Replace(string(raw)))
}

// record is a record of CloudTrail; the first four arguments of a call say what was
// called and by whom.
type record struct {
	id, service, name, who, request, errorCode string
}

func (r record) event() json.RawMessage {
	failed := ""
	if r.errorCode != "" {
		failed = fmt.Sprintf(`"errorCode": %q, "errorMessage": "refused",`, r.errorCode)
	}
	return json.RawMessage(fmt.Sprintf(`{"version": "0", "id": "e", "detail-type": "AWS API Call via CloudTrail",
		"source": "aws.%[2]s", "account": "111122223333", "time": "2026-11-23T11:58:00Z", "region": "eu-central-1",
		"resources": [], "detail": {"eventID": %[1]q, "eventTime": "2026-11-23T11:57:30Z",
		"userIdentity": {"type": "AssumedRole", "arn": %[4]q, "accessKeyId": "ASIASECRET"},
		"eventSource": "%[2]s.amazonaws.com", "eventName": %[3]q, "awsRegion": "eu-central-1",
		"sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.31", %[6]s
		"requestParameters": %[5]s, "responseElements": {"credentials": {"sessionToken": "SECRET"}}}}`,
		r.id, r.service, r.name, r.who, r.request, failed))
}

const (
	admin    = "arn:aws:sts::111122223333:assumed-role/Admin/ada"
	ofTask   = "arn:aws:sts::111122223333:assumed-role/shop-web/" + task
	byHand   = `{"cluster": "portolan-shop", "service": "web", "desiredCount": 7.0}`
	groupBy5 = `{"autoScalingGroupName": "` + group + `", "desiredCapacity": 5}`

	nodeGroup    = "eks-batch-12ab34cd-56ef"
	nodeGroupBy5 = `{"autoScalingGroupName": "` + nodeGroup + `", "desiredCapacity": 5}`
)

// services is what runs: nil for a service that is gone.
type services struct {
	seen  *orchestrator.Observation
	calls int
	fail  error
}

func (s *services) Observe(_ context.Context, ref orchestrator.ServiceRef) (orchestrator.Observation, error) {
	s.calls++
	if s.fail != nil {
		return orchestrator.Observation{}, s.fail
	}
	if s.seen == nil || ref.Name != "web" || ref.Cluster.Facts.ECS.ClusterARN != clusterARN {
		return orchestrator.Observation{}, fault.New(fault.NotFound, "no service %s", ref.Name)
	}
	return *s.seen, nil
}

// definitions knows task definitions by ARN.
type definitions struct {
	known map[string]*ecs.DescribeTaskDefinitionOutput
	calls int
}

func (d *definitions) DescribeTaskDefinition(_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	d.calls++
	if found, known := d.known[*in.TaskDefinition]; known {
		return found, nil
	}
	return nil, &types.ClientException{Message: aws.String("Unable to describe task definition.")}
}

// groups has one group, of that size, and that of a node group in EKS.
type groups struct {
	size, ofEKS int32

	// ofInstance is the group of every instance; none has one where it is empty.
	ofInstance string
}

// DescribeAutoScalingInstances tells the group of an instance.
func (g *groups) DescribeAutoScalingInstances(_ context.Context, in *autoscaling.DescribeAutoScalingInstancesInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	out := &autoscaling.DescribeAutoScalingInstancesOutput{}
	if g.ofInstance != "" {
		out.AutoScalingInstances = []scalingtypes.AutoScalingInstanceDetails{{InstanceId: &in.InstanceIds[0], AutoScalingGroupName: &g.ofInstance}}
	}
	return out, nil
}

func (g *groups) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput, _ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	if in.AutoScalingGroupNames[0] == nodeGroup {
		return &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []scalingtypes.AutoScalingGroup{{DesiredCapacity: &g.ofEKS,
			Tags: []scalingtypes.TagDescription{{Key: aws.String("eks:nodegroup-name"), Value: aws.String("batch")},
				{Key: aws.String("eks:cluster-name"), Value: aws.String("portolan-harbour")}},
		}}}, nil
	}
	if in.AutoScalingGroupNames[0] != group {
		return &autoscaling.DescribeAutoScalingGroupsOutput{}, nil
	}
	return &autoscaling.DescribeAutoScalingGroupsOutput{
		AutoScalingGroups: []scalingtypes.AutoScalingGroup{{DesiredCapacity: &g.size}},
	}, nil
}

// table is the door with a store of its own, a cluster shop with 3 nodes, and its
// service web with 4 tasks of release 2.
type table struct {
	*testing.T
	*Handler
	store       *store.Store
	services    *services
	definitions *definitions
	groups      *groups
}

func newTable(t *testing.T, setting contract.Drift) *table {
	t.Helper()
	s := storetest.Open(t)
	x := &table{T: t, store: s, groups: &groups{size: 3, ofEKS: 2}, services: &services{seen: observed(4, 2)}}
	x.definitions = &definitions{known: map[string]*ecs.DescribeTaskDefinitionOutput{definition: {
		TaskDefinition: &types.TaskDefinition{TaskRoleArn: aws.String(taskRole), ExecutionRoleArn: aws.String(execRole)},
		Tags:           []types.Tag{{Key: aws.String("portolan:release"), Value: aws.String("2")}},
	}}}
	ids := 0
	x.Handler = &Handler{
		Store: s, Services: x.services, Definitions: x.definitions, Groups: x.groups,
		Now: func() time.Time { return now }, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
		NewID: func() string { ids++; return fmt.Sprintf("01KAQ6M3V6Z4YJ9T2R8N5C7X%02d", ids) },
	}
	x.commit(
		store.CreateCluster(model.Cluster{
			Spec:   contract.ClusterSpec{Name: "shop", Team: "shop", Drift: setting},
			Status: contract.ClusterReady, Generation: 1,
			NodePools: []model.NodePool{{Name: "workers", Size: 3, SizeMax: 6}},
			Facts:     orchestrator.Facts{ECS: &orchestrator.ECSFacts{ClusterARN: clusterARN, AutoScalingGroup: group}},
		}),
		store.CreateService(model.Service{Cluster: "shop", Name: "web", Team: "shop", Replicas: 4, Generation: 5,
			Release: 2, LastRelease: 2, Status: contract.ServiceHealthy}),
		store.CreateRelease(model.Release{Cluster: "shop", Service: "web", Number: 2, Commit: "c0ffee"}),
	)
	return x
}

func observed(desired int, release int64) *orchestrator.Observation {
	return &orchestrator.Observation{Desired: desired, Rollout: orchestrator.Rollout{Release: release}}
}

func (x *table) commit(writes ...store.Write) {
	x.Helper()
	if err := x.store.Commit(x.Context(), writes...); err != nil {
		x.Fatal(err)
	}
}

func (x *table) handle(raw json.RawMessage) Out {
	x.Helper()
	out, err := x.Handle(x.Context(), raw)
	if err != nil {
		x.Fatal(err)
	}
	return out
}

// audit is what was kept for the cluster, newest first.
func (x *table) audit() []model.AuditRecord {
	x.Helper()
	all, _, err := x.store.Audit(x.Context(), contract.Target{Cluster: "shop"}, "2026-11-23", store.Page{Limit: 100})
	if err != nil {
		x.Fatal(err)
	}
	return all
}

func (x *table) service() model.Service {
	x.Helper()
	s, err := x.store.Service(x.Context(), "shop", "web")
	if err != nil {
		x.Fatal(err)
	}
	return *s
}

func (x *table) operations(target string) []model.Operation {
	x.Helper()
	queue, err := x.store.Queue(x.Context(), target)
	if err != nil {
		x.Fatal(err)
	}
	var all []model.Operation
	for _, id := range queue.Operations {
		o, err := x.store.Operation(x.Context(), id)
		if err != nil {
			x.Fatal(err)
		}
		all = append(all, *o)
	}
	return all
}

func (x *table) role() contract.TaskRole {
	x.Helper()
	role, err := x.store.TaskRole(x.Context(), task)
	if err != nil {
		x.Fatal(err)
	}
	return *role
}
