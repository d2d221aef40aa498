package story

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/contract"
)

// Engines are real Docker engines on which the instances of a swarm are.
type Engines interface {
	// Push puts an image into the registry that the engines pull from, and returns its
	// manifest. It behaves as the workload of that name.
	Push(ctx context.Context, workload, repository, tag string) (manifest string, err error)

	// LastAnswered is when the last engine began to answer.
	LastAnswered() time.Time

	// Load sends requests to a port of those instances, to one after the other, until
	// it is stopped. It tells of the first that failed.
	Load(port int, instances func() []string) (stop func() (sent, failed int, failures []string))
}

const (
	workers  = "workers"
	managers = "managers"

	// publishedPort is where each node of the swarm answers for the service.
	publishedPort = 8080

	// readyMax is how long five engines may take, from the last one's answer, to be a swarm
	// that is ready.
	readyMax = 20 * time.Second
)

func askForSwarm(ctx context.Context, s *Stage) error {
	wish := contract.ClusterSpec{
		Name: cluster, Team: "storefront", Orchestrator: contract.Swarm,
		NodePools: []contract.NodePoolSpec{{Name: workers, InstanceType: "m6i.large", Size: 2, SizeMax: 3}},
		Swarm: contract.SwarmCluster{
			Managers:       contract.SwarmManagers{Count: 3, InstanceType: "m6i.large"},
			CloudWatchLogs: aws.Bool(s.Engines == nil),
			AllowedIngress: []contract.Ingress{{Cidr: "0.0.0.0/0", Port: 80}},
		},
	}
	s.in("POST /v1/clusters: %s, 3 managers and 2 workers of %s in a new VPC", wish.Name, wish.Swarm.Managers.InstanceType)
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPost, "/v1/clusters", wish, &operation); err != nil {
		return err
	}
	s.decided("operation %s (%s), to end by %s", operation.Id, operation.Kind, operation.Deadline.Format("15:04"))
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	if err := s.readyInTime(); err != nil {
		return err
	}
	var made contract.Cluster
	if err := s.get(ctx, clusterPath, &made); err != nil {
		return err
	}
	s.happened("cluster %s is %s, made of %v", made.Name, made.Status, made.Stacks)
	if made.Status != contract.ClusterReady {
		return fmt.Errorf("cluster %s is %s", made.Name, made.Status)
	}
	return s.expectPools(ctx, 3, 2)
}

// readyInTime tells how long real engines took to become a swarm.
func (s *Stage) readyInTime() error {
	if s.Engines == nil {
		return nil
	}
	took := time.Since(s.Engines.LastAnswered())
	s.happened("five real engines are a swarm %.1f s after the last of them answered", took.Seconds())
	if took > readyMax {
		return fmt.Errorf("the swarm took %v, and may take %v", took, readyMax)
	}
	return nil
}

// expectPools checks how many managers and workers have joined.
func (s *Stage) expectPools(ctx context.Context, wantedManagers, wantedWorkers int) error {
	for pool, wanted := range map[string]int{managers: wantedManagers, workers: wantedWorkers} {
		var seen contract.NodePool
		if err := s.get(ctx, clusterPath+"/node-pools/"+pool, &seen); err != nil {
			return err
		}
		if seen.SizeObserved != wanted {
			return fmt.Errorf("%d nodes of pool %s have joined and not %d", seen.SizeObserved, pool, wanted)
		}
	}
	s.happened("%d managers and %d workers have joined", wantedManagers, wantedWorkers)
	return nil
}

// instances are those of a node pool that are in service, as Auto Scaling knows them.
func (s *Stage) instances(ctx context.Context, pool string) ([]string, error) {
	groups := autoscaling.NewFromConfig(s.aws())
	tagged, err := groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, group := range tagged.AutoScalingGroups {
		for _, tag := range group.Tags {
			if aws.ToString(tag.Key) != "portolan:node-pool" || aws.ToString(tag.Value) != pool {
				continue
			}
			for _, instance := range group.Instances {
				if instance.LifecycleState == "InService" {
					ids = append(ids, aws.ToString(instance.InstanceId))
				}
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// push makes an image, in the registry of real engines too.
func (s *Stage) push(ctx context.Context, workload, tag string) (digest string, err error) {
	if s.Engines == nil {
		return s.Local.ECR.Push(ctx, "shop/webapp", tag, "built from "+commit)
	}
	manifest, err := s.Engines.Push(ctx, workload, "shop/webapp", tag)
	if err != nil {
		return "", err
	}
	client := ecr.NewFromConfig(s.aws())
	// Only the first image finds no repository.
	_, _ = client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/webapp")})
	put, err := client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: aws.String("shop/webapp"), ImageTag: &tag, ImageManifest: &manifest,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(put.Image.ImageId.ImageDigest), nil
}

func putOnSwarm(ctx context.Context, s *Stage) error {
	if s.Engines != nil {
		for tag, workload := range map[string]string{"1.0": "web", "fail-crash": "crash"} {
			if _, err := s.push(ctx, workload, tag); err != nil {
				return err
			}
		}
	}
	if err := putService(ctx, s); err != nil {
		return err
	}
	return s.answers(ctx)
}

// answers asks each node of the swarm for the service, those without a task of it too.
func (s *Stage) answers(ctx context.Context) error {
	if s.Engines == nil {
		return nil
	}
	var all []string
	for _, pool := range []string{managers, workers} {
		ids, err := s.instances(ctx, pool)
		if err != nil {
			return err
		}
		all = append(all, ids...)
	}
	for _, id := range all {
		stop := s.Engines.Load(publishedPort, func() []string { return []string{id} })
		if err := s.Local.Clock.Sleep(ctx, 10*time.Second); err != nil {
			return err
		}
		if sent, failed, failures := stop(); failed > 0 || sent == 0 {
			return fmt.Errorf("instance %s does not answer for the service: %q", id, failures)
		}
	}
	s.happened("all %d nodes answer at port %d", len(all), publishedPort)
	return nil
}

// load keeps requests coming to the nodes that the load balancer would send them to, as
// soon as it would send them to any.
func (s *Stage) load(ctx context.Context) (stop func() error, err error) {
	if s.Engines == nil {
		return func() error { return nil }, nil
	}
	err = s.until(ctx, "the load balancer has healthy targets", func() (bool, error) {
		targets, err := s.targets(ctx)
		return len(targets) > 0, err
	})
	if err != nil {
		return nil, err
	}
	end := s.Engines.Load(publishedPort, func() []string {
		targets, err := s.targets(ctx)
		if err != nil {
			return nil // which counts as a request that failed
		}
		return targets
	})
	return func() error {
		sent, failed, failures := end()
		s.happened("of %d requests through the mesh meanwhile, %d failed", sent, failed)
		if failed > 0 || sent == 0 {
			return fmt.Errorf("of %d requests %d failed: %q", sent, failed, failures)
		}
		return nil
	}, nil
}

// targets are the instances to which the load balancer sends what comes to the published
// port.
func (s *Stage) targets(ctx context.Context) ([]string, error) {
	balancers := elbv2.NewFromConfig(s.aws())
	groups, err := balancers.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, group := range groups.TargetGroups {
		if aws.ToInt32(group.Port) != publishedPort {
			continue
		}
		health, err := balancers.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: group.TargetGroupArn})
		if err != nil {
			return nil, err
		}
		for _, target := range health.TargetHealthDescriptions {
			if target.TargetHealth.State == types.TargetHealthStateEnumHealthy {
				ids = append(ids, aws.ToString(target.Target.Id))
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// under tells a step while requests keep coming, none of which may fail.
func under(tell func(context.Context, *Stage) error) func(context.Context, *Stage) error {
	return func(ctx context.Context, s *Stage) error {
		stop, err := s.load(ctx)
		if err != nil {
			return err
		}
		err = tell(ctx, s)
		if stopped := stop(); err == nil {
			err = stopped
		}
		return err
	}
}

// loseManager cuts the power of a manager, which Auto Scaling replaces.
func loseManager(ctx context.Context, s *Stage) error {
	before, err := s.instances(ctx, managers)
	if err != nil {
		return err
	}
	lost := before[0]
	s.in("instance %s, a manager, dies: SIGKILL for all that runs there", lost)
	s.Local.AutoScaling.KillInstance(lost)
	err = s.until(ctx, "another manager takes its place", func() (bool, error) {
		now, err := s.instances(ctx, managers)
		return len(now) == len(before) && !slices.Contains(now, lost), err
	})
	if err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	if err := s.expectPools(ctx, 3, 2); err != nil {
		return err
	}
	return s.expectService(ctx, 4, 2)
}

// newEngine is the version that the upgraded swarm's engines are to have.
const newEngine = "29.0.0"

// upgradeSwarm replaces all nodes, one after the other.
func upgradeSwarm(ctx context.Context, s *Stage) error {
	before, err := s.instances(ctx, managers)
	if err != nil {
		return err
	}
	s.in("PUT %s/version: %s", clusterPath, newEngine)
	var operation contract.Operation
	wish := contract.ClusterVersion{Version: newEngine}
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPut, clusterPath+"/version", wish, &operation); err != nil {
		return err
	}
	s.decided("operation %s (%s)", operation.Id, operation.Kind)
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	after, err := s.instances(ctx, managers)
	if err != nil {
		return err
	}
	for _, id := range before {
		if slices.Contains(after, id) {
			return fmt.Errorf("manager %s was not replaced", id)
		}
	}
	s.happened("the managers %v have taken the place of %v", after, before)
	if err := s.expectPools(ctx, 3, 2); err != nil {
		return err
	}
	return s.expectService(ctx, 4, 2)
}

// scaleWorkers adds a worker and takes one away, which is drained first.
func scaleWorkers(ctx context.Context, s *Stage) error {
	for _, size := range []int{3, 2} {
		s.in("PUT %s/node-pools/%s: size %d", clusterPath, workers, size)
		var operation contract.Operation
		err := s.expect(ctx, http.StatusAccepted, http.MethodPut, clusterPath+"/node-pools/"+workers, contract.NodePoolScale{Size: size}, &operation)
		if err != nil {
			return err
		}
		s.decided("operation %s (%s)", operation.Id, operation.Kind)
		if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
			return err
		}
		if err := s.expectPools(ctx, 3, size); err != nil {
			return err
		}
	}
	return s.expectService(ctx, 4, 2)
}
