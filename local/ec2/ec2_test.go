package ec2_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/ec2"
	"portolan/local/unique"
	"portolan/local/wire"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
)

func newService(t *testing.T, d *disk.Disk) *ec2.Service {
	t.Helper()
	s, err := ec2.New(ec2.Config{
		Account: account, Region: region, Clock: clock.New(1), Disk: d, IDs: unique.New(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func clientOf(s *ec2.Service) *sdk.Client {
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: account, ARN: "arn:aws:iam::" + account + ":user/tester"}, nil
	}))
	router.Register("ec2", s.Handler())
	return sdk.NewFromConfig(aws.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
		HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
	})
}

func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || message != "" && api.ErrorMessage() != message {
		t.Errorf("error is %v, want %s: %s", err, code, message)
	}
}

func tagged(kind types.ResourceType) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: []types.Tag{
		{Key: aws.String("portolan:cluster"), Value: aws.String("web")},
	}}}
}

func TestDefaultVpcIsThere(t *testing.T) {
	client, ctx := clientOf(newService(t, nil)), t.Context()
	vpcs := must[*sdk.DescribeVpcsOutput](t)(client.DescribeVpcs(ctx, &sdk.DescribeVpcsInput{
		Filters: []types.Filter{{Name: aws.String("is-default"), Values: []string{"true"}}},
	}))
	if len(vpcs.Vpcs) != 1 {
		t.Fatalf("there are %d default VPCs", len(vpcs.Vpcs))
	}
	subnets := must[*sdk.DescribeSubnetsOutput](t)(client.DescribeSubnets(ctx, &sdk.DescribeSubnetsInput{
		Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{*vpcs.Vpcs[0].VpcId}}},
	}))
	var zones []string
	for _, subnet := range subnets.Subnets {
		zones = append(zones, *subnet.AvailabilityZone)
	}
	slices.Sort(zones)
	if want := []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}; !reflect.DeepEqual(zones, want) {
		t.Errorf("the default VPC has subnets in %v, want %v", zones, want)
	}
}

// network is a VPC with a public subnet and a NAT gateway in it.
type network struct{ vpc, subnet, gateway, table, address, nat string }

func makeNetwork(t *testing.T, ctx context.Context, c *sdk.Client) network {
	t.Helper()
	var n network
	n.vpc = *must[*sdk.CreateVpcOutput](t)(c.CreateVpc(ctx, &sdk.CreateVpcInput{
		CidrBlock: aws.String("10.0.0.0/16"), TagSpecifications: tagged(types.ResourceTypeVpc),
	})).Vpc.VpcId
	n.subnet = *must[*sdk.CreateSubnetOutput](t)(c.CreateSubnet(ctx, &sdk.CreateSubnetInput{
		VpcId: &n.vpc, CidrBlock: aws.String("10.0.0.0/20"), TagSpecifications: tagged(types.ResourceTypeSubnet),
	})).Subnet.SubnetId
	n.gateway = *must[*sdk.CreateInternetGatewayOutput](t)(c.CreateInternetGateway(ctx,
		&sdk.CreateInternetGatewayInput{})).InternetGateway.InternetGatewayId
	must[*sdk.AttachInternetGatewayOutput](t)(c.AttachInternetGateway(ctx, &sdk.AttachInternetGatewayInput{
		InternetGatewayId: &n.gateway, VpcId: &n.vpc,
	}))
	n.table = *must[*sdk.CreateRouteTableOutput](t)(c.CreateRouteTable(ctx,
		&sdk.CreateRouteTableInput{VpcId: &n.vpc})).RouteTable.RouteTableId
	must[*sdk.CreateRouteOutput](t)(c.CreateRoute(ctx, &sdk.CreateRouteInput{
		RouteTableId: &n.table, DestinationCidrBlock: aws.String("0.0.0.0/0"), GatewayId: &n.gateway,
	}))
	must[*sdk.AssociateRouteTableOutput](t)(c.AssociateRouteTable(ctx, &sdk.AssociateRouteTableInput{
		RouteTableId: &n.table, SubnetId: &n.subnet,
	}))
	n.address = *must[*sdk.AllocateAddressOutput](t)(c.AllocateAddress(ctx, &sdk.AllocateAddressInput{})).AllocationId
	n.nat = *must[*sdk.CreateNatGatewayOutput](t)(c.CreateNatGateway(ctx, &sdk.CreateNatGatewayInput{
		SubnetId: &n.subnet, AllocationId: &n.address,
	})).NatGateway.NatGatewayId
	return n
}

func natState(t *testing.T, ctx context.Context, c *sdk.Client, id string) types.NatGatewayState {
	t.Helper()
	return must[*sdk.DescribeNatGatewaysOutput](t)(c.DescribeNatGateways(ctx, &sdk.DescribeNatGatewaysInput{
		NatGatewayIds: []string{id},
	})).NatGateways[0].State
}

func TestWhatDependsOnWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ctx := clientOf(newService(t, nil)), t.Context()
		n := makeNetwork(t, ctx, c)
		if got := natState(t, ctx, c, n.nat); got != types.NatGatewayStatePending {
			t.Errorf("a new NAT gateway is %s", got)
		}
		time.Sleep(2 * time.Minute)
		if got := natState(t, ctx, c, n.nat); got != types.NatGatewayStateAvailable {
			t.Errorf("after two minutes a NAT gateway is %s", got)
		}
		deleteVpc := func() error {
			_, err := c.DeleteVpc(ctx, &sdk.DeleteVpcInput{VpcId: &n.vpc})
			return err
		}
		wantCode(t, deleteVpc(), "DependencyViolation", "The vpc '"+n.vpc+"' has dependencies and cannot be deleted.")
		_, err := c.DeleteSubnet(ctx, &sdk.DeleteSubnetInput{SubnetId: &n.subnet})
		wantCode(t, err, "DependencyViolation", "The subnet '"+n.subnet+"' has dependencies and cannot be deleted.")
		_, err = c.DeleteInternetGateway(ctx, &sdk.DeleteInternetGatewayInput{InternetGatewayId: &n.gateway})
		wantCode(t, err, "DependencyViolation", "The internetGateway '"+n.gateway+"' has dependencies and cannot be deleted.")
		detach := func() error {
			_, err := c.DetachInternetGateway(ctx, &sdk.DetachInternetGatewayInput{InternetGatewayId: &n.gateway, VpcId: &n.vpc})
			return err
		}
		wantCode(t, detach(), "DependencyViolation", "Network "+n.vpc+" has some mapped public address(es). "+
			"Please unmap those public address(es) before detaching the gateway.")
		_, err = c.ReleaseAddress(ctx, &sdk.ReleaseAddressInput{AllocationId: &n.address})
		wantCode(t, err, "InvalidIPAddress.InUse", "")
		_, err = c.DeleteRouteTable(ctx, &sdk.DeleteRouteTableInput{RouteTableId: &n.table})
		wantCode(t, err, "DependencyViolation", "")

		must[*sdk.DeleteNatGatewayOutput](t)(c.DeleteNatGateway(ctx, &sdk.DeleteNatGatewayInput{NatGatewayId: &n.nat}))
		if got := natState(t, ctx, c, n.nat); got != types.NatGatewayStateDeleting {
			t.Errorf("a NAT gateway that was just deleted is %s", got)
		}
		time.Sleep(time.Minute)
		must[*sdk.ReleaseAddressOutput](t)(c.ReleaseAddress(ctx, &sdk.ReleaseAddressInput{AllocationId: &n.address}))
		must[*sdk.DeleteSubnetOutput](t)(c.DeleteSubnet(ctx, &sdk.DeleteSubnetInput{SubnetId: &n.subnet}))
		must[*sdk.DeleteRouteTableOutput](t)(c.DeleteRouteTable(ctx, &sdk.DeleteRouteTableInput{RouteTableId: &n.table}))
		if err := detach(); err != nil {
			t.Error(err)
		}
		must[*sdk.DeleteInternetGatewayOutput](t)(c.DeleteInternetGateway(ctx,
			&sdk.DeleteInternetGatewayInput{InternetGatewayId: &n.gateway}))
		if err := deleteVpc(); err != nil {
			t.Error(err)
		}
		wantCode(t, deleteVpc(), "InvalidVpcID.NotFound", "The vpc ID '"+n.vpc+"' does not exist")
	})
}

func TestSecurityGroupRules(t *testing.T) {
	c, ctx := clientOf(newService(t, nil)), t.Context()
	create := func(name string) *string {
		return must[*sdk.CreateSecurityGroupOutput](t)(c.CreateSecurityGroup(ctx, &sdk.CreateSecurityGroupInput{
			GroupName: &name, Description: aws.String("a group"), TagSpecifications: tagged(types.ResourceTypeSecurityGroup),
		})).GroupId
	}
	lb, nodes := create("lb"), create("nodes")
	permission := []types.IpPermission{{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(1), ToPort: aws.Int32(65535),
		UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: lb, Description: aws.String("The load balancer")}},
	}}
	authorize := func() error {
		_, err := c.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{GroupId: nodes, IpPermissions: permission})
		return err
	}
	if err := authorize(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, authorize(), "InvalidPermission.Duplicate", "")
	groups := must[*sdk.DescribeSecurityGroupsOutput](t)(c.DescribeSecurityGroups(ctx, &sdk.DescribeSecurityGroupsInput{
		GroupIds: []string{*nodes},
	}))
	rule := groups.SecurityGroups[0].IpPermissions[0]
	if *rule.FromPort != 1 || *rule.UserIdGroupPairs[0].GroupId != *lb || *rule.UserIdGroupPairs[0].UserId != account {
		t.Errorf("the rule is %+v", rule)
	}
	_, err := c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: lb})
	wantCode(t, err, "DependencyViolation", "resource "+*lb+" has a dependent object")
	revoke := func() error {
		_, err := c.RevokeSecurityGroupIngress(ctx, &sdk.RevokeSecurityGroupIngressInput{GroupId: nodes, IpPermissions: permission})
		return err
	}
	if err := revoke(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, revoke(), "InvalidPermission.NotFound", "")
	must[*sdk.DeleteSecurityGroupOutput](t)(c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: lb}))
	rules := must[*sdk.DescribeSecurityGroupRulesOutput](t)(c.DescribeSecurityGroupRules(ctx, &sdk.DescribeSecurityGroupRulesInput{
		Filters: []types.Filter{{Name: aws.String("group-id"), Values: []string{*nodes}}},
	}))
	if len(rules.SecurityGroupRules) != 1 || !*rules.SecurityGroupRules[0].IsEgress {
		t.Errorf("rules are %+v, want the one that lets everything out", rules.SecurityGroupRules)
	}
}

func TestLaunchTemplateVersions(t *testing.T) {
	s := newService(t, nil)
	c, ctx := clientOf(s), t.Context()
	data := &types.RequestLaunchTemplateData{
		ImageId: aws.String("ami-1"), InstanceType: types.InstanceTypeT3Medium, UserData: aws.String("aGk="),
		IamInstanceProfile: &types.LaunchTemplateIamInstanceProfileSpecificationRequest{Arn: aws.String("arn:profile")},
		MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpTokens: types.LaunchTemplateHttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(1),
		},
		NetworkInterfaces: []types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{{
			DeviceIndex: aws.Int32(0), AssociatePublicIpAddress: aws.Bool(true), Groups: []string{"sg-1"},
		}},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{
			DeviceName: aws.String("/dev/xvda"),
			Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{
				VolumeSize: aws.Int32(30), VolumeType: types.VolumeTypeGp3, Encrypted: aws.Bool(true),
			},
		}},
		TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{{
			ResourceType: types.ResourceTypeInstance, Tags: tagged("")[0].Tags,
		}},
	}
	in := &sdk.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("web"), LaunchTemplateData: data}
	id := must[*sdk.CreateLaunchTemplateOutput](t)(c.CreateLaunchTemplate(ctx, in)).LaunchTemplate.LaunchTemplateId
	other := *in
	other.ClientToken = aws.String("another")
	_, err := c.CreateLaunchTemplate(ctx, &other)
	wantCode(t, err, "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
	data.InstanceType = types.InstanceTypeT3Large
	must[*sdk.CreateLaunchTemplateVersionOutput](t)(c.CreateLaunchTemplateVersion(ctx, &sdk.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: id, LaunchTemplateData: data,
	}))
	out := must[*sdk.DescribeLaunchTemplateVersionsOutput](t)(c.DescribeLaunchTemplateVersions(ctx, &sdk.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: id, Versions: []string{"$Latest", "$Default"},
	}))
	latest, first := out.LaunchTemplateVersions[0], out.LaunchTemplateVersions[1]
	if *latest.VersionNumber != 2 || latest.LaunchTemplateData.InstanceType != types.InstanceTypeT3Large || !*first.DefaultVersion {
		t.Errorf("versions are %+v", out.LaunchTemplateVersions)
	}
	got := first.LaunchTemplateData
	if !*got.NetworkInterfaces[0].AssociatePublicIpAddress || got.NetworkInterfaces[0].Groups[0] != "sg-1" ||
		*got.BlockDeviceMappings[0].Ebs.VolumeSize != 30 || *got.TagSpecifications[0].Tags[0].Value != "web" ||
		got.MetadataOptions.HttpTokens != types.LaunchTemplateHttpTokensStateRequired {
		t.Errorf("the first version came back as %+v", got)
	}
	if v, err := s.LaunchTemplateVersion("", "web", "2"); err != nil || v.Data.InstanceType != "t3.large" {
		t.Errorf("version 2 is %+v, %v", v, err)
	}
	must[*sdk.DeleteLaunchTemplateOutput](t)(c.DeleteLaunchTemplate(ctx, &sdk.DeleteLaunchTemplateInput{LaunchTemplateId: id}))
	_, err = c.DeleteLaunchTemplate(ctx, &sdk.DeleteLaunchTemplateInput{LaunchTemplateId: id})
	wantCode(t, err, "InvalidLaunchTemplateId.NotFound", "")
}

type fakeInstances struct{ list []ec2.Instance }

func (f *fakeInstances) Instances() []ec2.Instance { return f.list }

func (f *fakeInstances) TerminateInstance(_ context.Context, id string) error {
	for i := range f.list {
		if f.list[i].ID == id {
			f.list[i].State = "terminated"
		}
	}
	return nil
}

func TestInstancesComeFromWhoRunsThem(t *testing.T) {
	s := newService(t, nil)
	c, ctx := clientOf(s), t.Context()
	subnet := must[*sdk.DescribeSubnetsOutput](t)(c.DescribeSubnets(ctx, &sdk.DescribeSubnetsInput{})).Subnets[0]
	s.UseInstances(&fakeInstances{[]ec2.Instance{{
		ID: "i-1", State: "running", ImageID: "ami-1", InstanceType: "t3.medium", SubnetID: *subnet.SubnetId,
		PrivateIP: "172.31.0.9", PublicIP: "203.0.113.9", LaunchTime: time.Unix(1e9, 0), RootVolumeGiB: 30,
		Tags: []ec2.Tag{{Key: "portolan:cluster", Value: "web"}},
	}}})
	out := must[*sdk.DescribeInstancesOutput](t)(c.DescribeInstances(ctx, &sdk.DescribeInstancesInput{
		Filters: []types.Filter{
			{Name: aws.String("tag:portolan:cluster"), Values: []string{"w*"}},
			{Name: aws.String("instance-state-name"), Values: []string{"running"}},
		},
	}))
	if len(out.Reservations) != 1 {
		t.Fatalf("there are %d reservations", len(out.Reservations))
	}
	got := out.Reservations[0].Instances[0]
	if *got.VpcId != *subnet.VpcId || *got.Placement.AvailabilityZone != *subnet.AvailabilityZone || *got.PrivateIpAddress != "172.31.0.9" {
		t.Errorf("the instance is described as %+v", got)
	}
	_, err := c.DeleteSubnet(ctx, &sdk.DeleteSubnetInput{SubnetId: subnet.SubnetId})
	wantCode(t, err, "DependencyViolation", "")
	volumes := must[*sdk.DescribeVolumesOutput](t)(c.DescribeVolumes(ctx, &sdk.DescribeVolumesInput{}))
	if len(volumes.Volumes) != 1 || *volumes.Volumes[0].Size != 30 {
		t.Errorf("volumes are %+v", volumes.Volumes)
	}
	_, err = c.TerminateInstances(ctx, &sdk.TerminateInstancesInput{InstanceIds: []string{"i-1", "i-2"}})
	wantCode(t, err, "InvalidInstanceID.NotFound", "The instance ID 'i-2' does not exist")
	change := must[*sdk.TerminateInstancesOutput](t)(c.TerminateInstances(ctx, &sdk.TerminateInstancesInput{InstanceIds: []string{"i-1"}}))
	if change.TerminatingInstances[0].CurrentState.Name != types.InstanceStateNameShuttingDown {
		t.Errorf("the change is %+v", change.TerminatingInstances)
	}
	must[*sdk.DeleteSubnetOutput](t)(c.DeleteSubnet(ctx, &sdk.DeleteSubnetInput{SubnetId: subnet.SubnetId}))
}

func TestTagsAndPages(t *testing.T) {
	c, ctx := clientOf(newService(t, nil)), t.Context()
	n := makeNetwork(t, ctx, c)
	must[*sdk.CreateTagsOutput](t)(c.CreateTags(ctx, &sdk.CreateTagsInput{
		Resources: []string{n.gateway, n.vpc},
		Tags:      []types.Tag{{Key: aws.String("portolan:cluster"), Value: aws.String("db")}},
	}))
	tags := must[*sdk.DescribeTagsOutput](t)(c.DescribeTags(ctx, &sdk.DescribeTagsInput{
		Filters: []types.Filter{{Name: aws.String("value"), Values: []string{"db"}}},
	}))
	if len(tags.Tags) != 2 {
		t.Errorf("tags are %+v", tags.Tags)
	}
	_, err := c.CreateTags(ctx, &sdk.CreateTagsInput{Resources: []string{"vpc-1"}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	wantCode(t, err, "InvalidID", "The vpc ID 'vpc-1' does not exist")
	_, err = c.DescribeVpcs(ctx, &sdk.DescribeVpcsInput{Filters: []types.Filter{{Name: aws.String("color"), Values: []string{"red"}}}})
	wantCode(t, err, "InvalidParameterValue", "The filter 'color' is invalid")
	var seen int
	pages := sdk.NewDescribeSubnetsPaginator(c, &sdk.DescribeSubnetsInput{MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		seen += len(must[*sdk.DescribeSubnetsOutput](t)(pages.NextPage(ctx)).Subnets)
	}
	if seen != 4 {
		t.Errorf("paging shows %d subnets, want 4", seen)
	}
}

func TestStateComesBackFromDisk(t *testing.T) {
	d := must[*disk.Disk](t)(disk.Open(t.TempDir()))
	defer d.Close()
	first := newService(t, d)
	n := makeNetwork(t, t.Context(), clientOf(first))
	again := newService(t, d)
	if !reflect.DeepEqual(first.Tagged(), again.Tagged()) {
		t.Errorf("after a restart there is %+v, want %+v", again.Tagged(), first.Tagged())
	}
	c := clientOf(again)
	vpcs := must[*sdk.DescribeVpcsOutput](t)(c.DescribeVpcs(t.Context(), &sdk.DescribeVpcsInput{}))
	if len(vpcs.Vpcs) != 2 {
		t.Errorf("after a restart there are %d VPCs, want the default one and ours", len(vpcs.Vpcs))
	}
	_, err := c.DeleteRouteTable(t.Context(), &sdk.DeleteRouteTableInput{RouteTableId: &n.table})
	wantCode(t, err, "DependencyViolation", "")
}
