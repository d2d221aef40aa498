package ecs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/local/ecs"
)

func (b *bench) fargate(image string) string {
	b.t.Helper()
	out, err := b.RegisterTaskDefinition(b.t.Context(), &client.RegisterTaskDefinitionInput{
		Family: aws.String("job"), Cpu: aws.String("256"), Memory: aws.String("512"), NetworkMode: types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		ContainerDefinitions:    []types.ContainerDefinition{{Name: aws.String("c"), Image: &image}}})
	b.must(err)
	return *out.TaskDefinition.TaskDefinitionArn
}

var network = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}}

func (b *bench) task(arn string) types.Task {
	b.t.Helper()
	out, err := b.DescribeTasks(b.t.Context(), &client.DescribeTasksInput{Cluster: aws.String("shop"), Tasks: []string{arn}})
	b.must(err)
	if len(out.Tasks) != 1 {
		b.t.Fatalf("task %s: %+v", arn, out.Failures)
	}
	return out.Tasks[0]
}

func TestATaskOnFargateRunsAndEnds(t *testing.T) {
	inCluster(t, 0, func(t *testing.T, b *bench) {
		for image, want := range map[string]string{"job:1": "", "job:crash": "EssentialContainerExited", "job:pull-fail": "TaskFailedToStart"} {
			in := &client.RunTaskInput{Cluster: aws.String("shop"), TaskDefinition: aws.String(b.fargate(image)),
				LaunchType: types.LaunchTypeFargate, NetworkConfiguration: network, ClientToken: aws.String(image)}
			out, err := b.RunTask(t.Context(), in)
			b.must(err)
			again, err := b.RunTask(t.Context(), in)
			b.must(err)
			arn := *out.Tasks[0].TaskArn
			if *again.Tasks[0].TaskArn != arn {
				t.Errorf("%s: the same client token started another task", image)
			}
			b.wait(2 * time.Minute)
			got := b.task(arn)
			if string(got.StopCode) != want {
				t.Errorf("%s: stop code %q, want %q: %s", image, got.StopCode, want, aws.ToString(got.StoppedReason))
			}
			if want == "" && (*got.LastStatus != "RUNNING" || got.Containers[0].NetworkInterfaces[0].PrivateIpv4Address == nil) {
				t.Errorf("%s is %s", image, *got.LastStatus)
			}
			if want == "EssentialContainerExited" && *got.Containers[0].ExitCode != 1 {
				t.Errorf("%s exited with %d", image, *got.Containers[0].ExitCode)
			}
			if want == "TaskFailedToStart" && !strings.HasPrefix(*got.StoppedReason, "CannotPullContainerError") {
				t.Errorf("%s: %s", image, *got.StoppedReason)
			}
		}
	})
}

func TestAStoppedTaskIsForgottenAfterAnHour(t *testing.T) {
	inCluster(t, 0, func(t *testing.T, b *bench) {
		shop := aws.String("shop")
		out, err := b.RunTask(t.Context(), &client.RunTaskInput{Cluster: shop, TaskDefinition: aws.String(b.fargate("job:1")),
			LaunchType: types.LaunchTypeFargate, NetworkConfiguration: network})
		b.must(err)
		arn := *out.Tasks[0].TaskArn
		b.wait(time.Minute)
		_, err = b.StopTask(t.Context(), &client.StopTaskInput{Cluster: shop, Task: &arn, Reason: aws.String("enough")})
		b.must(err)
		b.wait(time.Minute)
		if got := b.task(arn); *got.LastStatus != "STOPPED" || *got.StoppedReason != "enough" || got.StopCode != types.TaskStopCodeUserInitiated {
			t.Errorf("stopped: %s, %s, %s", *got.LastStatus, *got.StoppedReason, got.StopCode)
		}
		b.wait(time.Hour)
		gone, err := b.DescribeTasks(t.Context(), &client.DescribeTasksInput{Cluster: shop, Tasks: []string{arn}})
		b.must(err)
		if len(gone.Failures) != 1 || *gone.Failures[0].Reason != "MISSING" {
			t.Errorf("after an hour: %+v", gone)
		}
	})
}

func TestADaemonRunsOnceOnEachInstance(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, b *bench) {
		definition := b.register("shop/agent:1")
		_, err := b.CreateService(t.Context(), &client.CreateServiceInput{Cluster: aws.String("shop"), ServiceName: aws.String("web"),
			TaskDefinition: &definition, SchedulingStrategy: types.SchedulingStrategyDaemon})
		b.must(err)
		b.within(3*time.Minute, "two tasks", b.steady(2))
		_, err = b.server.RegisterInstance(t.Context(), ecs.Registration{Cluster: "shop", EC2InstanceID: "i-new", CPU: 2048, Memory: 4000})
		b.must(err)
		b.within(3*time.Minute, "three tasks", b.steady(3))
		second := b.register("shop/agent:2")
		b.update(client.UpdateServiceInput{TaskDefinition: &second})
		b.within(5*time.Minute, "release 2", func() bool { return b.steady(3)() && *b.service().TaskDefinition == second })
		b.server.InstanceGone(t.Context(), "i-new")
		b.within(time.Minute, "two tasks again", b.steady(2))
	})
}

func TestCapacityProvidersShareByWeight(t *testing.T) {
	inCluster(t, 0, func(t *testing.T, b *bench) {
		ctx, shop := t.Context(), aws.String("shop")
		strategy := []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Base: 1, Weight: 1},
			{CapacityProvider: aws.String("FARGATE_SPOT"), Weight: 3}}
		_, err := b.PutClusterCapacityProviders(ctx, &client.PutClusterCapacityProvidersInput{Cluster: shop,
			CapacityProviders: []string{"FARGATE", "FARGATE_SPOT"}, DefaultCapacityProviderStrategy: strategy})
		b.must(err)
		_, err = b.CreateService(ctx, &client.CreateServiceInput{Cluster: shop, ServiceName: aws.String("web"),
			TaskDefinition: aws.String(b.fargate("web:1")), DesiredCount: aws.Int32(9), NetworkConfiguration: network})
		b.must(err)
		b.within(3*time.Minute, "nine tasks", b.steady(9))
		list, err := b.ListTasks(ctx, &client.ListTasksInput{Cluster: shop, ServiceName: aws.String("web")})
		b.must(err)
		count := map[string]int{}
		for _, arn := range list.TaskArns {
			count[*b.task(arn).CapacityProviderName]++
		}
		if count["FARGATE"] != 3 || count["FARGATE_SPOT"] != 6 {
			t.Errorf("tasks by provider: %v", count)
		}
		_, err = b.DeleteCapacityProvider(ctx, &client.DeleteCapacityProviderInput{CapacityProvider: aws.String("none")})
		b.wantCode(err, "InvalidParameterException")
	})
}

func TestTasksAreListedInPages(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, b *bench) {
		b.create(b.register("shop/web:1"), 7, false)
		b.within(3*time.Minute, "seven tasks", b.steady(7))
		seen := map[string]bool{}
		pages := client.NewListTasksPaginator(b, &client.ListTasksInput{Cluster: aws.String("shop"), MaxResults: aws.Int32(3)})
		n := 0
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			b.must(err)
			n++
			for _, arn := range page.TaskArns {
				seen[arn] = true
			}
		}
		if n != 3 || len(seen) != 7 {
			t.Errorf("%d tasks on %d pages", len(seen), n)
		}
		for _, in := range []client.ListTasksInput{{Family: aws.String("wildfly")}, {ServiceName: aws.String("web")}, {LaunchType: types.LaunchTypeEc2}} {
			in.Cluster = aws.String("shop")
			out, err := b.ListTasks(t.Context(), &in)
			b.must(err)
			if len(out.TaskArns) != 7 {
				t.Errorf("a filter finds %d of 7 tasks", len(out.TaskArns))
			}
		}
		none, err := b.ListTasks(t.Context(), &client.ListTasksInput{Cluster: aws.String("shop"), DesiredStatus: types.DesiredStatusStopped})
		b.must(err)
		if len(none.TaskArns) != 0 {
			t.Errorf("%d tasks are stopped", len(none.TaskArns))
		}
	})
}

func TestTags(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, b *bench) {
		definition := b.register("shop/web:1")
		out, err := b.CreateService(t.Context(), &client.CreateServiceInput{Cluster: aws.String("shop"), ServiceName: aws.String("web"),
			TaskDefinition: &definition, DesiredCount: aws.Int32(1), PropagateTags: types.PropagateTagsService, EnableECSManagedTags: true,
			Tags: []types.Tag{{Key: aws.String("portolan:service"), Value: aws.String("web")}}})
		b.must(err)
		_, err = b.TagResource(t.Context(), &client.TagResourceInput{ResourceArn: out.Service.ServiceArn,
			Tags: []types.Tag{{Key: aws.String("more"), Value: aws.String("1")}}})
		b.must(err)
		tags, err := b.ListTagsForResource(t.Context(), &client.ListTagsForResourceInput{ResourceArn: out.Service.ServiceArn})
		b.must(err)
		if len(tags.Tags) != 2 {
			t.Errorf("tags: %+v", tags.Tags)
		}
		b.within(3*time.Minute, "a task", b.steady(1))
		list, err := b.ListTasks(t.Context(), &client.ListTasksInput{Cluster: aws.String("shop")})
		b.must(err)
		tags, err = b.ListTagsForResource(t.Context(), &client.ListTagsForResourceInput{ResourceArn: &list.TaskArns[0]})
		b.must(err)
		if len(tags.Tags) != 4 {
			t.Errorf("the task's tags: %+v", tags.Tags)
		}
	})
}
