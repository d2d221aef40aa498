package trail

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// cluster is an ECS cluster with one service, or none.
type cluster struct {
	definitions
	service *types.Service
	fail    error
}

func (c *cluster) DescribeServices(_ context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	if c.fail != nil {
		return nil, c.fail
	}
	if c.service == nil || *in.Cluster != clusterARN || in.Services[0] != "web" {
		return &ecs.DescribeServicesOutput{Failures: []types.Failure{{Reason: aws.String("MISSING")}}}, nil
	}
	return &ecs.DescribeServicesOutput{Services: []types.Service{*c.service}}, nil
}

func TestObserve(t *testing.T) {
	c := &cluster{definitions: definitions{known: map[string]*ecs.DescribeTaskDefinitionOutput{
		"ours": {Tags: []types.Tag{{Key: aws.String("portolan:release"), Value: aws.String("2")}}},
		"hand": {},
	}}}
	ref := orchestrator.ServiceRef{Name: "web", Cluster: orchestrator.ClusterRef{
		Name: "shop", Facts: orchestrator.Facts{ECS: &orchestrator.ECSFacts{ClusterARN: clusterARN}}}}
	service := func(status, definition string) *types.Service {
		return &types.Service{Status: &status, TaskDefinition: &definition, DesiredCount: 4, RunningCount: 3}
	}
	tests := []struct {
		name    string
		service *types.Service
		release int64
		foreign string
		missing bool
	}{
		{"ours", service("ACTIVE", "ours"), 2, "", false},
		{"by hand", service("ACTIVE", "hand"), 0, "hand", false},
		{"definition gone", service("ACTIVE", "gone"), 0, "gone", false},
		{"deleted", service("INACTIVE", "ours"), 0, "", true},
		{"missing", nil, 0, "", true},
	}
	for _, test := range tests {
		c.service = test.service
		seen, err := Observer{ECS: c}.Observe(t.Context(), ref)
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
	c.fail = errors.New("connection reset")
	if _, err := (Observer{ECS: c}).Observe(t.Context(), ref); err == nil || fault.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
	ref.Cluster.Facts.ECS = nil
	if _, err := (Observer{ECS: c}).Observe(t.Context(), ref); !fault.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}
