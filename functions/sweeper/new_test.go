package sweeper_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/functions/sweeper"
	"portolan/shared/contract"
	"portolan/shared/environment"
)

// Of changes past Portolan no event tells on Kubernetes and in swarms: there the sweeper is
// the only one who finds them.
func TestServicesOfEachOrchestratorAreLookedAt(t *testing.T) {
	h := sweeper.New(&environment.Environment{AWS: aws.Config{Region: "eu-central-1"}, Now: time.Now,
		Variables: func(name string) string { return name }})
	for _, of := range []contract.Orchestrator{contract.Ecs, contract.Kubernetes, contract.Swarm} {
		if h.Services[of] == nil {
			t.Errorf("nobody looks at the services of %s", of)
		}
	}
}
