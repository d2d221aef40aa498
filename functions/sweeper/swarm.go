package sweeper

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
)

// swarmDrift is not empty where the instances of a swarm's groups are no longer those
// that were let in: an event of a launch was lost.
func (h *Handler) swarmDrift(ctx context.Context, c *model.Cluster) (string, error) {
	groups := c.Facts.Swarm.AutoScalingGroups
	got, err := h.Groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: slices.Sorted(maps.Values(groups)),
	})
	if err != nil {
		return "", fault.FromAWS(err, "describing the Auto Scaling groups of cluster "+c.Name())
	}
	if len(got.AutoScalingGroups) < len(groups) {
		return "", nil // a retirement is what may have taken one
	}
	var instances []string
	for _, group := range got.AutoScalingGroups {
		for _, pool := range c.NodePools {
			if groups[pool.Name] != aws.ToString(group.AutoScalingGroupName) {
				continue
			}
			if drift := decide.PoolDrift(pool, int(aws.ToInt32(group.DesiredCapacity))); drift != "" {
				return drift, nil
			}
		}
		for _, instance := range group.Instances {
			instances = append(instances, aws.ToString(instance.InstanceId))
		}
	}
	if decide.JoinedDigest(instances) == c.Facts.Swarm.Joined {
		return "", nil
	}
	return "the swarm's groups have other instances than were let in", nil
}
