package sweeper

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
)

// Groups looks at Auto Scaling groups.
type Groups interface {
	DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
}

// groupsMax is how many Auto Scaling groups one call may name.
const groupsMax = 50

// groups are Auto Scaling groups by name.
type groups map[string]types.AutoScalingGroup

// A describer looks up those of the named groups that there are.
type describer func(ctx context.Context, names []string) (groups, error)

// describeGroups is the describer of how things are now.
func (h *Handler) describeGroups(ctx context.Context, names []string) (groups, error) {
	found := groups{}
	for some := range slices.Chunk(names, groupsMax) {
		got, err := h.Groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: some})
		if err != nil {
			return nil, fault.FromAWS(err, fmt.Sprintf("describing Auto Scaling group %s and %d others", some[0], len(some)-1))
		}
		for _, group := range got.AutoScalingGroups {
			found[aws.ToString(group.AutoScalingGroupName)] = group
		}
	}
	return found, nil
}

// describeAhead is the describer of a look: it asks with one call for the groups of as
// many clusters as are looked at next, and does not ask again in the same run.
func (l *look) describeAhead(ctx context.Context, names []string) (groups, error) {
	if slices.ContainsFunc(names, func(name string) bool { return !l.described[name] }) {
		all := names
		for i := range l.ahead[1:] {
			if next := groupsOf(&l.ahead[1+i]); len(all)+len(next) <= groupsMax {
				all = slices.Concat(all, next)
			}
		}
		found, err := l.describeGroups(ctx, all)
		if err != nil {
			return nil, err
		}
		maps.Copy(l.groups, found)
		for _, name := range all {
			l.described[name] = true
		}
	}
	found := groups{}
	for _, name := range names {
		if group, there := l.groups[name]; there {
			found[name] = group
		}
	}
	return found, nil
}

// groupsOf names the groups of a cluster's nodes.
func groupsOf(c *model.Cluster) []string {
	of := decide.PoolGroups(c)
	if c.Facts.Swarm != nil {
		of = c.Facts.Swarm.AutoScalingGroups
	}
	return slices.Sorted(maps.Values(of))
}
