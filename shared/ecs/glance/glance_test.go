package glance_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/ecs/glance"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

const clusterARN = "arn:aws:ecs:eu-central-1:111122223333:cluster/portolan-shop"

var shop = orchestrator.ClusterRef{
	Name: "shop", Facts: orchestrator.Facts{ECS: &orchestrator.ECSFacts{ClusterARN: clusterARN}},
}

// cluster is an ECS cluster with services by name, and definitions by ARN: those of
// ours have a release.
type cluster struct {
	services    map[string]types.Service
	definitions map[string]string
	calls       []string
	fail        error
}

func (c *cluster) DescribeServices(_ context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	c.calls = append(c.calls, fmt.Sprintf("services %d", len(in.Services)))
	if c.fail != nil {
		return nil, c.fail
	}
	out := &ecs.DescribeServicesOutput{}
	for _, name := range in.Services {
		service, known := c.services[name]
		if !known || *in.Cluster != clusterARN {
			out.Failures = append(out.Failures, types.Failure{Reason: aws.String("MISSING")})
			continue
		}
		service.ServiceName = &name
		out.Services = append(out.Services, service)
	}
	return out, nil
}

func (c *cluster) DescribeTaskDefinition(_ context.Context, in *ecs.DescribeTaskDefinitionInput, _ ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	c.calls = append(c.calls, *in.TaskDefinition)
	release, known := c.definitions[*in.TaskDefinition]
	if !known {
		return nil, &types.ClientException{Message: aws.String("Unable to describe task definition.")}
	}
	return &ecs.DescribeTaskDefinitionOutput{Tags: []types.Tag{{Key: aws.String("portolan:release"), Value: &release}}}, nil
}

func service(status, definition string) types.Service {
	return types.Service{Status: &status, TaskDefinition: &definition, DesiredCount: 4, RunningCount: 3}
}

func TestObserve(t *testing.T) {
	tests := []struct {
		name    string
		service types.Service
		release int64
		foreign string
		missing bool
	}{
		{"ours", service("ACTIVE", "ours"), 2, "", false},
		{"by hand", service("ACTIVE", "hand"), 0, "hand", false},
		{"tagged oddly", service("ACTIVE", "odd"), 0, "odd", false},
		{"definition gone", service("ACTIVE", "gone"), 0, "gone", false},
		{"deleted", service("INACTIVE", "ours"), 0, "", true},
		{"missing", types.Service{}, 0, "", true},
	}
	for _, test := range tests {
		c := &cluster{definitions: map[string]string{"ours": "2", "hand": "", "odd": "-3"}}
		if test.name != "missing" {
			c.services = map[string]types.Service{"web": test.service}
		}
		seen, err := glance.New(c).Observe(t.Context(), orchestrator.ServiceRef{Cluster: shop, Name: "web"})
		if test.missing {
			if !fault.IsNotFound(err) {
				t.Errorf("%s: got %+v, %v", test.name, seen, err)
			}
			continue
		}
		if err != nil || seen.Desired != 4 || seen.Running != 3 || seen.Rollout.Release != test.release || seen.Foreign != test.foreign {
			t.Errorf("%s: got %+v, %v", test.name, seen, err)
		}
	}
}

func TestTroubleIsNoMissingService(t *testing.T) {
	web := orchestrator.ServiceRef{Cluster: shop, Name: "web"}
	c := &cluster{fail: errors.New("connection reset")}
	if _, err := glance.New(c).Observe(t.Context(), web); err == nil || fault.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
	web.Cluster.Facts.ECS = nil
	if _, err := glance.New(&cluster{}).Observe(t.Context(), web); !fault.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

// Twenty-five services take three calls, and their releases one call each, once.
func TestGlanceIsBounded(t *testing.T) {
	c := &cluster{services: map[string]types.Service{}, definitions: map[string]string{"one": "1", "two": "2"}}
	var names []string
	for i := range 25 {
		name := fmt.Sprintf("web%d", i)
		names = append(names, name)
		c.services[name] = service("ACTIVE", []string{"one", "two"}[i%2])
	}
	observer := glance.New(c)
	seen, err := observer.Glance(t.Context(), shop, append(names, "none"))
	if err != nil || len(seen) != 25 || seen["web0"].Rollout.Release != 1 || seen["web1"].Rollout.Release != 2 {
		t.Fatalf("got %v, %v", seen, err)
	}
	if got := fmt.Sprint(c.calls); got != "[services 10 one two services 10 services 6]" {
		t.Errorf("called were %v", got)
	}
	c.calls = nil
	if _, err := observer.Glance(t.Context(), shop, names[:10]); err != nil || len(c.calls) != 1 {
		t.Errorf("called again were %v, %v", c.calls, err)
	}
	if seen, err := observer.Glance(t.Context(), shop, nil); err != nil || len(seen) != 0 || len(c.calls) != 1 {
		t.Errorf("of no services it saw %v, %v", seen, err)
	}
}

// What is none of ours may become ours, and is looked at each time.
func TestForeignDefinitionsAreNotRemembered(t *testing.T) {
	c := &cluster{services: map[string]types.Service{"web": service("ACTIVE", "hand")}, definitions: map[string]string{"hand": ""}}
	observer := glance.New(c)
	for range 2 {
		if seen, err := observer.Glance(t.Context(), shop, []string{"web"}); err != nil || seen["web"].Foreign != "hand" {
			t.Fatalf("got %v, %v", seen, err)
		}
	}
	c.definitions["hand"] = "7"
	if seen, err := observer.Glance(t.Context(), shop, []string{"web"}); err != nil || seen["web"].Rollout.Release != 7 {
		t.Errorf("got %v, %v", seen, err)
	}
}
