package ecs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/local/clock"
	localecs "portolan/local/ecs"
	localelb "portolan/local/elbv2"
	"portolan/local/unique"
	"portolan/local/wire"
	"portolan/shared/contract"
	"portolan/shared/ecs"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/orchestratortest"
)

const (
	account = "111122223333"
	area    = "eu-west-1"
)

// bench is an ECS cluster of the embedded AWS. Its driver's calls go over line;
// those of unbroken, and what the tests do by hand, do not.
type bench struct {
	t      *testing.T
	server *localecs.Server
	ref    orchestrator.ClusterRef

	line     *line
	driver   *ecs.Driver
	unbroken *ecs.Driver
	ecs      *client.Client
	lb       *elbv2.Client
}

func start(t *testing.T, capacity contract.EcsClusterCapacity, nodes int) *bench {
	t.Helper()
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: account}, nil
	}))
	server, err := localecs.New(localecs.Config{
		Clock: clock.New(1), IDs: unique.New(1), Account: account, Region: area,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	router.Register("ecs", server)
	balancer, err := localelb.New(localelb.Config{
		Clock: clock.New(1), IDs: unique.New(2), Account: account, Region: area,
	})
	if err != nil {
		t.Fatal(err)
	}
	router.Register("elasticloadbalancing", balancer.Handler())
	way := &line{client: router.Client()}
	config := aws.Config{
		Region: area, HTTPClient: way, BaseEndpoint: aws.String("http://aws.local"),
		// Retries are the callers', so that the tests see each call.
		RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		}),
	}
	direct := config.Copy()
	direct.HTTPClient = router.Client()
	b := &bench{
		t: t, line: way, lb: elbv2.NewFromConfig(direct), server: server, ecs: client.NewFromConfig(direct), unbroken: ecs.NewFromConfig(direct),
		driver: ecs.NewFromConfig(config),
	}
	b.cluster(capacity, nodes)
	b.listener()
	return b
}

func (b *bench) cluster(capacity contract.EcsClusterCapacity, nodes int) {
	b.t.Helper()
	input := &client.CreateClusterInput{ClusterName: aws.String("shop")}
	if capacity == contract.FARGATE {
		input.CapacityProviders = []string{"FARGATE"}
	}
	out, err := b.ecs.CreateCluster(b.t.Context(), input)
	b.must(err)
	for i := range nodes {
		_, err := b.server.RegisterInstance(b.t.Context(), localecs.Registration{
			Cluster: "shop", EC2InstanceID: fmt.Sprintf("i-%017d", i+1), InstanceType: "t3.medium",
			AvailabilityZone: area + string(rune('a'+i)), CPU: 4096, Memory: 3900,
		})
		b.must(err)
	}
	facts := &orchestrator.ECSFacts{
		ClusterARN: *out.Cluster.ClusterArn, Capacity: capacity,
		VPC: "vpc-0123456789abcdef0", Subnets: []string{"subnet-0123456789abcdef0"},
		SecurityGroup:        "sg-0123456789abcdef0",
		TaskExecutionRoleARN: "arn:aws:iam::" + account + ":role/execution",
		LogGroup:             "/portolan/ecs/shop",
	}
	if capacity == contract.FARGATE {
		facts.CapacityProvider = "FARGATE"
	}
	b.ref = orchestrator.ClusterRef{
		Name: "shop", Team: "checkout", Facts: orchestrator.Facts{ECS: facts},
	}
}

// listener is what the cluster's stack makes: a listener that answers 404.
func (b *bench) listener() {
	b.t.Helper()
	balancer, err := b.lb.CreateLoadBalancer(b.t.Context(), &elbv2.CreateLoadBalancerInput{
		Name: aws.String("shop"), Subnets: []string{"subnet-a", "subnet-b"},
	})
	b.must(err)
	listener, err := b.lb.CreateListener(b.t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn,
		Port:            aws.Int32(80), Protocol: elbtypes.ProtocolEnumHttp,
		DefaultActions: []elbtypes.Action{{
			Type: elbtypes.ActionTypeEnumFixedResponse,
			FixedResponseConfig: &elbtypes.FixedResponseActionConfig{
				StatusCode: aws.String("404"), ContentType: aws.String("text/plain"),
			},
		}},
	})
	b.must(err)
	b.ref.Facts.ECS.ListenerARN = *listener.Listeners[0].ListenerArn
}

func (b *bench) groups() []elbtypes.TargetGroup {
	b.t.Helper()
	out, err := b.lb.DescribeTargetGroups(b.t.Context(), &elbv2.DescribeTargetGroupsInput{})
	b.must(err)
	return out.TargetGroups
}

// rules are those of the listener, but for its default.
func (b *bench) rules() []elbtypes.Rule {
	b.t.Helper()
	out, err := b.lb.DescribeRules(b.t.Context(), &elbv2.DescribeRulesInput{
		ListenerArn: aws.String(b.ref.Facts.ECS.ListenerARN),
	})
	b.must(err)
	return slices.DeleteFunc(out.Rules, func(r elbtypes.Rule) bool { return aws.ToBool(r.IsDefault) })
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// changeByHand is what somebody at ECS's console does.
func (b *bench) changeByHand(t *testing.T, service, image string) {
	t.Helper()
	capacity := b.ref.Facts.ECS.Capacity
	input := &client.RegisterTaskDefinitionInput{
		Family:                  aws.String("by-hand"),
		RequiresCompatibilities: []types.Compatibility{types.Compatibility(capacity)},
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("webapp"), Image: aws.String(image), Memory: aws.Int32(64),
			PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8080)}},
		}},
	}
	if capacity == contract.FARGATE {
		input.NetworkMode = types.NetworkModeAwsvpc
		input.Cpu, input.Memory = aws.String("256"), aws.String("512")
	}
	definition, err := b.ecs.RegisterTaskDefinition(t.Context(), input)
	b.must(err)
	_, err = b.ecs.UpdateService(t.Context(), &client.UpdateServiceInput{
		Cluster: aws.String("shop"), Service: aws.String(service),
		TaskDefinition: definition.TaskDefinition.TaskDefinitionArn,
	})
	b.must(err)
}

// left is everything that a service may leave behind.
func (b *bench) left(t *testing.T) []string {
	t.Helper()
	services, err := b.ecs.ListServices(t.Context(),
		&client.ListServicesInput{Cluster: aws.String("shop")})
	b.must(err)
	left := services.ServiceArns
	definitions, err := b.ecs.ListTaskDefinitions(t.Context(), &client.ListTaskDefinitionsInput{})
	b.must(err)
	for _, arn := range definitions.TaskDefinitionArns {
		if !strings.Contains(arn, "by-hand") {
			left = append(left, arn)
		}
	}
	for _, g := range b.groups() {
		left = append(left, *g.TargetGroupArn)
	}
	for _, r := range b.rules() {
		left = append(left, *r.RuleArn)
	}
	return left
}

func harness(capacity contract.EcsClusterCapacity, nodes int) func(*testing.T) orchestratortest.Harness {
	return func(t *testing.T) orchestratortest.Harness {
		b := start(t, capacity, nodes)
		return orchestratortest.Harness{
			Orchestrator: b.driver, Cluster: b.ref,
			ChangeByHand: b.changeByHand, Left: b.left,
		}
	}
}

func TestContractOnEC2(t *testing.T) { orchestratortest.Run(t, harness(contract.EC2, 2)) }

func TestContractOnFargate(t *testing.T) { orchestratortest.Run(t, harness(contract.FARGATE, 0)) }
