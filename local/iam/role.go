package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	"portolan/local/wire"
)

// A Role is a role with its policies.
type Role struct {
	roleHead
	Inline   map[string]string `json:"Inline"`   // documents by policy name
	Attached []string          `json:"Attached"` // ARNs of managed policies
}

// roleHead is what calls show of a role.
type roleHead struct {
	Path                     string    `json:"Path"`
	RoleName                 string    `json:"RoleName"`
	RoleID                   string    `json:"RoleId"`
	ARN                      string    `json:"Arn"`
	CreateDate               wire.Time `json:"CreateDate"`
	AssumeRolePolicyDocument string    `json:"AssumeRolePolicyDocument"`
	Description              string    `json:"Description,omitempty"`
	MaxSessionDuration       int       `json:"MaxSessionDuration"`
	Tags                     []Tag     `json:"Tags"`
}

// view is the role as IAM's answers have it.
func (r Role) view() roleHead {
	head := r.roleHead
	head.AssumeRolePolicyDocument = encoded(head.AssumeRolePolicyDocument)
	return head
}

func (s *Service) roleOperations(operations map[string]wire.Operation) {
	operations["CreateRole"] = wire.Op(s.createRole)
	operations["GetRole"] = wire.Op(s.getRole)
	operations["ListRoles"] = wire.Op(s.listRoles)
	operations["UpdateAssumeRolePolicy"] = wire.Op(s.updateAssumeRolePolicy)
	operations["DeleteRole"] = wire.Op(s.deleteRole)
	operations["TagRole"] = wire.Op(s.tagRole)
	operations["UntagRole"] = wire.Op(s.untagRole)
	operations["ListRoleTags"] = wire.Op(s.listRoleTags)
	operations["CreateServiceLinkedRole"] = wire.Op(s.createServiceLinkedRole)
}

type createRoleInput struct {
	Path                     string `json:"Path"`
	RoleName                 string `json:"RoleName"`
	AssumeRolePolicyDocument string `json:"AssumeRolePolicyDocument"`
	Description              string `json:"Description"`
	MaxSessionDuration       int    `json:"MaxSessionDuration"`
	Tags                     []Tag  `json:"Tags"`
}

type roleOutput struct {
	Role roleHead `json:"Role"`
}

func (s *Service) createRole(ctx context.Context, in *createRoleInput) (*roleOutput, error) {
	if err := checkDocument(in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addRole(*in)
}

func (s *Service) addRole(in createRoleInput) (*roleOutput, error) {
	if _, ok := s.roles.Get(in.RoleName); ok {
		return nil, alreadyExists("Role", in.RoleName)
	}
	role := Role{roleHead: roleHead{
		Path: pathOr(in.Path), RoleName: in.RoleName, RoleID: "AROA" + s.config.IDs.Base32(17),
		CreateDate:               wire.At(s.config.Clock.Now()),
		AssumeRolePolicyDocument: in.AssumeRolePolicyDocument, Description: in.Description,
		MaxSessionDuration: max(in.MaxSessionDuration, 3600), Tags: in.Tags,
	}}
	role.ARN = s.arn("role", role.Path, role.RoleName)
	return &roleOutput{role.view()}, s.roles.Put(role)
}

type roleInput struct {
	RoleName string `json:"RoleName"`
}

// findRole is the role of that name, or NoSuchEntity.
func (s *Service) findRole(name string) (Role, error) {
	role, ok := s.roles.Get(name)
	if !ok {
		return Role{}, noSuchEntity("The role with name %s cannot be found.", name)
	}
	return role, nil
}

func (s *Service) getRole(ctx context.Context, in *roleInput) (*roleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, err := s.findRole(in.RoleName)
	if err != nil {
		return nil, err
	}
	return &roleOutput{role.view()}, nil
}

type listRolesInput struct {
	PathPrefix string `json:"PathPrefix"`
}

type listRolesOutput struct {
	Roles       []roleHead `json:"Roles"`
	IsTruncated bool       `json:"IsTruncated"`
}

func (s *Service) listRoles(ctx context.Context, in *listRolesInput) (*listRolesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listRolesOutput{}
	for _, role := range s.roles.All() {
		if strings.HasPrefix(role.Path, in.PathPrefix) {
			out.Roles = append(out.Roles, role.view())
		}
	}
	return out, nil
}

type updateAssumeRolePolicyInput struct {
	RoleName       string `json:"RoleName"`
	PolicyDocument string `json:"PolicyDocument"`
}

func (s *Service) updateAssumeRolePolicy(ctx context.Context, in *updateAssumeRolePolicyInput) (*struct{}, error) {
	if err := checkDocument(in.PolicyDocument); err != nil {
		return nil, err
	}
	return s.changeRole(in.RoleName, func(role *Role) error {
		role.AssumeRolePolicyDocument = in.PolicyDocument
		return nil
	})
}

// changeRole keeps what change makes of the role, unless that fails.
func (s *Service) changeRole(name string, change func(*Role) error) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, err := s.findRole(name)
	if err != nil {
		return nil, err
	}
	role.Inline = maps.Clone(role.Inline)
	if err := change(&role); err != nil {
		return nil, err
	}
	return nothing, s.roles.Put(role)
}

func (s *Service) deleteRole(ctx context.Context, in *roleInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, err := s.findRole(in.RoleName)
	if err != nil {
		return nil, err
	}
	if s.profiles.Find(func(p InstanceProfile) bool { return slices.Contains(p.RoleNames, role.RoleName) }) != nil {
		return nil, deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
	}
	if len(role.Attached) > 0 {
		return nil, deleteConflict("Cannot delete entity, must detach all policies first.")
	}
	if len(role.Inline) > 0 {
		return nil, deleteConflict("Cannot delete entity, must delete policies first.")
	}
	return nothing, s.roles.Remove(role.RoleName)
}

type tagRoleInput struct {
	RoleName string   `json:"RoleName"`
	Tags     []Tag    `json:"Tags"`
	TagKeys  []string `json:"TagKeys"`
}

func (s *Service) tagRole(ctx context.Context, in *tagRoleInput) (*struct{}, error) {
	return s.changeRole(in.RoleName, func(role *Role) error {
		role.Tags = mergeTags(role.Tags, in.Tags)
		return nil
	})
}

func (s *Service) untagRole(ctx context.Context, in *tagRoleInput) (*struct{}, error) {
	return s.changeRole(in.RoleName, func(role *Role) error {
		role.Tags = removeTags(role.Tags, in.TagKeys)
		return nil
	})
}

func (s *Service) listRoleTags(ctx context.Context, in *roleInput) (*tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, err := s.findRole(in.RoleName)
	return &tagsOutput{Tags: role.Tags}, err
}

type createServiceLinkedRoleInput struct {
	ServiceName string `json:"AWSServiceName"`
	Description string `json:"Description"`
}

// serviceLinkedNames are the names that AWS's services chose for their roles,
// where they are not made from the name of the service.
var serviceLinkedNames = map[string]string{
	"ecs.amazonaws.com":                  "AWSServiceRoleForECS",
	"autoscaling.amazonaws.com":          "AWSServiceRoleForAutoScaling",
	"elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
	"spot.amazonaws.com":                 "AWSServiceRoleForEC2Spot",
	"eks.amazonaws.com":                  "AWSServiceRoleForAmazonEKS",
	"eks-nodegroup.amazonaws.com":        "AWSServiceRoleForAmazonEKSNodegroup",
}

func (s *Service) createServiceLinkedRole(ctx context.Context, in *createServiceLinkedRoleInput) (*roleOutput, error) {
	name, ok := serviceLinkedNames[in.ServiceName]
	if !ok {
		return nil, wire.Errorf("InvalidInput", "Invalid input: %s is no service with a role here.", in.ServiceName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.roles.Get(name); ok {
		return nil, wire.Errorf("InvalidInput", "Service role name %s has been taken in this account, "+
			"please try a different suffix.", name)
	}
	return s.addRole(createRoleInput{
		Path: "/aws-service-role/" + in.ServiceName + "/", RoleName: name, Description: in.Description,
		AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` +
			in.ServiceName + `"},"Action":"sts:AssumeRole"}]}`,
	})
}

// RolePolicies are the documents of a role's inline policies and of those of its
// managed policies that this account made, and whether there is such a role.
func (s *Service) RolePolicies(name string) (documents []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, ok := s.roles.Get(name)
	for _, policy := range slices.Sorted(maps.Keys(role.Inline)) {
		documents = append(documents, role.Inline[policy])
	}
	for _, arn := range role.Attached {
		if policy, ok := s.policies.Get(arn); ok {
			documents = append(documents, policy.Document)
		}
	}
	return documents, ok
}

// RoleARN is the ARN of the role of that name, and whether there is one.
func (s *Service) RoleARN(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, ok := s.roles.Get(name)
	return role.ARN, ok
}
