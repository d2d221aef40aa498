package ecs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/ecs"
	"portolan/local/events"
	"portolan/local/unique"
	"portolan/local/wire"
)

// bench is an ECS with a client, and what it told others.
type bench struct {
	*client.Client
	t      *testing.T
	server *ecs.Server
	events []events.Event
	roles  []string
}

func (b *bench) Emit(_ context.Context, e events.Event) { b.events = append(b.events, e) }

func (b *bench) RecordAssumeRole(_ context.Context, by, role, session string) {
	b.roles = append(b.roles, by+" "+role+" "+session)
}

func start(t *testing.T, d *disk.Disk) *bench {
	t.Helper()
	b := &bench{}
	server, err := ecs.New(ecs.Config{Clock: clock.New(1), Disk: d, IDs: unique.New(1), Account: "111122223333",
		Region: "eu-west-1", Events: b, Roles: b})
	if err != nil {
		t.Fatal(err)
	}
	served := clientOf(t, server)
	b.t, b.server, b.Client = t, server, served.Client
	return b
}

// clientOf is a bench for a server that tells nobody.
func clientOf(t *testing.T, server *ecs.Server) *bench {
	t.Helper()
	b := &bench{t: t, server: server}
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: "111122223333"}, nil
	}))
	router.Register("ecs", server)
	b.Client = client.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: router.Client(),
		BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "x"}, nil
		})})
	return b
}

// inCluster runs fn in a bubble with a cluster of n instances.
func inCluster(t *testing.T, n int, fn func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		_, err := b.CreateCluster(t.Context(), &client.CreateClusterInput{ClusterName: aws.String("shop")})
		b.must(err)
		b.join(n)
		fn(t, b)
	})
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) join(n int) {
	b.t.Helper()
	for i := range n {
		_, err := b.server.RegisterInstance(b.t.Context(), ecs.Registration{Cluster: "shop",
			EC2InstanceID: fmt.Sprintf("i-%017d", i+1), InstanceType: "t3.large", AvailabilityZone: "eu-west-1" + string(rune('a'+i%3)),
			CPU: 2048, Memory: 7800})
		b.must(err)
	}
}

func (b *bench) register(image string) string {
	b.t.Helper()
	out, err := b.RegisterTaskDefinition(b.t.Context(), &client.RegisterTaskDefinitionInput{
		Family: aws.String("wildfly"), TaskRoleArn: aws.String("arn:aws:iam::111122223333:role/webapp"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("webapp"), Image: aws.String(image),
			Memory: aws.Int32(1024), PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8080)}}}}})
	b.must(err)
	return *out.TaskDefinition.TaskDefinitionArn
}

func (b *bench) create(definition string, desired int32, rollback bool) {
	b.t.Helper()
	_, err := b.CreateService(b.t.Context(), &client.CreateServiceInput{Cluster: aws.String("shop"),
		ServiceName: aws.String("web"), TaskDefinition: &definition, DesiredCount: &desired,
		DeploymentConfiguration: &types.DeploymentConfiguration{
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: rollback}}})
	b.must(err)
}

func (b *bench) update(in client.UpdateServiceInput) {
	b.t.Helper()
	in.Cluster, in.Service = aws.String("shop"), aws.String("web")
	_, err := b.UpdateService(b.t.Context(), &in)
	b.must(err)
}

func (b *bench) service() types.Service {
	b.t.Helper()
	out, err := b.DescribeServices(b.t.Context(), &client.DescribeServicesInput{Cluster: aws.String("shop"), Services: []string{"web"}})
	b.must(err)
	if len(out.Services) != 1 {
		b.t.Fatalf("service web: %+v", out.Failures)
	}
	return out.Services[0]
}

// wait lets the time pass, and what is due then be done.
func (b *bench) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// within waits until ok holds, and tells how long that took.
func (b *bench) within(limit time.Duration, what string, ok func() bool) time.Duration {
	b.t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			b.t.Fatalf("%s: not within %v: %+v", what, limit, b.service().Deployments)
		}
		b.wait(time.Second)
	}
	return time.Since(began)
}

func (b *bench) steady(desired int32) func() bool {
	return func() bool {
		s := b.service()
		return len(s.Deployments) == 1 && s.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted &&
			s.RunningCount == desired && s.PendingCount == 0
	}
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return fmt.Sprint(err)
}

func (b *bench) wantCode(err error, want string) {
	b.t.Helper()
	if got := code(err); !strings.HasPrefix(got, want) {
		b.t.Errorf("got %s, want %s", got, want)
	}
}

// named are the names of the events of a detail type, in order.
func (b *bench) named(detailType string) string {
	var names []string
	for _, e := range b.events {
		if e.DetailType == detailType {
			names = append(names, fmt.Sprint(e.Detail.(map[string]any)["eventName"]))
		}
	}
	return strings.Join(names, " ")
}

func TestAServiceComesUpAndScales(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, b *bench) {
		b.create(b.register("shop/web:1"), 2, false)
		took := b.within(3*time.Minute, "two tasks", b.steady(2))
		if took < 20*time.Second {
			t.Errorf("two tasks came up in %v: too fast for AWS", took)
		}
		if got, want := b.named("ECS Deployment State Change"), "SERVICE_DEPLOYMENT_IN_PROGRESS SERVICE_DEPLOYMENT_COMPLETED"; got != want {
			t.Errorf("deployment events: %s, want %s", got, want)
		}
		if got := b.named("ECS Service Action"); got != "SERVICE_STEADY_STATE" {
			t.Errorf("service actions: %s", got)
		}
		if len(b.roles) != 2 || !strings.HasPrefix(b.roles[0], "ecs-tasks.amazonaws.com arn:aws:iam::111122223333:role/webapp ") {
			t.Errorf("roles: %v", b.roles)
		}
		b.update(client.UpdateServiceInput{DesiredCount: aws.Int32(6)})
		b.within(3*time.Minute, "six tasks", b.steady(6))
		b.update(client.UpdateServiceInput{DesiredCount: aws.Int32(1)})
		b.within(3*time.Minute, "one task", b.steady(1))
	})
}

func TestTaskEventsGrowInVersion(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, b *bench) {
		b.create(b.register("shop/web:1"), 1, false)
		b.within(3*time.Minute, "a task", b.steady(1))
		var states []string
		last := 0.0
		for _, e := range b.events {
			if e.DetailType != "ECS Task State Change" {
				continue
			}
			detail := e.Detail.(events.Members)
			version := detail["version"].(float64)
			if version <= last {
				t.Errorf("version %v follows %v", version, last)
			}
			last = version
			states = append(states, detail["lastStatus"].(string))
			if _, err := time.Parse(time.RFC3339, detail["createdAt"].(string)); err != nil {
				t.Error(err)
			}
		}
		if got, want := strings.Join(states, " "), "PROVISIONING PENDING RUNNING"; got != want {
			t.Errorf("states: %s, want %s", got, want)
		}
	})
}

func TestARolloutKeepsWithinItsPercentages(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, b *bench) {
		b.create(b.register("shop/web:1"), 4, false)
		b.within(3*time.Minute, "release 1", b.steady(4))
		second := b.register("shop/web:2")
		b.update(client.UpdateServiceInput{TaskDefinition: &second, DeploymentConfiguration: &types.DeploymentConfiguration{
			MaximumPercent: aws.Int32(150), MinimumHealthyPercent: aws.Int32(100)}})
		b.within(10*time.Minute, "release 2", func() bool {
			s := b.service()
			if s.RunningCount < 4 || s.RunningCount+s.PendingCount > 6 {
				t.Fatalf("%d running and %d pending of 4 desired at 100 to 150 percent", s.RunningCount, s.PendingCount)
			}
			return b.steady(4)()
		})
		if got := *b.service().TaskDefinition; got != second {
			t.Errorf("the service runs %s", got)
		}
	})
}

func TestTheCircuitBreakerRollsBack(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, b *bench) {
		first := b.register("shop/web:1")
		b.create(first, 4, true)
		b.within(3*time.Minute, "release 1", b.steady(4))
		crashing := b.register("shop/web:crash")
		b.update(client.UpdateServiceInput{TaskDefinition: &crashing})
		b.within(10*time.Minute, "rollback", func() bool { return *b.service().TaskDefinition == first })
		b.within(10*time.Minute, "release 1 again", b.steady(4))
		want := "SERVICE_DEPLOYMENT_IN_PROGRESS SERVICE_DEPLOYMENT_COMPLETED SERVICE_DEPLOYMENT_IN_PROGRESS " +
			"SERVICE_DEPLOYMENT_FAILED SERVICE_DEPLOYMENT_IN_PROGRESS SERVICE_DEPLOYMENT_COMPLETED"
		if got := b.named("ECS Deployment State Change"); got != want {
			t.Errorf("events: %s\nwant    %s", got, want)
		}
	})
}

func TestFailingTasksEndTheDeployment(t *testing.T) {
	for _, image := range []string{"web:crash", "web:pull-fail", "web:unhealthy"} {
		t.Run(image, func(t *testing.T) {
			inCluster(t, 2, func(t *testing.T, b *bench) {
				b.create(b.register(image), 2, false)
				b.within(15*time.Minute, "failure", func() bool {
					return b.service().Deployments[0].RolloutState == types.DeploymentRolloutStateFailed
				})
				d := b.service().Deployments[0]
				if d.FailedTasks < 3 || !strings.Contains(*d.RolloutStateReason, "circuit breaker") {
					t.Errorf("%d failed: %s", d.FailedTasks, *d.RolloutStateReason)
				}
				b.wait(5 * time.Minute)
				if s := b.service(); s.RunningCount+s.PendingCount != 0 {
					t.Errorf("a failed deployment still has %d tasks", s.RunningCount+s.PendingCount)
				}
			})
		})
	}
}

func TestADrainingInstanceIsEmptied(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, b *bench) {
		b.create(b.register("shop/web:1"), 4, false)
		b.within(3*time.Minute, "release 1", b.steady(4))
		list, err := b.ListContainerInstances(t.Context(), &client.ListContainerInstancesInput{Cluster: aws.String("shop")})
		b.must(err)
		leaving := list.ContainerInstanceArns[:1]
		_, err = b.UpdateContainerInstancesState(t.Context(), &client.UpdateContainerInstancesStateInput{
			Cluster: aws.String("shop"), ContainerInstances: leaving, Status: types.ContainerInstanceStatusDraining})
		b.must(err)
		b.within(5*time.Minute, "drained", func() bool {
			if s := b.service(); s.RunningCount < 4 {
				t.Fatalf("only %d of 4 tasks run while one instance drains", s.RunningCount)
			}
			out, err := b.DescribeContainerInstances(t.Context(), &client.DescribeContainerInstancesInput{
				Cluster: aws.String("shop"), ContainerInstances: leaving})
			b.must(err)
			i := out.ContainerInstances[0]
			return i.RunningTasksCount == 0 && i.PendingTasksCount == 0
		})
		b.within(3*time.Minute, "steady", b.steady(4))
	})
}

func TestALostInstanceIsMadeUpFor(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, b *bench) {
		b.create(b.register("shop/web:1"), 4, false)
		b.within(3*time.Minute, "release 1", b.steady(4))
		b.server.InstanceGone(t.Context(), "i-00000000000000001")
		if s := b.service(); s.RunningCount != 2 {
			t.Errorf("%d tasks run right after the loss", s.RunningCount)
		}
		b.within(3*time.Minute, "replaced", b.steady(4))
	})
}

func TestATaskThatFitsNowhereWaitsForRoom(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, b *bench) {
		b.create(b.register("shop/web:1"), 9, false)
		b.wait(3 * time.Minute)
		s := b.service()
		if s.RunningCount != 7 {
			t.Errorf("%d tasks of 1024 MiB run in 7800 MiB", s.RunningCount)
		}
		if got := b.named("ECS Service Action"); got != "SERVICE_TASK_PLACEMENT_FAILURE" {
			t.Errorf("service actions: %s", got)
		}
		if !strings.Contains(*s.Events[0].Message, "insufficient memory available") {
			t.Errorf("last event: %s", *s.Events[0].Message)
		}
		arn, err := b.server.RegisterInstance(t.Context(), ecs.Registration{Cluster: "shop", EC2InstanceID: "i-new", CPU: 2048, Memory: 7800})
		b.must(err)
		for id, cluster := range map[string]string{"i-new": "shop", arn[strings.LastIndex(arn, "/")+1:]: "shop", "i-none": ""} {
			if in := b.server.ClusterOf(id); in != cluster {
				t.Errorf("instance %s is in the cluster %q", id, in)
			}
		}
		b.within(3*time.Minute, "placed", b.steady(9))
	})
}

func TestRefusalsInAWSsWords(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, b *bench) {
		ctx, shop := t.Context(), aws.String("shop")
		definition := b.register("shop/web:1")
		b.create(definition, 1, false)
		_, err := b.DescribeServices(ctx, &client.DescribeServicesInput{Cluster: aws.String("none"), Services: []string{"web"}})
		b.wantCode(err, "ClusterNotFoundException: Cluster not found.")
		_, err = b.UpdateService(ctx, &client.UpdateServiceInput{Cluster: shop, Service: aws.String("none")})
		b.wantCode(err, "ServiceNotFoundException: Service not found.")
		_, err = b.CreateService(ctx, &client.CreateServiceInput{Cluster: shop, ServiceName: aws.String("web"),
			TaskDefinition: &definition, DesiredCount: aws.Int32(3)})
		b.wantCode(err, "InvalidParameterException: Creation of service was not idempotent.")
		_, err = b.DeleteCluster(ctx, &client.DeleteClusterInput{Cluster: shop})
		b.wantCode(err, "ClusterContainsServicesException: The Cluster cannot be deleted while Services are active.")
		_, err = b.DeleteService(ctx, &client.DeleteServiceInput{Cluster: shop, Service: aws.String("web")})
		b.wantCode(err, "InvalidParameterException: The service cannot be stopped while it is scaled above 0.")
		_, err = b.RegisterTaskDefinition(ctx, &client.RegisterTaskDefinitionInput{Family: aws.String("f"),
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("c"), Image: aws.String("i")}}})
		b.wantCode(err, "ClientException: Invalid setting for container 'c'. At least one of 'memory' or 'memoryReservation' must be specified.")
		_, err = b.DescribeTasks(ctx, &client.DescribeTasksInput{Cluster: shop, Tasks: make([]string, 101)})
		b.wantCode(err, "InvalidParameterException: Tasks cannot be more than 100.")
	})
}

func TestRetiringACluster(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, b *bench) {
		ctx, shop := t.Context(), aws.String("shop")
		b.create(b.register("shop/web:1"), 2, false)
		b.within(3*time.Minute, "release 1", b.steady(2))
		_, err := b.DeleteService(ctx, &client.DeleteServiceInput{Cluster: shop, Service: aws.String("web"), Force: aws.Bool(true)})
		b.must(err)
		b.within(time.Minute, "inactive", func() bool { return *b.service().Status == "INACTIVE" })
		_, err = b.UpdateService(ctx, &client.UpdateServiceInput{Cluster: shop, Service: aws.String("web"), DesiredCount: aws.Int32(1)})
		b.wantCode(err, "ServiceNotActiveException")
		_, err = b.DeleteCluster(ctx, &client.DeleteClusterInput{Cluster: shop})
		b.wantCode(err, "ClusterContainsContainerInstancesException")
		b.server.InstanceGone(ctx, "i-00000000000000001")
		_, err = b.DeleteCluster(ctx, &client.DeleteClusterInput{Cluster: shop})
		b.must(err)
		out, err := b.DescribeClusters(ctx, &client.DescribeClustersInput{Clusters: []string{"shop"}})
		b.must(err)
		if got := *out.Clusters[0].Status; got != "INACTIVE" {
			t.Errorf("the cluster is %s", got)
		}
	})
}

func TestStateSurvivesARestart(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, d)
		_, err := b.CreateCluster(t.Context(), &client.CreateClusterInput{ClusterName: aws.String("shop")})
		b.must(err)
		b.join(2)
		b.create(b.register("shop/web:1"), 2, false)
		b.wait(15 * time.Second)
		before, _ := json.Marshal(b.service())
		b.server.Close()
		b = start(t, d)
		defer b.server.Close()
		if after, _ := json.Marshal(b.service()); string(after) != string(before) {
			t.Errorf("the service was\n%s and is\n%s", before, after)
		}
		b.within(3*time.Minute, "steady after the restart", b.steady(2))
	})
}
