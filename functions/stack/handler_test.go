package stack

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// A scene is the handler on the real store, with stacks that are there as soon as
// they are asked for.
type scene struct {
	*testing.T
	*Handler
	store   *store.Store
	call    step.Call
	stacks  map[string]*types.Stack
	asked   []*cloudformation.CreateStackInput
	events  map[string][]types.StackEvent
	outputs map[string]string
	made    []types.StackResource
	trouble error
}

// CreateStack implements CloudFormation.
func (s *scene) CreateStack(_ context.Context, in *cloudformation.CreateStackInput, _ ...func(*cloudformation.Options)) (*cloudformation.CreateStackOutput, error) {
	if s.trouble != nil {
		return nil, s.trouble
	}
	s.asked = append(s.asked, in)
	if s.stacks[*in.StackName] != nil {
		return nil, &types.AlreadyExistsException{Message: aws.String("Stack [" + *in.StackName + "] already exists")}
	}
	made := &types.Stack{StackName: in.StackName, Tags: in.Tags}
	for key, value := range s.outputs {
		made.Outputs = append(made.Outputs, types.Output{OutputKey: &key, OutputValue: &value})
	}
	s.stacks[*in.StackName] = made
	return &cloudformation.CreateStackOutput{}, nil
}

func missing(name string) error {
	return &smithy.GenericAPIError{Code: "ValidationError", Message: "Stack with id " + name + " does not exist"}
}

// DescribeStacks implements CloudFormation.
func (s *scene) DescribeStacks(_ context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	found := s.stacks[*in.StackName]
	if found == nil {
		return nil, missing(*in.StackName)
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{*found}}, nil
}

// DescribeStackResources implements CloudFormation.
func (s *scene) DescribeStackResources(_ context.Context, in *cloudformation.DescribeStackResourcesInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourcesOutput, error) {
	if s.stacks[*in.StackName] == nil {
		return nil, missing(*in.StackName)
	}
	return &cloudformation.DescribeStackResourcesOutput{StackResources: s.made}, nil
}

// DescribeStackEvents implements CloudFormation: newest first, two to a page.
func (s *scene) DescribeStackEvents(_ context.Context, in *cloudformation.DescribeStackEventsInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackEventsOutput, error) {
	all, ok := s.events[*in.StackName]
	if !ok {
		return nil, missing(*in.StackName)
	}
	from := 0
	if in.NextToken != nil {
		from, _ = strconv.Atoi(*in.NextToken)
	}
	to := min(from+2, len(all))
	out := &cloudformation.DescribeStackEventsOutput{StackEvents: all[from:to]}
	if to < len(all) {
		out.NextToken = aws.String(fmt.Sprint(to))
	}
	return out, nil
}

const role = "arn:aws:iam::111122223333:role/portolan-StackRole"

func newScene(t *testing.T) *scene {
	s := &scene{T: t, store: storetest.Open(t), stacks: map[string]*types.Stack{}, events: map[string][]types.StackEvent{}}
	s.Handler = &Handler{Store: s.store, StackRole: role, Log: steptest.Log(),
		Client: func(operation string) CloudFormation {
			if operation != "operation" {
				t.Errorf("a client of %s", operation)
			}
			return s
		}}
	cluster := steptest.Cluster()
	cluster.Facts.ECS = nil
	steptest.Commit(t, s.store, store.CreateCluster(cluster))
	s.call = steptest.Begin(t, s.store, "operation", contract.KindProvision, contract.Target{Cluster: "shop"})
	return s
}

func (s *scene) try(name string, in In) (State, error) {
	in.Call = s.call
	in.Step = name
	return s.Handle(s.Context(), in)
}

func (s *scene) do(name string, in In) State {
	s.Helper()
	out, err := s.try(name, in)
	if err != nil {
		s.Fatalf("%s: %v", name, err)
	}
	return out
}

func TestPlans(t *testing.T) {
	s := newScene(t)
	if out := s.do("PlanStacks", In{}); !slices.Equal(out.Stacks, []string{"portolan-shop-network", "portolan-shop"}) || out.LookAfterSeconds == 0 {
		t.Errorf("to create: %+v", out)
	}
	if out := s.do("PlanDeletion", In{}); !slices.Equal(out.Stacks, []string{"portolan-shop", "portolan-shop-network"}) || out.LookAfterSeconds == 0 {
		t.Errorf("to delete: %+v", out)
	}
}

func TestStackIsAskedForOnce(t *testing.T) {
	s := newScene(t)
	s.outputs = map[string]string{"VpcId": "vpc-1", "PrivateSubnetIds": "a,b", "PublicSubnetIds": "c,d"}
	s.do("CreateStack", In{Stack: "portolan-shop-network"})
	if out := s.do("CreateStack", In{Stack: "portolan-shop"}); out.LookAfterSeconds == 0 || out.Looks != 0 {
		t.Errorf("got %+v", out)
	}
	s.do("CreateStack", In{Stack: "portolan-shop"}) // its answer was lost
	got := s.asked[1]
	if aws.ToString(got.RoleARN) != role || aws.ToString(got.ClientRequestToken) != "operation-create" ||
		got.OnFailure != types.OnFailureRollback || !strings.Contains(*got.TemplateBody, "AWS::ECS::Cluster") {
		t.Errorf("asked for %+v", got)
	}
	tags, parameters := map[string]string{}, map[string]string{}
	for _, tag := range got.Tags {
		tags[*tag.Key] = *tag.Value
	}
	for _, p := range got.Parameters {
		parameters[*p.ParameterKey] = *p.ParameterValue
	}
	if tags["portolan:cluster"] != "shop" || tags["portolan:team"] != "checkout" || tags["portolan:operation"] != "operation" {
		t.Errorf("the tags are %v", tags)
	}
	if parameters["VpcId"] != "vpc-1" || parameters["SubnetIds"] != "a,b" || parameters["LoadBalancerSubnetIds"] != "c,d" {
		t.Errorf("the parameters are %v", parameters)
	}
}

func TestSomebodyElsesStackIsAConflict(t *testing.T) {
	s := newScene(t)
	s.stacks["portolan-shop-network"] = &types.Stack{Tags: []types.Tag{{Key: aws.String("portolan:operation"), Value: aws.String("another")}}}
	if _, err := s.try("CreateStack", In{Stack: "portolan-shop-network"}); !fault.IsConflict(err) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyIntendedStacksAreMade(t *testing.T) {
	s := newScene(t)
	s.stacks["portolan-shop-network"], s.stacks["portolan-shop"] = &types.Stack{}, &types.Stack{}
	if _, err := s.try("CreateStack", In{Stack: "portolan-other"}); !fault.IsInvalid(err) || len(s.asked) != 0 {
		t.Errorf("got %v", err)
	}
	s = newScene(t)
	if _, err := s.try("CreateStack", In{Stack: "portolan-shop"}); !fault.IsNotFound(err) || len(s.asked) != 0 {
		t.Errorf("without the network: %v", err)
	}
}

func TestTroubleIsTriedAgain(t *testing.T) {
	s := newScene(t)
	s.trouble = &smithy.GenericAPIError{Code: "Throttling", Message: "Rate exceeded"}
	if _, err := s.try("CreateStack", In{Stack: "portolan-shop-network"}); !fault.IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

func TestFactsAreKept(t *testing.T) {
	s := newScene(t)
	s.stacks["portolan-shop"] = &types.Stack{Outputs: []types.Output{
		{OutputKey: aws.String("ClusterArn"), OutputValue: aws.String("arn:cluster")},
		{OutputKey: aws.String("AutoScalingGroupName"), OutputValue: aws.String("group")},
		{OutputKey: aws.String("LoadBalancerDnsName"), OutputValue: aws.String("shop.example")},
		{OutputKey: aws.String("SubnetIds"), OutputValue: aws.String("a,b")},
	}}
	s.do("RecordFacts", In{})
	s.do("RecordFacts", In{}) // once more
	c, err := s.store.Cluster(t.Context(), "shop")
	if err != nil || c.Facts.ECS == nil || c.Facts.ECS.ClusterARN != "arn:cluster" || c.Facts.ECS.AutoScalingGroup != "group" ||
		c.Endpoint != "shop.example" || !slices.Equal(c.Facts.ECS.Subnets, []string{"a", "b"}) {
		t.Errorf("the cluster is %+v, %v", c, err)
	}
}

func failed(id, why string) types.StackEvent {
	return types.StackEvent{LogicalResourceId: &id, ResourceType: aws.String("AWS::EC2::EIP"), ResourceStatusReason: &why,
		ResourceStatus: types.ResourceStatusCreateFailed}
}

// The first resource that failed is to blame; the others were cancelled for it.
func TestFailureIsExplainedByTheFirstResource(t *testing.T) {
	s := newScene(t)
	going := types.StackEvent{ResourceStatus: types.ResourceStatusRollbackInProgress}
	s.events["portolan-shop-network"] = []types.StackEvent{going, failed("GatewayB", "Resource creation cancelled"),
		failed("AddressA", "The maximum number of addresses has been reached."), going}
	in := In{}
	in.State.Error.Error, in.State.Error.Cause = "States.TaskFailed", "FailedDirty"
	out := s.do("ExplainFailure", in)
	want := "stack portolan-shop-network: AddressA (AWS::EC2::EIP) failed: The maximum number of addresses has been reached."
	if out.Reason != want || !slices.Equal(out.Stacks, []string{"portolan-shop", "portolan-shop-network"}) {
		t.Errorf("got %+v", out)
	}
}

func TestFailureWithoutAResourceKeepsItsReason(t *testing.T) {
	s := newScene(t)
	in := In{}
	in.State.Error.Error, in.State.Error.Cause = "Invalid", "no such template"
	if out := s.do("ExplainFailure", in); out.Reason != "Invalid: no such template" {
		t.Errorf("got %+v", out)
	}
	in.State.Reason = "1 of 2 nodes have joined"
	if out := s.do("ExplainFailure", in); out.Reason != "1 of 2 nodes have joined" {
		t.Errorf("got %+v", out)
	}
}

func TestGroupOfAStackWithoutOutputsIsKept(t *testing.T) {
	s := newScene(t)
	s.stacks["portolan-shop"] = &types.Stack{StackName: aws.String("portolan-shop")}
	s.made = []types.StackResource{
		{ResourceType: aws.String("AWS::ECS::Cluster"), PhysicalResourceId: aws.String("shop")},
		{ResourceType: aws.String("AWS::AutoScaling::AutoScalingGroup"), PhysicalResourceId: aws.String("nodes")},
		{ResourceType: aws.String("AWS::ECS::CapacityProvider")},
	}
	s.do("ExplainFailure", In{})
	cluster, err := s.store.Cluster(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if facts := cluster.Facts.ECS; facts == nil || facts.AutoScalingGroup != "nodes" || facts.ClusterARN != "shop" {
		t.Errorf("kept %+v: the protected nodes cannot be found", facts)
	}
}

func TestStepsStandBehindTheFence(t *testing.T) {
	for _, name := range []string{"PlanStacks", "PlanDeletion", "CreateStack", "RecordFacts", "ExplainFailure"} {
		s := newScene(t)
		steptest.Lose(t, s.store, s.call)
		if _, err := s.try(name, In{Stack: "portolan-shop-network"}); !fault.IsHalted(err) || len(s.asked) != 0 {
			t.Errorf("%s without the lease: %v", name, err)
		}
	}
}
