package story

import (
	"context"
	"fmt"
)

// Names that the story uses.
const (
	cluster  = "shop"
	service  = "wildfly"
	pipeline = "shop-web"
	account  = "000000000000"
	region   = "us-east-1"

	repository = account + ".dkr.ecr." + region + ".amazonaws.com/shop/webapp"
)

const (
	clusterPath = "/v1/clusters/" + cluster
	servicePath = clusterPath + "/services/" + service
)

// Tell tells the whole story. It returns an error at the first step that does not
// come out as it should.
func Tell(ctx context.Context, s *Stage) error {
	for _, step := range []struct {
		title string
		tell  func(context.Context, *Stage) error
	}{
		{"A team asks for an ECS cluster", askForCluster},
		{"It puts a service on the cluster", putService},
		{"An alarm scales the service out, another one in", followAlarms},
		{"The same vocabulary scales the nodes", scaleNodes},
		{"A pipeline succeeds, and its image is rolled out", rollOutPipeline},
		{"A release that crashes is rolled back", rollBack},
		{"Somebody changes the service by hand", repairDrift},
		{"Sent twice or late, nothing more changes", repeatEvents},
		{"The cluster is retired", retire},
	} {
		s.heading(step.title)
		if err := step.tell(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	return nil
}
