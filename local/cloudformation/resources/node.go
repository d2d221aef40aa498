package resources

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/local/cloudformation"
)

func (m *maker) nodeKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::EC2::LaunchTemplate"] = cloudformation.Kind{
		Provider: provider{
			create: m.createLaunchTemplate, update: m.updateLaunchTemplate,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ec2.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: &r.PhysicalID})
				return err
			},
		},
		CreateOnly:  []string{"LaunchTemplateName"},
		CreateTakes: 5 * time.Second, UpdateTakes: 3 * time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::AutoScaling::AutoScalingGroup"] = cloudformation.Kind{
		Provider: provider{
			create: m.createAutoScalingGroup, update: m.updateAutoScalingGroup, remove: m.deleteAutoScalingGroup,
			stable: m.autoScalingGroupStable,
		},
		CreateOnly:  []string{"AutoScalingGroupName", "InstanceId"},
		CreateTakes: 50 * time.Second, UpdateTakes: 5 * time.Second, DeleteTakes: 5 * time.Second,
	}
}

func (m *maker) createLaunchTemplate(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("LaunchTemplateName")
	if name == "" {
		name = r.Name
	}
	var tags []types.TagSpecification
	for _, specification := range of(r).objects("TagSpecifications") {
		kind := types.ResourceType(specification.text("ResourceType"))
		tags = append(tags, types.TagSpecification{ResourceType: kind, Tags: tagList(specification)})
	}
	out, err := m.ec2.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: &name, ClientToken: &r.Token, LaunchTemplateData: templateData(of(r).object("LaunchTemplateData")),
		TagSpecifications: tags,
	})
	if err != nil {
		return failed(err)
	}
	return templateMade(*out.LaunchTemplate.LaunchTemplateId, *out.LaunchTemplate.LatestVersionNumber)
}

func templateMade(id string, latest int64) (cloudformation.Made, error) {
	return made(id, map[string]any{
		"LaunchTemplateId": id, "LatestVersionNumber": fmt.Sprint(latest), "DefaultVersionNumber": "1",
	})
}

func (m *maker) updateLaunchTemplate(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	// A token of its own for each version: the creation's is taken.
	token := fmt.Sprintf("%s-%x", r.Token, len(fmt.Sprint(r.Properties)))
	out, err := m.ec2.CreateLaunchTemplateVersion(ctx, &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: &r.PhysicalID, LaunchTemplateData: templateData(of(r).object("LaunchTemplateData")),
		ClientToken: &token,
	})
	if err != nil {
		return failed(err)
	}
	return templateMade(r.PhysicalID, *out.LaunchTemplateVersion.VersionNumber)
}

func tagList(p properties) []types.Tag {
	var tags []types.Tag
	for _, tag := range p.objects("Tags") {
		tags = append(tags, types.Tag{Key: tag.optional("Key"), Value: tag.optional("Value")})
	}
	return tags
}

func templateData(p properties) *types.RequestLaunchTemplateData {
	data := &types.RequestLaunchTemplateData{
		ImageId: p.optional("ImageId"), InstanceType: types.InstanceType(p.text("InstanceType")),
		KeyName: p.optional("KeyName"), UserData: p.optional("UserData"), SecurityGroupIds: p.texts("SecurityGroupIds"),
	}
	if profile := p.object("IamInstanceProfile"); profile != nil {
		data.IamInstanceProfile = &types.LaunchTemplateIamInstanceProfileSpecificationRequest{
			Arn: profile.optional("Arn"), Name: profile.optional("Name"),
		}
	}
	if options := p.object("MetadataOptions"); options != nil {
		data.MetadataOptions = &types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpTokens:              types.LaunchTemplateHttpTokensState(options.text("HttpTokens")),
			HttpPutResponseHopLimit: options.number("HttpPutResponseHopLimit"),
		}
	}
	if options := p.object("InstanceMarketOptions"); options != nil {
		data.InstanceMarketOptions = &types.LaunchTemplateInstanceMarketOptionsRequest{MarketType: types.MarketType(options.text("MarketType"))}
	}
	for _, i := range p.objects("NetworkInterfaces") {
		data.NetworkInterfaces = append(data.NetworkInterfaces, types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{
			DeviceIndex: i.number("DeviceIndex"), AssociatePublicIpAddress: i.truth("AssociatePublicIpAddress"),
			DeleteOnTermination: i.truth("DeleteOnTermination"), Groups: i.texts("Groups"),
		})
	}
	for _, device := range p.objects("BlockDeviceMappings") {
		ebs := device.object("Ebs")
		data.BlockDeviceMappings = append(data.BlockDeviceMappings, types.LaunchTemplateBlockDeviceMappingRequest{
			DeviceName: device.optional("DeviceName"),
			Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{
				VolumeType: types.VolumeType(ebs.text("VolumeType")), VolumeSize: ebs.number("VolumeSize"),
				Encrypted: ebs.truth("Encrypted"), DeleteOnTermination: ebs.truth("DeleteOnTermination"),
			},
		})
	}
	for _, specification := range p.objects("TagSpecifications") {
		data.TagSpecifications = append(data.TagSpecifications, types.LaunchTemplateTagSpecificationRequest{
			ResourceType: types.ResourceType(specification.text("ResourceType")), Tags: tagList(specification),
		})
	}
	return data
}

func (m *maker) findGroup(ctx context.Context, name string) (*scaling.AutoScalingGroup, error) {
	out, err := m.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{name},
	})
	if err != nil || len(out.AutoScalingGroups) == 0 {
		return nil, err
	}
	return &out.AutoScalingGroups[0], nil
}

func groupMade(group *scaling.AutoScalingGroup) (cloudformation.Made, error) {
	return made(*group.AutoScalingGroupName, map[string]any{"AutoScalingGroupARN": aws.ToString(group.AutoScalingGroupARN)})
}

func templateOf(p properties) *scaling.LaunchTemplateSpecification {
	template := p.object("LaunchTemplate")
	return &scaling.LaunchTemplateSpecification{
		LaunchTemplateId: template.optional("LaunchTemplateId"), LaunchTemplateName: template.optional("LaunchTemplateName"),
		Version: template.optional("Version"),
	}
}

func groupTags(r cloudformation.Request, name string) []scaling.Tag {
	propagated := map[string]bool{}
	for _, tag := range of(r).objects("Tags") {
		propagated[tag.text("Key")] = tag.text("PropagateAtLaunch") == "true"
	}
	return eachTag(tagsOf(r), func(key, value *string) scaling.Tag {
		// The tags of the stack are passed on to the instances too.
		propagate, own := propagated[*key]
		propagate = propagate || !own
		return scaling.Tag{
			Key: key, Value: value, PropagateAtLaunch: &propagate, ResourceId: &name,
			ResourceType: aws.String("auto-scaling-group"),
		}
	})
}

func (m *maker) createAutoScalingGroup(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("AutoScalingGroupName")
	if name == "" {
		name = r.Name
	}
	p := of(r)
	_, err := m.groups.CreateAutoScalingGroup(ctx, &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &name, MinSize: p.number("MinSize"), MaxSize: p.number("MaxSize"),
		DesiredCapacity: p.number("DesiredCapacity"), LaunchTemplate: templateOf(p),
		VPCZoneIdentifier:                aws.String(strings.Join(p.texts("VPCZoneIdentifier"), ",")),
		HealthCheckType:                  p.optional("HealthCheckType"),
		HealthCheckGracePeriod:           p.number("HealthCheckGracePeriod"),
		NewInstancesProtectedFromScaleIn: p.truth("NewInstancesProtectedFromScaleIn"),
		Tags:                             groupTags(r, name),
	})
	if err != nil && !isCode(err, "AlreadyExists") {
		return failed(err)
	}
	group, findErr := m.findGroup(ctx, name)
	if findErr != nil || group == nil {
		return failed(fmt.Errorf("reading Auto Scaling group %s back: %w", name, findErr))
	}
	own := slices.ContainsFunc(group.Tags, func(t scaling.TagDescription) bool {
		return aws.ToString(t.Key) == "aws:cloudformation:stack-id" && aws.ToString(t.Value) == r.StackID
	})
	if err != nil && !own {
		return failed(err)
	}
	return groupMade(group)
}

func (m *maker) updateAutoScalingGroup(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	p := of(r)
	_, err := m.groups.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &r.PhysicalID, MinSize: p.number("MinSize"), MaxSize: p.number("MaxSize"),
		DesiredCapacity: p.number("DesiredCapacity"), LaunchTemplate: templateOf(p),
		VPCZoneIdentifier:                aws.String(strings.Join(p.texts("VPCZoneIdentifier"), ",")),
		HealthCheckType:                  p.optional("HealthCheckType"),
		HealthCheckGracePeriod:           p.number("HealthCheckGracePeriod"),
		NewInstancesProtectedFromScaleIn: p.truth("NewInstancesProtectedFromScaleIn"),
	})
	if err != nil {
		return failed(err)
	}
	_, err = m.groups.CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: groupTags(r, r.PhysicalID)})
	if err != nil {
		return failed(err)
	}
	group, err := m.findGroup(ctx, r.PhysicalID)
	if err != nil || group == nil {
		return failed(fmt.Errorf("reading Auto Scaling group %s back: %w", r.PhysicalID, err))
	}
	return groupMade(group)
}

// autoScalingGroupStable waits until as many instances as are desired serve.
func (m *maker) autoScalingGroupStable(ctx context.Context, r cloudformation.Request) error {
	group, err := m.findGroup(ctx, r.PhysicalID)
	if err != nil || group == nil {
		return err
	}
	serving := 0
	for _, instance := range group.Instances {
		if instance.LifecycleState == scaling.LifecycleStateInService {
			serving++
		}
	}
	if serving >= int(aws.ToInt32(group.DesiredCapacity)) {
		return nil
	}
	return notStable(group)
}

func notStable(group *scaling.AutoScalingGroup) error {
	return pending("Group did not stabilize. {current/minimum/maximum group size: %d/%d/%d}.",
		len(group.Instances), aws.ToInt32(group.MinSize), aws.ToInt32(group.MaxSize))
}

// deleteAutoScalingGroup scales the group to zero and waits, as CloudFormation
// does: it forces nothing, so instances that are protected from scale-in keep it
// waiting until it gives up.
func (m *maker) deleteAutoScalingGroup(ctx context.Context, r cloudformation.Request) error {
	group, err := m.findGroup(ctx, r.PhysicalID)
	if err != nil || group == nil {
		return err
	}
	if aws.ToInt32(group.MaxSize) > 0 || aws.ToInt32(group.DesiredCapacity) > 0 {
		_, err := m.groups.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: &r.PhysicalID, MinSize: aws.Int32(0), MaxSize: aws.Int32(0), DesiredCapacity: aws.Int32(0),
		})
		if err != nil {
			return err
		}
	}
	if len(group.Instances) > 0 {
		return notStable(group)
	}
	_, err = m.groups.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &r.PhysicalID})
	return err
}
