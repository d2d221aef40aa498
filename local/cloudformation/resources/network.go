package resources

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/local/cloudformation"
)

func (m *maker) networkKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::EC2::VPC"] = cloudformation.Kind{
		Provider: provider{
			create: m.createVpc, update: m.updateVpc,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ec2.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &r.PhysicalID})
				return err
			},
		},
		CreateOnly: []string{"CidrBlock"}, Patience: dependencyPatience,
		CreateTakes: 12 * time.Second, UpdateTakes: 3 * time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::EC2::Subnet"] = cloudformation.Kind{
		Provider: provider{
			create: m.createSubnet, update: m.updateSubnet,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ec2.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &r.PhysicalID})
				return err
			},
		},
		CreateOnly: []string{"VpcId", "AvailabilityZone", "CidrBlock"}, Patience: dependencyPatience,
		CreateTakes: 4 * time.Second, UpdateTakes: 2 * time.Second, DeleteTakes: time.Second,
	}
}

func (m *maker) createVpc(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if r.Again && r.Previous == nil {
		found, err := m.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: ownFilters(r)})
		if err != nil {
			return failed(err)
		}
		if len(found.Vpcs) > 0 {
			return m.setVpc(ctx, r, *found.Vpcs[0].VpcId)
		}
	}
	out, err := m.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{
		CidrBlock: of(r).optional("CidrBlock"), TagSpecifications: tagSpecifications(r, types.ResourceTypeVpc),
	})
	if err != nil {
		return failed(err)
	}
	return m.setVpc(ctx, r, *out.Vpc.VpcId)
}

func (m *maker) updateVpc(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if err := m.retag(ctx, r); err != nil {
		return failed(err)
	}
	return m.setVpc(ctx, r, r.PhysicalID)
}

// setVpc sets the VPC's attributes, one a call as EC2 wants it.
func (m *maker) setVpc(ctx context.Context, r cloudformation.Request, id string) (cloudformation.Made, error) {
	if on := of(r).truth("EnableDnsSupport"); on != nil {
		_, err := m.ec2.ModifyVpcAttribute(ctx, &ec2.ModifyVpcAttributeInput{
			VpcId: &id, EnableDnsSupport: &types.AttributeBooleanValue{Value: on},
		})
		if err != nil {
			return failed(err)
		}
	}
	if on := of(r).truth("EnableDnsHostnames"); on != nil {
		_, err := m.ec2.ModifyVpcAttribute(ctx, &ec2.ModifyVpcAttributeInput{
			VpcId: &id, EnableDnsHostnames: &types.AttributeBooleanValue{Value: on},
		})
		if err != nil {
			return failed(err)
		}
	}
	groups, err := m.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{
		{Name: aws.String("vpc-id"), Values: []string{id}}, {Name: aws.String("group-name"), Values: []string{"default"}},
	}})
	if err != nil {
		return failed(err)
	}
	attributes := map[string]any{"VpcId": id, "CidrBlock": of(r).text("CidrBlock")}
	if len(groups.SecurityGroups) > 0 {
		attributes["DefaultSecurityGroup"] = *groups.SecurityGroups[0].GroupId
	}
	return made(id, attributes)
}

func (m *maker) createSubnet(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if r.Again && r.Previous == nil {
		found, err := m.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: ownFilters(r)})
		if err != nil {
			return failed(err)
		}
		if len(found.Subnets) > 0 {
			return m.setSubnet(ctx, r, found.Subnets[0])
		}
	}
	out, err := m.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{
		VpcId: of(r).optional("VpcId"), CidrBlock: of(r).optional("CidrBlock"),
		AvailabilityZone:  of(r).optional("AvailabilityZone"),
		TagSpecifications: tagSpecifications(r, types.ResourceTypeSubnet),
	})
	if err != nil {
		return failed(err)
	}
	return m.setSubnet(ctx, r, *out.Subnet)
}

func (m *maker) setSubnet(ctx context.Context, r cloudformation.Request, subnet types.Subnet) (cloudformation.Made, error) {
	if on := of(r).truth("MapPublicIpOnLaunch"); on != nil {
		_, err := m.ec2.ModifySubnetAttribute(ctx, &ec2.ModifySubnetAttributeInput{
			SubnetId: subnet.SubnetId, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: on},
		})
		if err != nil {
			return failed(err)
		}
	}
	return made(*subnet.SubnetId, map[string]any{
		"SubnetId": *subnet.SubnetId, "AvailabilityZone": *subnet.AvailabilityZone,
		"VpcId": *subnet.VpcId, "CidrBlock": *subnet.CidrBlock,
	})
}

func (m *maker) updateSubnet(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if err := m.retag(ctx, r); err != nil {
		return failed(err)
	}
	out, err := m.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{r.PhysicalID}})
	if err != nil {
		return failed(err)
	}
	return m.setSubnet(ctx, r, out.Subnets[0])
}

// retag makes the tags of something of EC2's what the template now says.
func (m *maker) retag(ctx context.Context, r cloudformation.Request) error {
	now := tagsOf(r)
	var gone []types.Tag
	for _, tag := range (properties)(r.Previous).objects("Tags") {
		if key := tag.text("Key"); now[key] == "" {
			gone = append(gone, types.Tag{Key: &key})
		}
	}
	if len(gone) > 0 {
		_, err := m.ec2.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{r.PhysicalID}, Tags: gone})
		if err != nil {
			return err
		}
	}
	_, err := m.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{r.PhysicalID}, Tags: eachTag(now, ec2Tag)})
	return err
}

// retagged is the update of what has nothing but tags to change.
func (m *maker) retagged(attributes func(cloudformation.Request) map[string]any) func(context.Context, cloudformation.Request) (cloudformation.Made, error) {
	return func(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
		if err := m.retag(ctx, r); err != nil {
			return failed(err)
		}
		return made(r.PhysicalID, attributes(r))
	}
}
