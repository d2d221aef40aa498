package local_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/moby/moby/client"

	"portolan/local"
)

// engineOf makes a group of one instance with a Docker engine, and returns the instance's
// id and address once it is there.
func engineOf(t *testing.T, l *local.Local, userData string) (id, address string) {
	t.Helper()
	ids, addresses := enginesOf(t, l, userData, 1)
	return ids[0], addresses[0]
}

// enginesOf is engineOf for so many.
func enginesOf(t *testing.T, l *local.Local, userData string, count int) (ids, addresses []string) {
	t.Helper()
	compute := ec2.NewFromConfig(l.UserConfig())
	tags := []types.Tag{{Key: aws.String(local.OrchestratorTag), Value: aws.String("swarm")},
		{Key: aws.String(local.NodePoolTag), Value: aws.String("managers")}}
	_, err := compute.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("managers"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: "m6i.large", ImageId: aws.String("ami-1"),
			UserData:          aws.String(base64.StdEncoding.EncodeToString([]byte(userData))),
			TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{{ResourceType: "instance", Tags: tags}}}})
	if err != nil {
		t.Fatal(err)
	}
	network := defaultNetwork(t, l)
	_, err = autoscaling.NewFromConfig(l.UserConfig()).CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("managers"), MinSize: aws.Int32(0), MaxSize: aws.Int32(int32(count)), DesiredCapacity: aws.Int32(int32(count)),
		VPCZoneIdentifier: aws.String(network.SubnetIds[0]),
		LaunchTemplate:    &astypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String("managers"), Version: aws.String("$Latest")}})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Minute)
	out, err := compute.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: aws.String("tag:" + local.OrchestratorTag), Values: []string{"swarm"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, reservation := range out.Reservations {
		for _, i := range reservation.Instances {
			ids, addresses = append(ids, *i.InstanceId), append(addresses, *i.PrivateIpAddress)
		}
	}
	if len(ids) != count {
		t.Fatalf("there are the instances %v, not %d", ids, count)
	}
	return ids, addresses
}

// nowhere is the network beyond the engines.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("nowhere") }

func TestInstancesOfASwarmAreDockerEngines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		id, address := engineOf(t, l, "#!/bin/sh\ncurl https://example.com/docker-28.5.2.tgz\n")
		docker, err := client.New(client.WithHost("tcp://"+address+":2376"), client.WithAPIVersion("1.41"),
			client.WithHTTPClient(&http.Client{Transport: l.Engines.WrapTransport(nowhere{})}))
		if err != nil {
			t.Fatal(err)
		}
		info, err := docker.Info(t.Context(), client.InfoOptions{})
		if err != nil || info.Info.NCPU != 2 || info.Info.Swarm.LocalNodeState != "inactive" ||
			info.Info.ServerVersion != "28.5.2" || info.Info.Labels[0] != "portolan.pool=managers" {
			t.Fatalf("the engine is %+v, %v", info.Info, err)
		}
		if _, err := docker.SwarmInit(t.Context(), client.SwarmInitOptions{ListenAddr: "0.0.0.0"}); err != nil {
			t.Fatal(err)
		}
		if !l.AutoScaling.KillInstance(id) {
			t.Fatal("the instance cannot be killed")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+":2376/_ping", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Engines.WrapTransport(nowhere{}).RoundTrip(request); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("a dead engine answers with %v", err)
		}
		time.Sleep(10 * time.Minute)
		if replaced := l.Engines.Addresses(); len(replaced) != 1 || replaced[id] != "" {
			t.Errorf("the engines are now %v", replaced)
		}
	})
}
