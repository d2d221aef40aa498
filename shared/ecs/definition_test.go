package ecs

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func facts(capacity contract.EcsClusterCapacity) orchestrator.ECSFacts {
	return orchestrator.ECSFacts{
		ClusterARN:           "arn:aws:ecs:eu-west-1:000000000000:cluster/shop",
		Capacity:             capacity,
		CapacityProvider:     "shop-nodes",
		ListenerARN:          "arn:aws:elasticloadbalancing:eu-west-1:000000000000:listener/app/a/b/c",
		VPC:                  "vpc-1",
		Subnets:              []string{"subnet-1", "subnet-2"},
		SecurityGroup:        "sg-1",
		TaskExecutionRoleARN: "arn:aws:iam::000000000000:role/execution",
		LogGroup:             "/portolan/ecs/shop",
	}
}

// wildfly is the service of the story, with everything a description can say.
func wildfly(capacity contract.EcsClusterCapacity) orchestrator.Release {
	known := facts(capacity)
	zero := 50
	release := orchestrator.Release{
		Service: orchestrator.ServiceRef{
			Name: "wildfly",
			Cluster: orchestrator.ClusterRef{
				Name: "shop", Team: "checkout", Facts: orchestrator.Facts{ECS: &known},
			},
		},
		Number: 7, Image: "registry.example.com/wildfly@sha256:00", Commit: "4a5b6c7",
		Replicas: 3, Operation: "01JD0000000000000000000000",
		Spec: contract.ServiceSpec{
			Container:   "webapp",
			Image:       "registry.example.com/wildfly:34",
			Command:     []string{"standalone.sh", "-b", "0.0.0.0"},
			Environment: map[string]string{"B": "2", "A": "1"},
			Secrets:     map[string]string{"KEY": "arn:aws:ssm:eu-west-1:000000000000:parameter/key"},
			Cpu:         512,
			Memory:      contract.Memory{LimitMiB: 1024, ReservationMiB: 512},
			Ports: []contract.Port{
				{ContainerPort: 8080}, {ContainerPort: 9990, Protocol: contract.Udp},
			},
			Role: "arn:aws:iam::000000000000:role/wildfly",
			HealthCheck: contract.HealthCheck{
				Command: []string{"curl", "-f", "localhost:8080"}, StartPeriodSeconds: 60,
			},
			LoadBalancer: contract.LoadBalancer{
				ContainerPort: 8080, HealthCheckPath: "/health",
				Rules: []contract.RoutingRule{{
					Hosts: []string{"shop.example.com"}, Paths: []string{"/app/*"},
				}},
			},
			Volumes: []contract.Volume{{
				Name: "data", ContainerPath: "/data", FileSystemId: "fs-01234567", ReadOnly: true,
			}},
			Rollout: contract.Rollout{HealthyPercentMin: &zero, HealthyPercentMax: 150},
			Ecs:     contract.EcsService{ExecutionRole: "arn:aws:iam::000000000000:role/secrets"},
		},
	}
	if capacity == contract.EC2 {
		release.Spec.Placement = contract.Placement{
			Constraints: []contract.Constraint{
				{Attribute: "zone", Operator: contract.In, Values: []string{"a", "b"}},
				{Attribute: "disk", Operator: contract.NotIn, Values: []string{"slow"}},
			},
			Spread: []contract.PlacementSpread{contract.Zone, contract.Node},
		}
	}
	return release
}

// golden compares what a value is in JSON with what the file says.
func golden(t *testing.T, name string, value any) {
	t.Helper()
	got, err := canonical(value)
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; it is now:\n%s", name, got)
	}
}

func TestRequests(t *testing.T) {
	for _, capacity := range []contract.EcsClusterCapacity{contract.EC2, contract.FARGATE} {
		release := wildfly(capacity)
		known := *release.Service.Cluster.Facts.ECS
		input, err := newDefinition(release, known)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "definition-"+string(capacity)+".json", input)
		balancers := []types.LoadBalancer{{
			TargetGroupArn: aws.String("arn:group"), ContainerName: aws.String("webapp"),
			ContainerPort: aws.Int32(8080),
		}}
		create := createInput(release, known, "arn:definition:7", balancers)
		golden(t, "create-"+string(capacity)+".json", create)
		existing := &types.Service{
			DesiredCount: 3, TaskDefinition: aws.String("arn:definition:6"),
		}
		updated := updateInput(release, known, existing, "arn:definition:7", balancers)
		golden(t, "update-"+string(capacity)+".json", updated)
	}
}

func TestHashTellsReleasesApart(t *testing.T) {
	hash := func(change func(*orchestrator.Release)) string {
		release := wildfly(contract.EC2)
		change(&release)
		input, err := newDefinition(release, facts(contract.EC2))
		if err != nil {
			t.Fatal(err)
		}
		return tag(input.Tags, tagHash)
	}
	same := hash(func(*orchestrator.Release) {})
	for _, change := range []func(*orchestrator.Release){
		func(r *orchestrator.Release) { r.Replicas = 9 },
		func(r *orchestrator.Release) { r.Operation = "another" },
		func(r *orchestrator.Release) { r.Spec.Rollout.HealthyPercentMax = 120 },
	} {
		if hash(change) != same {
			t.Error("what is no part of the task definition changes its hash")
		}
	}
	for _, change := range []func(*orchestrator.Release){
		func(r *orchestrator.Release) { r.Number = 8 },
		func(r *orchestrator.Release) { r.Image = "another" },
		func(r *orchestrator.Release) { r.Spec.Environment = nil },
	} {
		if hash(change) == same {
			t.Error("what is a part of the task definition leaves its hash")
		}
	}
}

func TestUpdateChangesOnlyWhatDiffers(t *testing.T) {
	release := wildfly(contract.EC2)
	known := facts(contract.EC2)
	service := func(definition, operation string, state types.DeploymentRolloutState) *types.Service {
		return &types.Service{
			DesiredCount: 3, Tags: tagsOf(TagOperation, operation),
			Deployments: []types.Deployment{{
				Status: aws.String("PRIMARY"), TaskDefinition: aws.String(definition),
				RolloutState: state,
			}},
		}
	}
	completed := types.DeploymentRolloutStateCompleted
	failed := types.DeploymentRolloutStateFailed
	if input := updateInput(release, known, service("d7", "x", completed), "d7", nil); input != nil {
		t.Errorf("nothing differs, but %+v", input)
	}
	if input := updateInput(release, known, service("d7", release.Operation, failed), "d7", nil); input != nil {
		t.Errorf("the operation has failed already, but %+v", input)
	}
	input := updateInput(release, known, service("d7", "x", failed), "d7", nil)
	if input == nil || !input.ForceNewDeployment {
		t.Errorf("another operation does not try again: %+v", input)
	}
	scaled := release
	scaled.Replicas = 5
	input = updateInput(scaled, known, service("d7", "x", completed), "d7", nil)
	if input == nil || *input.DesiredCount != 5 || input.TaskDefinition != nil ||
		input.ForceNewDeployment {
		t.Errorf("another scale is %+v", input)
	}
	existing := service("d6", "x", completed)
	existing.LoadBalancers = []types.LoadBalancer{{}}
	input = updateInput(release, known, existing, "d7", nil)
	if input == nil || input.LoadBalancers == nil || len(input.LoadBalancers) > 0 {
		t.Errorf("the load balancer is not taken away: %+v", input)
	}
}

func TestDaemonHasNoScale(t *testing.T) {
	release := wildfly(contract.EC2)
	release.Spec.Mode = contract.Global
	release.Spec.Rollout = contract.Rollout{}
	create := createInput(release, facts(contract.EC2), "d7", nil)
	if create.DesiredCount != nil || create.LaunchType != types.LaunchTypeEc2 ||
		create.CapacityProviderStrategy != nil ||
		*create.DeploymentConfiguration.MaximumPercent != 100 {
		t.Errorf("got %+v", create)
	}
	existing := &types.Service{DesiredCount: 2, TaskDefinition: aws.String("d6")}
	if input := updateInput(release, facts(contract.EC2), existing, "d7", nil); input.DesiredCount != nil {
		t.Errorf("got %+v", input)
	}
}

func TestFamiliesDoNotCollide(t *testing.T) {
	if Family("a-b", "c") == Family("a", "b-c") {
		t.Error("two services have one family")
	}
}

func TestNamesFit(t *testing.T) {
	release := wildfly(contract.EC2)
	for _, name := range groupNames(release.Service) {
		if len(name) > 32 {
			t.Errorf("target group %s has %d characters", name, len(name))
		}
	}
	token := createInput(release, facts(contract.EC2), "d", nil).ClientToken
	if len(*token) > 36 {
		t.Errorf("client token %s has %d characters", *token, len(*token))
	}
}
