// Package leftover finds what carries the tag of a cluster, and is still there.
//
// It must never know whether it should be, or delete anything.
package leftover

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"portolan/shared/fault"
)

// Compute tells which instances and gateways are still there.
type Compute interface {
	DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	DescribeNatGateways(context.Context, *ec2.DescribeNatGatewaysInput, ...func(*ec2.Options)) (*ec2.DescribeNatGatewaysOutput, error)
}

// Resources looks for resources by their tags.
type Resources interface {
	GetResources(context.Context, *resourcegroupstaggingapi.GetResourcesInput, ...func(*resourcegroupstaggingapi.Options)) (*resourcegroupstaggingapi.GetResourcesOutput, error)
}

// ClusterTag is the key of the tag that names a resource's cluster.
const ClusterTag = "portolan:cluster"

// pageSize is how many resources one page of a search names at most.
const pageSize = 100

// A Search says of whom to look for what is left: of one cluster, or, without a name, of
// all but the known. It reads at most so many pages of a hundred resources.
type Search struct {
	Cluster  string
	Known    map[string]bool
	PagesMax int
}

// Find returns what is still there, by the names of the clusters. all is false when there
// are more pages, of which some may be there too.
func Find(ctx context.Context, resources Resources, compute Compute, s Search) (found map[string][]string, all bool, err error) {
	filter := tagging.TagFilter{Key: aws.String(ClusterTag)}
	if s.Cluster != "" {
		filter.Values = []string{s.Cluster}
	}
	var arns []string
	owner := map[string]string{}
	var token *string
	for range s.PagesMax {
		page, err := resources.GetResources(ctx, &resourcegroupstaggingapi.GetResourcesInput{
			TagFilters: []tagging.TagFilter{filter}, ResourcesPerPage: aws.Int32(pageSize), PaginationToken: token,
		})
		if err != nil {
			return nil, false, fault.FromAWS(err, "looking for what carries the tag "+ClusterTag)
		}
		for _, resource := range page.ResourceTagMappingList {
			if cluster := clusterOf(resource.Tags); !s.Known[cluster] {
				arn := aws.ToString(resource.ResourceARN)
				arns, owner[arn] = append(arns, arn), cluster
			}
		}
		if token = page.PaginationToken; aws.ToString(token) == "" {
			break
		}
	}
	arns, err = remaining(ctx, compute, arns)
	found = map[string][]string{}
	for _, arn := range arns {
		found[owner[arn]] = append(found[owner[arn]], arn)
	}
	return found, aws.ToString(token) == "", err
}

func clusterOf(tags []tagging.Tag) string {
	for _, tag := range tags {
		if aws.ToString(tag.Key) == ClusterTag {
			return aws.ToString(tag.Value)
		}
	}
	return ""
}

// remaining drops what is found by its tags although it is gone: EC2 shows
// instances and NAT gateways for about an hour after their end, and ECS its task
// definitions for good, which are texts and cost nothing.
func remaining(ctx context.Context, compute Compute, arns []string) ([]string, error) {
	instances, err := liveInstances(ctx, compute, idsOf(arns, ":instance/"))
	if err != nil {
		return nil, err
	}
	gateways, err := liveGateways(ctx, compute, idsOf(arns, ":natgateway/"))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(arns, func(arn string) bool {
		id := arn[strings.LastIndex(arn, "/")+1:]
		switch {
		case strings.Contains(arn, ":task-definition/"):
			return true
		case strings.Contains(arn, ":instance/"):
			return !instances[id]
		case strings.Contains(arn, ":natgateway/"):
			return !gateways[id]
		}
		return false
	}), nil
}

func idsOf(arns []string, kind string) []string {
	var ids []string
	for _, arn := range arns {
		if _, id, ok := strings.Cut(arn, kind); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// idsMax is how many values one filter of EC2 takes.
const idsMax = 200

func liveInstances(ctx context.Context, compute Compute, ids []string) (map[string]bool, error) {
	live := map[string]bool{}
	for chunk := range slices.Chunk(ids, idsMax) {
		// A filter, since naming an instance that EC2 has forgotten is an error.
		out, err := compute.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []types.Filter{
			{Name: aws.String("instance-id"), Values: chunk},
			{Name: aws.String("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped"}},
		}})
		if err != nil {
			return nil, fault.FromAWS(err, "looking at instances")
		}
		for _, reservation := range out.Reservations {
			for _, instance := range reservation.Instances {
				live[aws.ToString(instance.InstanceId)] = true
			}
		}
	}
	return live, nil
}

func liveGateways(ctx context.Context, compute Compute, ids []string) (map[string]bool, error) {
	live := map[string]bool{}
	for chunk := range slices.Chunk(ids, idsMax) {
		out, err := compute.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{Filter: []types.Filter{
			{Name: aws.String("nat-gateway-id"), Values: chunk},
			{Name: aws.String("state"), Values: []string{"pending", "available", "failed"}},
		}})
		if err != nil {
			return nil, fault.FromAWS(err, "looking at NAT gateways")
		}
		for _, gateway := range out.NatGateways {
			live[aws.ToString(gateway.NatGatewayId)] = true
		}
	}
	return live, nil
}
