package story

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"portolan/shared/contract"
)

func askForCluster(ctx context.Context, s *Stage) error {
	wish := contract.ClusterSpec{
		Name: cluster, Team: "storefront", Orchestrator: contract.Ecs,
		NodePools: []contract.NodePoolSpec{{Name: "nodes", InstanceType: "m6i.xlarge", Size: 2, SizeMax: 3, KeyPair: "ops"}},
		Ecs: contract.EcsCluster{Capacity: contract.EC2,
			AllowedIngress: []contract.Ingress{{Cidr: "0.0.0.0/0", Port: 80}}},
	}
	s.in("POST /v1/clusters: %s, 2 nodes of %s in a new VPC", wish.Name, wish.NodePools[0].InstanceType)
	if err := s.makeCluster(ctx, wish); err != nil {
		return err
	}
	s.in("POST /v1/clusters: the same name again")
	if err := s.expect(ctx, http.StatusConflict, http.MethodPost, "/v1/clusters", wish, nil); err != nil {
		return err
	}
	s.decided("refused: the name is taken")
	return nil
}

// makeCluster asks for a cluster and waits until it is ready with all its nodes.
func (s *Stage) makeCluster(ctx context.Context, wish contract.ClusterSpec) error {
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPost, "/v1/clusters", wish, &operation); err != nil {
		return err
	}
	s.decided("operation %s (%s), to end by %s", operation.Id, operation.Kind, operation.Deadline.Format("15:04"))
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	var made contract.Cluster
	if err := s.get(ctx, clusterPath, &made); err != nil {
		return err
	}
	nodes, wanted := 0, 0
	for i, pool := range made.NodePools {
		nodes, wanted = nodes+pool.SizeObserved, wanted+wish.NodePools[i].Size
	}
	s.happened("cluster %s is %s with %d nodes, made of %v, reached at %s", made.Name, made.Status, nodes, made.Stacks, made.Endpoint)
	if made.Status != contract.ClusterReady || nodes != wanted {
		return fmt.Errorf("cluster %s is %s with %d nodes", made.Name, made.Status, nodes)
	}
	return nil
}

// spec describes the story's service, in the words of the cluster that it is told on.
func (s *Stage) spec(image string) contract.ServiceSpec {
	spec := contract.ServiceSpec{
		Container: "webapp", Image: image, Replicas: aws.Int(2),
		Memory: contract.Memory{LimitMiB: 1024}, Ports: []contract.Port{{ContainerPort: 8080}},
		Role: "arn:aws:iam::" + account + ":role/webapp",
		LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, HealthCheckPath: "/health",
			Rules: []contract.RoutingRule{{Hosts: []string{"shop.example.com"}, Paths: []string{"/", "/cart/*"}}}},
		Rollout: contract.Rollout{DeadlineSeconds: 600},
	}
	if s.orchestrator == contract.Swarm {
		spec.Role, spec.Container = "", "" // no task of a swarm has a role or a name of its own
		spec.Ports[0].HostPort = publishedPort
		spec.Memory.LimitMiB = 64
		spec.Rollout.DeadlineSeconds = 1800 // real engines take their time while AWS's flies
		spec.Placement.Constraints = []contract.Constraint{{Attribute: "node.role", Operator: contract.In, Values: []string{"worker"}}}
	}
	if s.person != nil && s.orchestrator != contract.Kubernetes {
		spec.Role = "" // the cluster is none of EKS, and cannot give any
		spec.Kubernetes.Namespace = namespace
	}
	return spec
}

func putService(ctx context.Context, s *Stage) error {
	wish := s.spec(repository + ":1.0")
	s.in("PUT %s: %s, %d MiB, port 8080, 2 tasks behind the load balancer", servicePath, wish.Image, wish.Memory.LimitMiB)
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPut, servicePath, wish, &operation); err != nil {
		return err
	}
	s.decided("release 1, operation %s (%s)", operation.Id, operation.Kind)
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	if err := s.expectService(ctx, 2, 1); err != nil {
		return err
	}
	s.in("PUT %s: the same again", servicePath)
	if err := s.expect(ctx, http.StatusOK, http.MethodPut, servicePath, wish, nil); err != nil {
		return err
	}
	s.decided("nothing to do: the service is described so already")
	return nil
}

// expectService checks how many tasks and which release a healthy service has.
func (s *Stage) expectService(ctx context.Context, tasks int, release int64) error {
	var seen contract.Service
	if err := s.get(ctx, servicePath, &seen); err != nil {
		return err
	}
	s.happened("service %s is %s: release %d, %d of %d tasks",
		seen.Name, seen.Status, seen.ReleaseObserved, seen.ReplicasObserved, seen.Replicas)
	if seen.Status != contract.ServiceHealthy || seen.Replicas != tasks || seen.ReplicasObserved != tasks ||
		seen.Release != release || seen.ReleaseObserved != release {
		return fmt.Errorf("service %s is %s with release %d (wanted %d) and %d tasks (wanted %d); expected release %d and %d tasks",
			seen.Name, seen.Status, seen.ReleaseObserved, seen.Release, seen.ReplicasObserved, seen.Replicas, release, tasks)
	}
	return nil
}

func retire(ctx context.Context, s *Stage) error {
	s.in("DELETE %s", clusterPath)
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodDelete, clusterPath, nil, &operation); err != nil {
		return err
	}
	s.decided("operation %s (%s): drain, delete, sweep by tag", operation.Id, operation.Kind)
	s.in("PUT %s, while it is being retired", servicePath)
	if err := s.expect(ctx, http.StatusConflict, http.MethodPut, servicePath, s.spec(repository+":2.0"), nil); err != nil {
		return err
	}
	s.decided("refused: the cluster is being retired")
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	left, err := resourcegroupstaggingapi.NewFromConfig(s.aws()).GetResources(ctx, &resourcegroupstaggingapi.GetResourcesInput{
		TagFilters: []types.TagFilter{{Key: aws.String("portolan:cluster"), Values: []string{cluster}}},
		// Not instances and NAT gateways, which AWS shows for an hour after their end.
		ResourceTypeFilters: []string{"cloudformation:stack", "ecs:cluster", "ecs:service", "eks", "lambda", "elasticloadbalancing",
			"ec2:vpc", "ec2:subnet", "ec2:security-group", "ec2:launch-template"},
	})
	if err != nil {
		return err
	}
	s.happened("stacks, cluster, services, load balancers and networks tagged portolan:cluster=%s: %d",
		cluster, len(left.ResourceTagMappingList))
	if len(left.ResourceTagMappingList) > 0 {
		return fmt.Errorf("left: %s", aws.ToString(left.ResourceTagMappingList[0].ResourceARN))
	}
	return nil
}
