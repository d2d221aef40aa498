package ecs_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/local/clock"
	"portolan/local/ecs"
	"portolan/local/unique"
)

// history plays a rollout, a lost instance and a drain, and returns all events.
func history(t *testing.T) (log string) {
	inCluster(t, 3, func(t *testing.T, b *bench) {
		b.create(b.register("shop/web:1"), 6, true)
		b.within(3*time.Minute, "release 1", b.steady(6))
		crashing := b.register("shop/web:crash")
		b.update(client.UpdateServiceInput{TaskDefinition: &crashing})
		b.wait(40 * time.Second)
		b.server.InstanceGone(t.Context(), "i-00000000000000002")
		b.wait(time.Hour)
		raw, err := json.Marshal(b.events)
		b.must(err)
		log = string(raw)
	})
	return log
}

func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	first, second := history(t), history(t)
	if first != second {
		t.Error("the same calls at the same times gave different events")
	}
	if len(first) < 10_000 {
		t.Errorf("the story is only %d bytes long", len(first))
	}
}

// groups are target groups that note who is in them.
type groups map[string]int

func (g groups) RegisterTarget(_ context.Context, group, id string, port int) {
	if port >= 32768 {
		g[group+" "+id]++
	}
}

func (g groups) DeregisterTarget(_ context.Context, group, id string, _ int) { g[group+" "+id]-- }

func TestTasksEnterAndLeaveTheirTargetGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := groups{}
		server, err := ecs.New(ecs.Config{Clock: clock.New(1), IDs: unique.New(1), Account: "111122223333", Region: "eu-west-1",
			Targets: targets})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		b := clientOf(t, server)
		_, err = b.CreateCluster(t.Context(), &client.CreateClusterInput{ClusterName: aws.String("shop")})
		b.must(err)
		b.join(1)
		definition, group := b.register("shop/web:1"), "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/1"
		_, err = b.CreateService(t.Context(), &client.CreateServiceInput{Cluster: aws.String("shop"), ServiceName: aws.String("web"),
			TaskDefinition: &definition, DesiredCount: aws.Int32(2), LoadBalancers: []types.LoadBalancer{
				{TargetGroupArn: &group, ContainerName: aws.String("webapp"), ContainerPort: aws.Int32(8080)}}})
		b.must(err)
		b.within(3*time.Minute, "two tasks", b.steady(2))
		if got := targets[group+" i-00000000000000001"]; got != 2 {
			t.Errorf("%d tasks are in the target group", got)
		}
		b.update(client.UpdateServiceInput{DesiredCount: aws.Int32(0)})
		b.within(3*time.Minute, "no task", b.steady(0))
		if got := targets[group+" i-00000000000000001"]; got != 0 {
			t.Errorf("%d tasks are left in the target group", got)
		}
	})
}
