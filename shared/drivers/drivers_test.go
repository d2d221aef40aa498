package drivers_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/shared/drivers"
	"portolan/shared/environment"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/session"
)

func TestTheDriverIsThatOfTheClustersFacts(t *testing.T) {
	config := aws.Config{Region: "eu-central-1"}
	pick := drivers.For(&environment.Environment{AWS: config}, session.New(config, "arn:aws:iam::111122223333:role/operation"))
	for want, facts := range map[string]orchestrator.Facts{
		"*kubernetes.Driver": {Kubernetes: &orchestrator.KubernetesFacts{Credentials: "arn"}},
		"*swarm.Driver":      {Swarm: &orchestrator.SwarmFacts{Managers: []string{"10.0.0.1:2376"}}},
		"*ecs.Driver":        {ECS: &orchestrator.ECSFacts{ClusterARN: "arn"}},
	} {
		if got := fmt.Sprintf("%T", pick(&model.Cluster{Facts: facts}, "operation-1")); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAClusterWithoutFactsIsNotFound(t *testing.T) {
	config := aws.Config{Region: "eu-central-1"}
	pick := drivers.For(&environment.Environment{AWS: config}, session.New(config, "arn:aws:iam::111122223333:role/operation"))
	if _, err := pick(&model.Cluster{}, "operation-1").Health(t.Context(), orchestrator.ClusterRef{Name: "shop"}); !fault.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}
