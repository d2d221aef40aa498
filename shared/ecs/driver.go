package ecs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"portolan/shared/balancer"
	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Driver implements orchestrator.Orchestrator. It keeps no state, and is safe for
// concurrent use.
type Driver struct {
	ecs      *ecs.Client
	balancer *balancer.Balancer
}

var (
	_ orchestrator.Orchestrator = (*Driver)(nil)
	_ orchestrator.Jobs         = (*Driver)(nil)
)

// New returns a driver that calls AWS through these clients.
func New(ecs *ecs.Client, lb *elbv2.Client) *Driver {
	return &Driver{ecs: ecs, balancer: balancer.New(lb)}
}

// Tags of everything that the driver makes. Tasks carry those of their task
// definition, so TagOperation is there the operation that first applied the
// release, and on the service the one that last changed it.
const (
	TagCluster   = balancer.TagCluster
	TagService   = balancer.TagService
	TagTeam      = balancer.TagTeam
	TagRelease   = "portolan:release"
	TagCommit    = "portolan:commit"
	TagOperation = balancer.TagOperation

	tagHash     = "portolan:hash"
	tagRemoving = "portolan:removing"
)

// Family is the name of the task definitions of a service. The underscore, which
// no name of ours holds, keeps service c of cluster a-b apart from b-c of a.
func Family(cluster, service string) string {
	return "portolan-" + cluster + "_" + service
}

// digest is a short stable text for some parts.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

func factsOf(cluster orchestrator.ClusterRef) (orchestrator.ECSFacts, error) {
	if cluster.Facts.ECS == nil || cluster.Facts.ECS.ClusterARN == "" {
		return orchestrator.ECSFacts{}, fault.New(fault.NotFound,
			"cluster %q is no ECS cluster yet", cluster.Name)
	}
	return *cluster.Facts.ECS, nil
}

// Capabilities implements orchestrator.Orchestrator.
func (d *Driver) Capabilities(cluster orchestrator.ClusterRef) orchestrator.Capabilities {
	onNodes := cluster.Facts.ECS != nil && cluster.Facts.ECS.Capacity != contract.FARGATE
	return orchestrator.Capabilities{Nodes: onNodes, CordonDrains: onNodes, Jobs: true}
}

// Health implements orchestrator.Orchestrator. It makes one call.
func (d *Driver) Health(
	ctx context.Context, cluster orchestrator.ClusterRef,
) (orchestrator.Health, error) {
	facts, err := factsOf(cluster)
	if err != nil {
		return orchestrator.Health{}, err
	}
	out, err := d.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{
		Clusters: []string{facts.ClusterARN},
	})
	if err != nil {
		return orchestrator.Health{}, fault.FromAWS(err, "describing the cluster")
	}
	if len(out.Clusters) == 0 {
		return orchestrator.Health{}, fault.New(fault.NotFound,
			"there is no ECS cluster %s", facts.ClusterARN)
	}
	return healthOf(out.Clusters[0], facts), nil
}

func healthOf(cluster types.Cluster, facts orchestrator.ECSFacts) orchestrator.Health {
	health := orchestrator.Health{
		State:           orchestrator.Healthy,
		NodesRegistered: int(cluster.RegisteredContainerInstancesCount),
	}
	if status := aws.ToString(cluster.Status); status != "ACTIVE" {
		health.State = orchestrator.Unhealthy
		health.Reason = "the cluster is " + status
	} else if facts.Capacity != contract.FARGATE && health.NodesRegistered == 0 {
		health.State = orchestrator.Unhealthy
		health.Reason = "no node has registered"
	}
	return health
}

// service returns a service, or nil when there is none. ECS goes on showing a
// deleted service as INACTIVE for a while; that one is none.
func (d *Driver) service(
	ctx context.Context, ref orchestrator.ServiceRef,
) (*types.Service, error) {
	facts, err := factsOf(ref.Cluster)
	if err != nil {
		return nil, err
	}
	out, err := d.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster:  aws.String(facts.ClusterARN),
		Services: []string{ref.Name},
		Include:  []types.ServiceField{types.ServiceFieldTags},
	})
	if err != nil {
		return nil, fault.FromAWS(err, "describing service "+ref.Name)
	}
	if len(out.Services) == 0 || aws.ToString(out.Services[0].Status) == "INACTIVE" {
		return nil, nil
	}
	return &out.Services[0], nil
}

func notFound(ref orchestrator.ServiceRef) error {
	return fault.New(fault.NotFound, "cluster %q has no service %q", ref.Cluster.Name, ref.Name)
}

// beingRemoved says whether Remove has begun.
func beingRemoved(service *types.Service) bool {
	return aws.ToString(service.Status) == "DRAINING" || tag(service.Tags, tagRemoving) != ""
}

func tag(tags []types.Tag, key string) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

func tagsOf(pairs ...string) []types.Tag {
	var tags []types.Tag
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			tags = append(tags, types.Tag{Key: aws.String(pairs[i]), Value: aws.String(pairs[i+1])})
		}
	}
	return tags
}

// releaseOf returns the release that the tags name, and 0 when they name none.
func releaseOf(tags []types.Tag) int64 {
	number, err := strconv.ParseInt(tag(tags, TagRelease), 10, 64)
	if err != nil || number < 0 {
		return 0
	}
	return number
}

// lastPart is what stands behind the last slash of an ARN.
func lastPart(arn string) string {
	return arn[strings.LastIndex(arn, "/")+1:]
}

// region is the fourth part of an ARN.
func region(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}
