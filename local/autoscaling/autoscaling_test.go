package autoscaling_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"portolan/local/autoscaling"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/ecs"
	"portolan/local/unique"
	"portolan/local/wire"
)

type bench struct {
	*client.Client
	t      *testing.T
	server *autoscaling.Server
	agents map[string]ecs.Registration // by instance id, while they are there

	instances map[string]autoscaling.Instance // those that EC2 was told of, by id
	clash     int                             // registrations to refuse
}

func (b *bench) RegisterInstance(_ context.Context, r ecs.Registration) (string, error) {
	calls.Add(1)
	if b.clash > 0 {
		b.clash--
		return "", errors.New("no such cluster yet")
	}
	b.agents[r.EC2InstanceID] = r
	return "arn", nil
}

func (b *bench) InstanceLaunched(_ context.Context, i autoscaling.Instance) {
	calls.Add(1)
	b.instances[i.ID] = i
}

func (b *bench) InstanceTerminated(_ context.Context, id string) {
	calls.Add(1)
	delete(b.instances, id)
}

func (b *bench) InstanceGone(_ context.Context, id string) {
	calls.Add(1)
	delete(b.agents, id)
}

func (b *bench) LaunchTemplate(_ context.Context, idOrName, _ string) (autoscaling.Template, bool) {
	script := "#!/bin/bash\necho ECS_CLUSTER=shop >> /etc/ecs/ecs.config\n"
	return autoscaling.Template{InstanceType: "m5.large", UserData: base64.StdEncoding.EncodeToString([]byte(script))}, idOrName == "nodes"
}

func start(t *testing.T, d *disk.Disk) *bench {
	t.Helper()
	b := &bench{t: t, agents: map[string]ecs.Registration{}, instances: map[string]autoscaling.Instance{}}
	server, err := autoscaling.New(autoscaling.Config{Clock: clock.New(1), Disk: d, IDs: unique.New(1),
		Account: "111122223333", Region: "eu-west-1", Templates: b, Instances: b, Agents: b})
	if err != nil {
		t.Fatal(err)
	}
	b.server = server
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{}, nil
	}))
	router.Register("autoscaling", server)
	b.Client = client.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: router.Client(),
		BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "x"}, nil
		})})
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) create(desired int32) {
	b.t.Helper()
	_, err := b.CreateAutoScalingGroup(b.t.Context(), &client.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("nodes"), MinSize: aws.Int32(0), MaxSize: aws.Int32(5), DesiredCapacity: &desired,
		VPCZoneIdentifier: aws.String("subnet-a,subnet-b"),
		LaunchTemplate:    &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("nodes"), Version: aws.String("1")},
		Tags:              []types.Tag{{Key: aws.String("portolan:cluster"), Value: aws.String("shop"), PropagateAtLaunch: aws.Bool(true)}}})
	b.must(err)
}

func (b *bench) group() types.AutoScalingGroup {
	b.t.Helper()
	out, err := b.DescribeAutoScalingGroups(b.t.Context(), &client.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{"nodes"}})
	b.must(err)
	if len(out.AutoScalingGroups) != 1 {
		b.t.Fatalf("%d groups", len(out.AutoScalingGroups))
	}
	return out.AutoScalingGroups[0]
}

// calls orders what a server calls and what a test reads: only one goroutine of a
// bubble runs at a time, which the race detector does not know.
var calls atomic.Int64

func wait(d time.Duration) {
	calls.Add(1)
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) inService() int {
	n := 0
	for _, i := range b.group().Instances {
		if i.LifecycleState == types.LifecycleStateInService {
			n++
		}
	}
	return n
}

func (b *bench) wantCode(err error, want string) {
	b.t.Helper()
	got := fmt.Sprint(err)
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		got = api.ErrorCode() + ": " + api.ErrorMessage()
	}
	if !strings.HasPrefix(got, want) {
		b.t.Errorf("got %s, want %s", got, want)
	}
}

func TestAGroupKeepsItsDesiredCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		b.clash = 1
		b.create(2)
		wait(10 * time.Second)
		if n := b.inService(); n != 0 {
			t.Errorf("%d instances are in service after ten seconds: too fast for AWS", n)
		}
		wait(3 * time.Minute)
		if n := b.inService(); n != 2 || len(b.agents) != 2 {
			t.Fatalf("%d instances in service, %d in the cluster", n, len(b.agents))
		}
		zones := map[string]bool{}
		for id, r := range b.agents {
			if r.Cluster != "shop" || r.CPU != 2048 || r.Memory != 7782 || r.AutoScalingGroup != "nodes" {
				t.Errorf("instance %s registered as %+v", id, r)
			}
			zones[r.AvailabilityZone] = true
		}
		if len(zones) != 2 {
			t.Errorf("two instances in zones %v", zones)
		}
		_, err := b.SetDesiredCapacity(t.Context(), &client.SetDesiredCapacityInput{
			AutoScalingGroupName: aws.String("nodes"), DesiredCapacity: aws.Int32(1)})
		b.must(err)
		wait(2 * time.Minute)
		if n := len(b.group().Instances); n != 1 || len(b.agents) != 1 {
			t.Errorf("scaled in to 1: %d instances, %d in the cluster", n, len(b.agents))
		}
	})
}

func TestADeadInstanceIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		b.create(2)
		wait(3 * time.Minute)
		dead := *b.group().Instances[0].InstanceId
		if !b.server.KillInstance(dead) || b.server.KillInstance(dead) {
			t.Error("an instance dies once")
		}
		synctest.Wait()
		if len(b.agents) != 1 {
			t.Errorf("%d agents right after the death", len(b.agents))
		}
		wait(6 * time.Minute)
		if _, back := b.agents[dead]; back || len(b.agents) != 2 || b.inService() != 2 {
			t.Errorf("after the replacement: %v", b.agents)
		}
	})
}

func TestAnInstanceIsTerminatedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		b.create(2)
		wait(3 * time.Minute)
		id := b.group().Instances[0].InstanceId
		out, err := b.TerminateInstanceInAutoScalingGroup(t.Context(), &client.TerminateInstanceInAutoScalingGroupInput{
			InstanceId: id, ShouldDecrementDesiredCapacity: aws.Bool(true)})
		b.must(err)
		if !strings.Contains(*out.Activity.Cause, "shrinking the capacity from 2 to 1") {
			t.Errorf("cause: %s", *out.Activity.Cause)
		}
		wait(3 * time.Minute)
		if g := b.group(); *g.DesiredCapacity != 1 || len(g.Instances) != 1 || *g.Instances[0].InstanceId == *id {
			t.Errorf("desired %d, instances %d", *g.DesiredCapacity, len(g.Instances))
		}
	})
}

func TestRefusalsAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		b.create(1)
		wait(2 * time.Minute)
		ctx, name := t.Context(), aws.String("nodes")
		_, err := b.SetDesiredCapacity(ctx, &client.SetDesiredCapacityInput{AutoScalingGroupName: name, DesiredCapacity: aws.Int32(6)})
		b.wantCode(err, "ValidationError: New SetDesiredCapacity value 6 is above max value 5 for the AutoScalingGroup.")
		_, err = b.SetDesiredCapacity(ctx, &client.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("x"), DesiredCapacity: aws.Int32(1)})
		b.wantCode(err, "ValidationError: AutoScalingGroup name not found - null")
		_, err = b.DeleteAutoScalingGroup(ctx, &client.DeleteAutoScalingGroupInput{AutoScalingGroupName: name})
		b.wantCode(err, "ResourceInUse: You cannot delete an AutoScalingGroup while there are instances")
		_, err = b.DeleteAutoScalingGroup(ctx, &client.DeleteAutoScalingGroupInput{AutoScalingGroupName: name, ForceDelete: aws.Bool(true)})
		b.must(err)
		if s := b.group().Status; s == nil || *s != "Delete in progress" {
			t.Error("the group does not say that it is being deleted")
		}
		wait(3 * time.Minute)
		out, err := b.DescribeAutoScalingGroups(ctx, &client.DescribeAutoScalingGroupsInput{})
		b.must(err)
		if len(out.AutoScalingGroups) != 0 || len(b.agents) != 0 {
			t.Errorf("%d groups and %d agents are left", len(out.AutoScalingGroups), len(b.agents))
		}
	})
}

func TestGroupsSurviveARestart(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, d)
		b.create(2)
		wait(10 * time.Second)
		b.server.Close()
		b = start(t, d)
		defer b.server.Close()
		wait(3 * time.Minute)
		if n := b.inService(); n != 2 || len(b.agents) != 2 {
			t.Errorf("after the restart %d instances are in service, %d in the cluster", n, len(b.agents))
		}
		// EC2 may not have been told of them before.
		if len(b.instances) != 2 {
			t.Errorf("after the restart EC2 was told of %v", b.instances)
		}
	})
}
