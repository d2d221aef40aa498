package local

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ec2client "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"portolan/local/ec2"
	"portolan/local/eks"
	"portolan/local/unique"
)

// startEKS starts EKS, which has made by other services what node groups and clusters
// need, under its service-linked roles.
func (l *Local) startEKS(network *ec2.Service) error {
	nodes, err := l.linkedRoleConfig("eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup", "EKS")
	if err != nil {
		return err
	}
	clusters, err := l.linkedRoleConfig("eks.amazonaws.com/AWSServiceRoleForAmazonEKS", "AmazonEKS")
	if err != nil {
		return err
	}
	// A stream of its own: the other services' ids stay what they are for a seed.
	l.EKS, err = eks.New(eks.Config{
		Clock: l.Clock, Disk: l.disk, IDs: unique.New(l.config.Seed ^ clustersSeed), Account: Account, Region: l.config.Region, Images: l.ECR,
		Groups: &nodeGroups{scaling.NewFromConfig(nodes)}, Network: &clusterNetwork{network, ec2client.NewFromConfig(clusters)},
		Key: l.Identity.Key, Assumed: l.trail.RecordPodIdentity,
	})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.EKS.Close)
	l.fleet.eks = l.EKS
	l.AWS.Register("eks", l.EKS)
	return nil
}

const clustersSeed = 0x656b73

// outward is the way of the functions to what is not AWS's: to Docker engines, to the
// clusters of EKS whose endpoints are public, and else to the world. The way to engines is
// the last one: they look at the settings of TLS of the transport behind it.
func (l *Local) outward(next http.RoundTripper) http.RoundTripper {
	return &late{l, l.intoMachines(next)}
}

// late asks for EKS when it is needed: functions are built before it.
type late struct {
	local *Local
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *late) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.local.EKS.Internet(t.next).RoundTrip(r)
}

// nodeGroups has Auto Scaling make the groups of node groups.
type nodeGroups struct{ client *scaling.Client }

var _ eks.Groups = (*nodeGroups)(nil)

// CreateGroup implements eks.Groups. A group that is there is its own.
func (n *nodeGroups) CreateGroup(ctx context.Context, g eks.Group) error {
	template := &scalingtypes.LaunchTemplateSpecification{Version: aws.String(g.Ver)}
	if template.LaunchTemplateName = aws.String(g.LaunchTemplateName); g.LaunchTemplateID != "" {
		template.LaunchTemplateName, template.LaunchTemplateId = nil, aws.String(g.LaunchTemplateID)
	}
	percent := aws.Int32(100)
	if g.Spot {
		percent = aws.Int32(0)
	}
	in := &scaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &g.Name, MinSize: aws.Int32(int32(g.Min)), MaxSize: aws.Int32(int32(g.Max)),
		DesiredCapacity: aws.Int32(int32(g.Desired)), VPCZoneIdentifier: aws.String(strings.Join(g.Subnets, ",")),
		MixedInstancesPolicy: &scalingtypes.MixedInstancesPolicy{
			LaunchTemplate: &scalingtypes.LaunchTemplate{LaunchTemplateSpecification: template},
			InstancesDistribution: &scalingtypes.InstancesDistribution{OnDemandBaseCapacity: aws.Int32(0),
				OnDemandPercentageAboveBaseCapacity: percent},
		},
	}
	for _, key := range slices.Sorted(maps.Keys(g.Tags)) {
		in.Tags = append(in.Tags, scalingtypes.Tag{Key: aws.String(key), Value: aws.String(g.Tags[key]), PropagateAtLaunch: aws.Bool(true),
			ResourceId: &g.Name, ResourceType: aws.String("auto-scaling-group")})
	}
	_, err := n.client.CreateAutoScalingGroup(ctx, in)
	if _, there := errors.AsType[*scalingtypes.AlreadyExistsFault](err); there {
		return nil
	}
	return err
}

// ResizeGroup implements eks.Groups.
func (n *nodeGroups) ResizeGroup(ctx context.Context, name string, minimum, desired, maximum int) error {
	_, err := n.client.UpdateAutoScalingGroup(ctx, &scaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &name,
		MinSize: aws.Int32(int32(minimum)), DesiredCapacity: aws.Int32(int32(desired)), MaxSize: aws.Int32(int32(maximum))})
	return err
}

func (n *nodeGroups) find(ctx context.Context, name string) (*scalingtypes.AutoScalingGroup, error) {
	out, err := n.client.DescribeAutoScalingGroups(ctx, &scaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if err != nil || len(out.AutoScalingGroups) == 0 {
		return nil, err
	}
	return &out.AutoScalingGroups[0], nil
}

// DeleteGroup implements eks.Groups.
func (n *nodeGroups) DeleteGroup(ctx context.Context, name string) (gone bool, err error) {
	group, err := n.find(ctx, name)
	if err != nil || group == nil {
		return err == nil, err
	}
	if group.Status != nil {
		return false, nil // it is being deleted
	}
	_, err = n.client.DeleteAutoScalingGroup(ctx, &scaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &name, ForceDelete: aws.Bool(true)})
	return false, err
}

// Terminate implements eks.Groups.
func (n *nodeGroups) Terminate(ctx context.Context, instance string, smaller bool) error {
	_, err := n.client.TerminateInstanceInAutoScalingGroup(ctx, &scaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: &instance, ShouldDecrementDesiredCapacity: &smaller})
	return err
}

// Instances implements eks.Groups.
func (n *nodeGroups) Instances(ctx context.Context, name string) ([]string, error) {
	group, err := n.find(ctx, name)
	if err != nil || group == nil {
		return nil, err
	}
	var ids []string
	for _, i := range group.Instances {
		if !strings.HasPrefix(string(i.LifecycleState), "Terminat") {
			ids = append(ids, aws.ToString(i.InstanceId))
		}
	}
	return ids, nil
}

// clusterNetwork has EC2 make the security groups of clusters.
type clusterNetwork struct {
	network *ec2.Service
	client  *ec2client.Client
}

var _ eks.Network = (*clusterNetwork)(nil)

// Subnet implements eks.Network.
func (c *clusterNetwork) Subnet(id string) (vpc, zone string, ok bool) {
	subnet, ok := c.network.Subnet(id)
	return subnet.VpcID, subnet.AvailabilityZone, ok
}

// CreateSecurityGroup implements eks.Network.
func (c *clusterNetwork) CreateSecurityGroup(ctx context.Context, vpc, name, description string, tags map[string]string) (string, error) {
	specification := ec2types.TagSpecification{ResourceType: ec2types.ResourceTypeSecurityGroup}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		specification.Tags = append(specification.Tags, ec2types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	out, err := c.client.CreateSecurityGroup(ctx, &ec2client.CreateSecurityGroupInput{VpcId: &vpc, GroupName: &name, Description: &description,
		TagSpecifications: []ec2types.TagSpecification{specification}})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.GroupId), nil
}

// DeleteSecurityGroup implements eks.Network. One that is not there is deleted.
func (c *clusterNetwork) DeleteSecurityGroup(ctx context.Context, id string) error {
	_, err := c.client.DeleteSecurityGroup(ctx, &ec2client.DeleteSecurityGroupInput{GroupId: &id})
	var refused smithy.APIError
	if errors.As(err, &refused) && refused.ErrorCode() == "InvalidGroup.NotFound" {
		return nil
	}
	return err
}
