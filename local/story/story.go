package story

import (
	"context"
	"fmt"

	"portolan/shared/contract"
)

// Names that the story uses.
const (
	cluster  = "shop"
	service  = "wildfly"
	pipeline = "shop-web"
	account  = "000000000000"
	region   = "us-east-1"

	// Registry is where the images of the story are.
	Registry   = account + ".dkr.ecr." + region + ".amazonaws.com"
	repository = Registry + "/shop/webapp"
)

const (
	clusterPath = "/v1/clusters/" + cluster
	servicePath = clusterPath + "/services/" + service
)

// A step is one thing that the story tells.
type step struct {
	title string
	tell  func(context.Context, *Stage) error
}

// tell tells step after step.
func (s *Stage) tell(ctx context.Context, steps []step) error {
	for _, step := range steps {
		s.heading(step.title)
		if err := step.tell(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	return nil
}

// Tell tells the whole story of a cluster of Amazon ECS. It returns an error at the
// first step that does not come out as it should.
func Tell(ctx context.Context, s *Stage) error {
	return s.tell(ctx, []step{
		{"A team asks for an ECS cluster", askForCluster},
		{"It puts a service on the cluster", putService},
		{"An alarm scales the service out, another one in", followAlarms},
		{"The same vocabulary scales the nodes", scaleNodes},
		{"A pipeline succeeds, and its image is rolled out", rollOutPipeline},
		{"A release that crashes is rolled back", rollBack},
		{"Somebody changes the service by hand", repairDrift},
		{"Sent twice or late, nothing more changes", repeatEvents},
		{"The cluster is retired", retire},
	})
}

// TellSwarm tells the whole story of a cluster of Docker Swarm, on simulated engines or on
// the real ones of the stage.
func TellSwarm(ctx context.Context, s *Stage) error {
	s.orchestrator = contract.Swarm
	return s.tell(ctx, []step{
		{"A team asks for a Docker swarm", askForSwarm},
		{"It puts a service on the cluster, and each node answers for it", putOnSwarm},
		{"An alarm scales the service out, another one in", followAlarms},
		{"A pipeline succeeds, and its image is rolled out", under(rollOutPipeline)},
		{"A release that crashes is rolled back", under(rollBack)},
		{"A manager is killed, and replaced", loseManager},
		{"All nodes get another engine, one by one", under(upgradeSwarm)},
		{"The workers are scaled out and in", under(scaleWorkers)},
		{"Sent twice or late, nothing more changes", repeatEvents},
		{"The cluster is retired", retire},
	})
}

// TellKubernetes tells the story of a cluster that is made in Amazon EKS, behind a private
// endpoint: each call of its API goes through the connector in its VPC.
func TellKubernetes(ctx context.Context, s *Stage) error {
	s.orchestrator = contract.Kubernetes
	return s.tell(ctx, []step{
		{"A team asks for a Kubernetes cluster in Amazon EKS", askForEKS},
		{"It puts a service on the cluster", putService},
		{"An alarm scales the service out, another one in", followAlarms},
		{"The same vocabulary scales the nodes", scaleNodes},
		{"A pipeline succeeds, and its image is rolled out", rollOutPipeline},
		{"A release that crashes is rolled back", rollBack},
		{"Somebody changes the service by hand", repairKubernetesDrift},
		{"The cluster gets the next version, once nothing stands in the way", upgrade},
		{"Sent twice or late, nothing more changes", repeatEvents},
		{"The cluster is retired", retire},
	})
}

// TellAdopted tells the story of a Kubernetes cluster that somebody else made.
func TellAdopted(ctx context.Context, s *Stage) (err error) {
	if s.person, err = newPerson(s.Kubeconfig, s.WrapTransport); err != nil {
		return err
	}
	return s.tell(ctx, []step{
		{"Somebody's cluster of Kubernetes runs something", runLegacy},
		{"It is adopted, and only looked at", adopt},
		{"It is taken over verb by verb", takeOver},
		{"A team puts a service on the cluster", shown(putService, deployments, services, ingresses)},
		{"An alarm scales the service out, another one in", shown(followAlarms, deployments)},
		{"A pipeline succeeds, and its image is rolled out", shown(rollOutPipeline, images)},
		{"A release that crashes is rolled back", shown(rollBack, deployments, replicaSets)},
		{"A node is drained, and takes tasks again", drainNode},
		{"Sent twice or late, nothing more changes", repeatEvents},
		{"The cluster is let go", letGo},
	})
}
