package ec2

import (
	"context"
	"net/netip"
	"slices"

	"portolan/local/wire"
)

type permissionsInput struct {
	GroupID     string       `json:"GroupId"`
	Permissions []Permission `json:"IpPermissions"`
	RuleIDs     []string     `json:"SecurityGroupRuleId"`
	// One permission may also be given without a list.
	IPProtocol string `json:"IpProtocol"`
	FromPort   *int   `json:"FromPort"`
	ToPort     *int   `json:"ToPort"`
	CidrIP     string `json:"CidrIp"`
}

// A groupRule is a permission as DescribeSecurityGroupRules shows it.
type groupRule struct {
	RuleID          string           `json:"securityGroupRuleId"`
	GroupID         string           `json:"groupId"`
	OwnerID         string           `json:"groupOwnerId"`
	IsEgress        bool             `json:"isEgress"`
	IPProtocol      string           `json:"ipProtocol"`
	FromPort        int              `json:"fromPort"`
	ToPort          int              `json:"toPort"`
	CidrIPv4        string           `json:"cidrIpv4,omitempty"`
	ReferencedGroup *referencedGroup `json:"referencedGroupInfo"`
	Description     string           `json:"description,omitempty"`
}

type referencedGroup struct {
	GroupID string `json:"groupId"`
	UserID  string `json:"userId"`
}

type authorizeOutput struct {
	Return bool        `json:"return"`
	Rules  []groupRule `json:"securityGroupRuleSet"`
}

func (s *Service) authorizeIngress(ctx context.Context, in *permissionsInput) (*authorizeOutput, error) {
	return s.authorize(in, false)
}

func (s *Service) authorizeEgress(ctx context.Context, in *permissionsInput) (*authorizeOutput, error) {
	return s.authorize(in, true)
}

func (in *permissionsInput) all(owner string) []Permission {
	if in.CidrIP != "" {
		in.Permissions = append(in.Permissions, Permission{
			IPProtocol: in.IPProtocol, FromPort: in.FromPort, ToPort: in.ToPort, IPRanges: []IPRange{{CidrIP: in.CidrIP}},
		})
	}
	return single(in.Permissions, owner)
}

func (s *Service) authorize(in *permissionsInput, egress bool) (*authorizeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group, ok := s.groups.Get(in.GroupID)
	if !ok {
		return nil, groupListing.absent(in.GroupID)
	}
	out := &authorizeOutput{Return: true}
	rules := slices.Clone(*group.side(egress))
	for _, permission := range in.all(s.config.Account) {
		if err := s.checkPeer(permission); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(rules, func(p Permission) bool { return p.key() == permission.key() }) {
			return nil, wire.Errorf("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s, from port: %s, "+
				"to port: %s, ALLOW\" already exists", permission.peer(), permission.IPProtocol,
				portText(permission.FromPort), portText(permission.ToPort))
		}
		permission.RuleID = s.newID("sgr")
		rules = append(rules, permission)
		out.Rules = append(out.Rules, group.rule(permission, egress))
	}
	*group.side(egress) = rules
	return out, s.groups.Put(group)
}

func (s *Service) checkPeer(p Permission) error {
	for _, pair := range p.Groups {
		if _, ok := s.groups.Get(pair.GroupID); !ok {
			return groupListing.absent(pair.GroupID)
		}
	}
	for _, r := range p.IPRanges {
		if _, err := netip.ParsePrefix(r.CidrIP); err != nil {
			return wire.Errorf("InvalidParameterValue", "CIDR block %s is malformed", r.CidrIP)
		}
	}
	return nil
}

// side is the group's rules in one direction.
func (g *SecurityGroup) side(egress bool) *[]Permission {
	if egress {
		return &g.Egress
	}
	return &g.Ingress
}

func (s *Service) revokeIngress(ctx context.Context, in *permissionsInput) (*result, error) {
	return s.revoke(in, false)
}

func (s *Service) revokeEgress(ctx context.Context, in *permissionsInput) (*result, error) {
	return s.revoke(in, true)
}

func (s *Service) revoke(in *permissionsInput, egress bool) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group, ok := s.groups.Get(in.GroupID)
	if !ok {
		return nil, groupListing.absent(in.GroupID)
	}
	rules := slices.Clone(*group.side(egress))
	remove := func(match func(Permission) bool) error {
		before := len(rules)
		rules = slices.DeleteFunc(rules, match)
		if len(rules) == before {
			return wire.Errorf("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		return nil
	}
	for _, permission := range in.all(s.config.Account) {
		if err := remove(func(p Permission) bool { return p.key() == permission.key() }); err != nil {
			return nil, err
		}
	}
	for _, id := range in.RuleIDs {
		if err := remove(func(p Permission) bool { return p.RuleID == id }); err != nil {
			return nil, err
		}
	}
	*group.side(egress) = rules
	return done, s.groups.Put(group)
}

func (g SecurityGroup) rule(p Permission, egress bool) groupRule {
	rule := groupRule{
		RuleID: p.RuleID, GroupID: g.GroupID, OwnerID: g.OwnerID, IsEgress: egress, IPProtocol: p.IPProtocol,
		FromPort: -1, ToPort: -1,
	}
	if p.FromPort != nil {
		rule.FromPort = *p.FromPort
	}
	if p.ToPort != nil {
		rule.ToPort = *p.ToPort
	}
	for _, r := range p.IPRanges {
		rule.CidrIPv4, rule.Description = r.CidrIP, r.Description
	}
	for _, pair := range p.Groups {
		rule.ReferencedGroup, rule.Description = &referencedGroup{pair.GroupID, pair.UserID}, pair.Description
	}
	return rule
}

type describeRulesInput struct {
	query
	IDs []string `json:"SecurityGroupRuleId"`
}

type describeRulesOutput struct {
	Rules     []groupRule `json:"securityGroupRuleSet"`
	NextToken string      `json:"nextToken,omitempty"`
}

func (s *Service) describeSecurityGroupRules(ctx context.Context, in *describeRulesInput) (*describeRulesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []groupRule
	for _, group := range s.groups.All() {
		for _, p := range group.Ingress {
			all = append(all, group.rule(p, false))
		}
		for _, p := range group.Egress {
			all = append(all, group.rule(p, true))
		}
	}
	found, next, err := describe(all, listing[groupRule]{
		id:   func(r groupRule) string { return r.RuleID },
		tags: func(groupRule) []Tag { return nil },
		absent: func(id string) *wire.Error {
			return wire.Errorf("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
		},
		fields: func(r groupRule) map[string][]string {
			return map[string][]string{"group-id": {r.GroupID}, "security-group-rule-id": {r.RuleID}}
		},
	}, in.IDs, in.query)
	return &describeRulesOutput{found, next}, err
}
