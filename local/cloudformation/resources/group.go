package resources

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/local/cloudformation"
)

func (m *maker) groupKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::EC2::SecurityGroup"] = cloudformation.Kind{
		Provider: provider{
			create: m.createSecurityGroup, update: m.updateSecurityGroup,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ec2.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &r.PhysicalID})
				return err
			},
		},
		CreateOnly: []string{"GroupDescription", "GroupName", "VpcId"}, Patience: dependencyPatience,
		CreateTakes: 5 * time.Second, UpdateTakes: 3 * time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::EC2::SecurityGroupIngress"] = cloudformation.Kind{
		Provider: provider{create: m.createIngress, remove: m.deleteIngress},
		CreateOnly: []string{
			"GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "SourceSecurityGroupId", "Description",
		},
		CreateTakes: 2 * time.Second, DeleteTakes: time.Second,
	}
}

func (m *maker) createSecurityGroup(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("GroupName")
	if name == "" {
		name = r.Name
	}
	if r.Again {
		found, err := m.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
			Filters: append(ownFilters(r), types.Filter{Name: aws.String("group-name"), Values: []string{name}}),
		})
		if err != nil {
			return failed(err)
		}
		if len(found.SecurityGroups) > 0 {
			return m.setRules(ctx, r, *found.SecurityGroups[0].GroupId)
		}
	}
	out, err := m.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: &name, Description: of(r).optional("GroupDescription"), VpcId: of(r).optional("VpcId"),
		TagSpecifications: tagSpecifications(r, types.ResourceTypeSecurityGroup),
	})
	if err != nil {
		return failed(err)
	}
	return m.setRules(ctx, r, *out.GroupId)
}

func (m *maker) setRules(ctx context.Context, r cloudformation.Request, id string) (cloudformation.Made, error) {
	if err := m.authorize(ctx, id, of(r).objects("SecurityGroupIngress")); err != nil {
		return failed(err)
	}
	if err := m.letOut(ctx, id, of(r).objects("SecurityGroupEgress")); err != nil {
		return failed(err)
	}
	return made(id, map[string]any{"GroupId": id, "Id": id, "VpcId": of(r).text("VpcId")})
}

// authorize admits by rules of its own, and minds none that is there already.
func (m *maker) authorize(ctx context.Context, id string, rules []properties) error {
	for _, rule := range rules {
		_, err := m.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
			GroupId: &id, IpPermissions: permission(rule),
		})
		if err != nil && !isCode(err, "InvalidPermission.Duplicate") {
			return err
		}
	}
	return nil
}

// letOut makes the rules those by which the group lets out, in place of the one that a
// new group has, which lets out everything.
func (m *maker) letOut(ctx context.Context, id string, rules []properties) error {
	for _, rule := range rules {
		_, err := m.ec2.AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: permission(rule)})
		if err != nil && !isCode(err, "InvalidPermission.Duplicate") {
			return err
		}
	}
	if len(rules) == 0 {
		return nil
	}
	_, err := m.ec2.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &id, IpPermissions: []types.IpPermission{
		{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}})
	if isCode(err, "InvalidPermission.NotFound") {
		return nil
	}
	return err
}

func permission(rule properties) []types.IpPermission {
	p := types.IpPermission{
		IpProtocol: rule.optional("IpProtocol"), FromPort: rule.number("FromPort"), ToPort: rule.number("ToPort"),
	}
	if rule.has("CidrIp") {
		p.IpRanges = []types.IpRange{{CidrIp: rule.optional("CidrIp"), Description: rule.optional("Description")}}
	}
	for _, peer := range []string{"SourceSecurityGroupId", "DestinationSecurityGroupId"} {
		if rule.has(peer) {
			p.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: rule.optional(peer), Description: rule.optional("Description")}}
		}
	}
	return []types.IpPermission{p}
}

func (m *maker) updateSecurityGroup(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if err := m.retag(ctx, r); err != nil {
		return failed(err)
	}
	for _, rule := range properties(r.Previous).objects("SecurityGroupIngress") {
		_, err := m.ec2.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
			GroupId: &r.PhysicalID, IpPermissions: permission(rule),
		})
		if err != nil && !isCode(err, "InvalidPermission.NotFound") {
			return failed(err)
		}
	}
	return m.setRules(ctx, r, r.PhysicalID)
}

func (m *maker) createIngress(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	out, err := m.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: of(r).optional("GroupId"), IpPermissions: permission(of(r)),
	})
	if r.Again && isCode(err, "InvalidPermission.Duplicate") {
		return m.foundIngress(ctx, r, err)
	}
	if err != nil {
		return failed(err)
	}
	id := *out.SecurityGroupRules[0].SecurityGroupRuleId
	return made(id, map[string]any{"Id": id})
}

// foundIngress is the rule that an earlier try made, or fails as the try of now did.
func (m *maker) foundIngress(ctx context.Context, r cloudformation.Request, refused error) (cloudformation.Made, error) {
	out, err := m.ec2.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{
		Filters: []types.Filter{{Name: aws.String("group-id"), Values: []string{of(r).text("GroupId")}}},
	})
	if err != nil {
		return failed(err)
	}
	wanted := of(r)
	for _, rule := range out.SecurityGroupRules {
		peer := ""
		if rule.ReferencedGroupInfo != nil {
			peer = aws.ToString(rule.ReferencedGroupInfo.GroupId)
		}
		if !aws.ToBool(rule.IsEgress) && aws.ToString(rule.IpProtocol) == wanted.text("IpProtocol") &&
			samePort(rule.FromPort, wanted.number("FromPort")) && samePort(rule.ToPort, wanted.number("ToPort")) &&
			aws.ToString(rule.CidrIpv4) == wanted.text("CidrIp") && peer == wanted.text("SourceSecurityGroupId") {
			id := *rule.SecurityGroupRuleId
			return made(id, map[string]any{"Id": id})
		}
	}
	return failed(refused)
}

// samePort compares ports; none means all of them, which EC2 shows as -1.
func samePort(shown, wanted *int32) bool {
	if wanted == nil {
		return shown == nil || *shown == -1
	}
	return shown != nil && *shown == *wanted
}

func (m *maker) deleteIngress(ctx context.Context, r cloudformation.Request) error {
	_, err := m.ec2.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
		GroupId: of(r).optional("GroupId"), IpPermissions: permission(of(r)),
	})
	return err
}
