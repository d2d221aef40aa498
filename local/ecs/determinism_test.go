package ecs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/local/clock"
	"portolan/local/disk"
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
type groups map[string]bool

func (g groups) RegisterTarget(_ context.Context, group, id string, port int) {
	g[fmt.Sprint(group, id, port)] = true
}

func (g groups) DeregisterTarget(_ context.Context, group, id string, port int) {
	delete(g, fmt.Sprint(group, id, port))
}

// Target groups are told of a task that starts and of one that ends, and once more after a
// restart: what they were to be told may have been lost with the process.
func TestTasksEnterAndLeaveTheirTargetGroup(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	synctest.Test(t, func(t *testing.T) {
		serve := func(targets groups) *ecs.Server {
			server, err := ecs.New(ecs.Config{Clock: clock.New(1), Disk: d, IDs: unique.New(1), Account: "111122223333",
				Region: "eu-west-1", Targets: targets})
			if err != nil {
				t.Fatal(err)
			}
			return server
		}
		targets := groups{}
		server := serve(targets)
		b := clientOf(t, server)
		_, err := b.CreateCluster(t.Context(), &client.CreateClusterInput{ClusterName: aws.String("shop")})
		b.must(err)
		b.join(1)
		definition, group := b.register("shop/web:1"), "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/1"
		_, err = b.CreateService(t.Context(), &client.CreateServiceInput{Cluster: aws.String("shop"), ServiceName: aws.String("web"),
			TaskDefinition: &definition, DesiredCount: aws.Int32(2), LoadBalancers: []types.LoadBalancer{
				{TargetGroupArn: &group, ContainerName: aws.String("webapp"), ContainerPort: aws.Int32(8080)}}})
		b.must(err)
		b.within(3*time.Minute, "two tasks", b.steady(2))
		if len(targets) != 2 {
			t.Errorf("the target groups have %v", targets)
		}
		server.Close()

		again := groups{}
		server = serve(again)
		b = clientOf(t, server)
		b.within(3*time.Minute, "two tasks", b.steady(2))
		if !maps.Equal(again, targets) {
			t.Errorf("after a restart the target groups have %v, and had %v", again, targets)
		}
		b.update(client.UpdateServiceInput{DesiredCount: aws.Int32(0)})
		b.within(3*time.Minute, "no task", b.steady(0))
		if len(again) != 0 {
			t.Errorf("the target groups still have %v", again)
		}
		server.Close()

		server = serve(targets)
		defer server.Close()
		b = clientOf(t, server)
		b.within(3*time.Minute, "no task", b.steady(0))
		if len(targets) != 0 {
			t.Errorf("target groups that were not told have %v", targets)
		}
	})
}
