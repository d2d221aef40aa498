package ec2

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"portolan/local/wire"
)

// A SecurityGroup is a security group of a VPC. Each of its permissions holds one
// source only, as a rule does.
type SecurityGroup struct {
	GroupID     string       `json:"groupId"`
	ARN         string       `json:"securityGroupArn"`
	GroupName   string       `json:"groupName"`
	Description string       `json:"groupDescription"`
	VpcID       string       `json:"vpcId"`
	OwnerID     string       `json:"ownerId"`
	Ingress     []Permission `json:"ipPermissions"`
	Egress      []Permission `json:"ipPermissionsEgress"`
	Tags        []Tag        `json:"tagSet"`
}

// A Permission admits a protocol and ports from or to ranges and groups.
type Permission struct {
	RuleID     string      `json:"ruleId,omitempty"`
	IPProtocol string      `json:"ipProtocol"`
	FromPort   *int        `json:"fromPort"`
	ToPort     *int        `json:"toPort"`
	IPRanges   []IPRange   `json:"ipRanges"`
	Groups     []GroupPair `json:"groups"`
}

// An IPRange is a range of IPv4 addresses.
type IPRange struct {
	CidrIP      string `json:"cidrIp"`
	Description string `json:"description,omitempty"`
}

// A GroupPair is a group that a permission names.
type GroupPair struct {
	GroupID     string `json:"groupId"`
	UserID      string `json:"userId"`
	Description string `json:"description,omitempty"`
}

// single cuts permissions into ones of one range or group each.
func single(permissions []Permission, owner string) []Permission {
	var cut []Permission
	for _, p := range permissions {
		for _, r := range p.IPRanges {
			one := p
			one.IPRanges, one.Groups = []IPRange{r}, nil
			cut = append(cut, one)
		}
		for _, g := range p.Groups {
			one := p
			if g.UserID == "" {
				g.UserID = owner
			}
			one.IPRanges, one.Groups = nil, []GroupPair{g}
			cut = append(cut, one)
		}
	}
	return cut
}

// peer is the range or the group of a permission that has one.
func (p Permission) peer() string {
	if len(p.IPRanges) > 0 {
		return p.IPRanges[0].CidrIP
	}
	return p.Groups[0].GroupID
}

func (p Permission) key() string {
	return strings.Join([]string{strings.ToLower(p.IPProtocol), portText(p.FromPort), portText(p.ToPort), p.peer()}, "|")
}

func portText(port *int) string {
	if port == nil {
		return ""
	}
	return strconv.Itoa(*port)
}

func (s *Service) groupOperations(operations map[string]wire.Operation) {
	operations["CreateSecurityGroup"] = wire.Op(s.createSecurityGroup)
	operations["DescribeSecurityGroups"] = wire.Op(s.describeSecurityGroups)
	operations["DescribeSecurityGroupRules"] = wire.Op(s.describeSecurityGroupRules)
	operations["DeleteSecurityGroup"] = wire.Op(s.deleteSecurityGroup)
	operations["AuthorizeSecurityGroupIngress"] = wire.Op(s.authorizeIngress)
	operations["AuthorizeSecurityGroupEgress"] = wire.Op(s.authorizeEgress)
	operations["RevokeSecurityGroupIngress"] = wire.Op(s.revokeIngress)
	operations["RevokeSecurityGroupEgress"] = wire.Op(s.revokeEgress)
}

var groupListing = listing[SecurityGroup]{
	id:   func(v SecurityGroup) string { return v.GroupID },
	tags: func(v SecurityGroup) []Tag { return v.Tags },
	absent: func(id string) *wire.Error {
		return wire.Errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
	},
	fields: func(v SecurityGroup) map[string][]string {
		return map[string][]string{
			"group-id": {v.GroupID}, "group-name": {v.GroupName}, "vpc-id": {v.VpcID}, "owner-id": {v.OwnerID},
			"description": {v.Description},
		}
	},
}

// newSecurityGroup is a group as it begins: nothing in, everything out.
func (s *Service) newSecurityGroup(vpcID, name, description string, tags []Tag) SecurityGroup {
	id := s.newID("sg")
	return SecurityGroup{
		GroupID: id, ARN: s.arn("security-group", id), GroupName: name, Description: description, VpcID: vpcID,
		OwnerID: s.config.Account, Tags: tags,
		Egress: []Permission{{
			RuleID: s.newID("sgr"), IPProtocol: "-1", IPRanges: []IPRange{{CidrIP: "0.0.0.0/0"}},
		}},
	}
}

type createSecurityGroupInput struct {
	GroupName         string             `json:"GroupName"`
	Description       string             `json:"GroupDescription"`
	VpcID             string             `json:"VpcId"`
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

type createSecurityGroupOutput struct {
	GroupID string `json:"groupId"`
	ARN     string `json:"securityGroupArn"`
	Tags    []Tag  `json:"tagSet"`
}

func (s *Service) createSecurityGroup(ctx context.Context, in *createSecurityGroupInput) (*createSecurityGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.vpcs.Get(in.VpcID); !ok && in.VpcID != "" {
		return nil, vpcListing.absent(in.VpcID)
	}
	if in.VpcID == "" {
		vpc, ok := s.vpcs.First(func(v Vpc) bool { return v.IsDefault })
		if !ok {
			return nil, wire.Errorf("VPCIdNotSpecified", "No default VPC for this user")
		}
		in.VpcID = vpc.VpcID
	}
	if _, ok := s.groups.First(func(g SecurityGroup) bool {
		return g.VpcID == in.VpcID && g.GroupName == in.GroupName
	}); ok {
		return nil, wire.Errorf("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'",
			in.GroupName, in.VpcID)
	}
	group := s.newSecurityGroup(in.VpcID, in.GroupName, in.Description, tagsFor("security-group", in.TagSpecifications))
	return &createSecurityGroupOutput{group.GroupID, group.ARN, group.Tags}, s.groups.Put(group)
}

type describeSecurityGroupsInput struct {
	query
	IDs   []string `json:"GroupId"`
	Names []string `json:"GroupName"`
}

type describeSecurityGroupsOutput struct {
	Groups    []SecurityGroup `json:"securityGroupInfo"`
	NextToken string          `json:"nextToken,omitempty"`
}

func (s *Service) describeSecurityGroups(ctx context.Context, in *describeSecurityGroupsInput) (*describeSecurityGroupsOutput, error) {
	if len(in.Names) > 0 {
		in.Filters = append(in.Filters, filter{"group-name", in.Names})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := describe(s.groups.All(), groupListing, in.IDs, in.query)
	return &describeSecurityGroupsOutput{found, next}, err
}

type securityGroupInput struct {
	GroupID string `json:"GroupId"`
}

// deleteSecurityGroup fails while an interface or another group's rule has it.
func (s *Service) deleteSecurityGroup(ctx context.Context, in *securityGroupInput) (*result, error) {
	interfaces := s.listInterfaces()
	s.mu.Lock()
	defer s.mu.Unlock()
	group, ok := s.groups.Get(in.GroupID)
	if !ok {
		return nil, groupListing.absent(in.GroupID)
	}
	if group.GroupName == "default" {
		return nil, wire.Errorf("CannotDelete", "the specified group: %q name: %q cannot be deleted by a user",
			group.GroupID, group.GroupName)
	}
	_, named := s.groups.First(func(other SecurityGroup) bool {
		return other.GroupID != group.GroupID && other.names(group.GroupID)
	})
	if named || slices.ContainsFunc(interfaces, func(v NetworkInterface) bool { return v.hasGroup(group.GroupID) }) {
		return nil, wire.Errorf("DependencyViolation", "resource %s has a dependent object", group.GroupID)
	}
	return done, s.groups.Remove(group.GroupID)
}

// names tells whether a rule of the group's names another group.
func (g SecurityGroup) names(id string) bool {
	return slices.ContainsFunc(slices.Concat(g.Ingress, g.Egress), func(p Permission) bool {
		return slices.ContainsFunc(p.Groups, func(pair GroupPair) bool { return pair.GroupID == id })
	})
}
