package iam

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"portolan/local/wire"
)

// A Policy is a managed policy of the account's. AWS's own, whose ARN has aws in
// the account's place, can be attached without being kept.
type Policy struct {
	policyHead
	Document string `json:"Document"`
}

type policyHead struct {
	Name             string    `json:"PolicyName"`
	ID               string    `json:"PolicyId"`
	ARN              string    `json:"Arn"`
	Path             string    `json:"Path"`
	DefaultVersionID string    `json:"DefaultVersionId"`
	AttachmentCount  int       `json:"AttachmentCount"`
	IsAttachable     bool      `json:"IsAttachable"`
	Description      string    `json:"Description,omitempty"`
	CreateDate       wire.Time `json:"CreateDate"`
	UpdateDate       wire.Time `json:"UpdateDate"`
	Tags             []Tag     `json:"Tags"`
}

func (s *Service) policyOperations(operations map[string]wire.Operation) {
	operations["PutRolePolicy"] = wire.Op(s.putRolePolicy)
	operations["GetRolePolicy"] = wire.Op(s.getRolePolicy)
	operations["ListRolePolicies"] = wire.Op(s.listRolePolicies)
	operations["DeleteRolePolicy"] = wire.Op(s.deleteRolePolicy)
	operations["AttachRolePolicy"] = wire.Op(s.attachRolePolicy)
	operations["DetachRolePolicy"] = wire.Op(s.detachRolePolicy)
	operations["ListAttachedRolePolicies"] = wire.Op(s.listAttachedRolePolicies)
	operations["CreatePolicy"] = wire.Op(s.createPolicy)
	operations["GetPolicy"] = wire.Op(s.getPolicy)
	operations["DeletePolicy"] = wire.Op(s.deletePolicy)
}

type rolePolicy struct {
	RoleName       string `json:"RoleName"`
	PolicyName     string `json:"PolicyName"`
	PolicyDocument string `json:"PolicyDocument,omitempty"`
}

func (s *Service) putRolePolicy(ctx context.Context, in *rolePolicy) (*struct{}, error) {
	if err := checkDocument(in.PolicyDocument); err != nil {
		return nil, err
	}
	return s.changeRole(in.RoleName, func(role *Role) error {
		if role.Inline == nil {
			role.Inline = map[string]string{}
		}
		role.Inline[in.PolicyName] = in.PolicyDocument
		return nil
	})
}

func noRolePolicy(name string) *wire.Error {
	return noSuchEntity("The role policy with name %s cannot be found.", name)
}

func (s *Service) getRolePolicy(ctx context.Context, in *rolePolicy) (*rolePolicy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, err := s.findRole(in.RoleName)
	if err != nil {
		return nil, err
	}
	document, ok := role.Inline[in.PolicyName]
	if !ok {
		return nil, noRolePolicy(in.PolicyName)
	}
	return &rolePolicy{in.RoleName, in.PolicyName, encoded(document)}, nil
}

type listRolePoliciesOutput struct {
	PolicyNames []string `json:"PolicyNames"`
	IsTruncated bool     `json:"IsTruncated"`
}

func (s *Service) listRolePolicies(ctx context.Context, in *roleInput) (*listRolePoliciesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, err := s.findRole(in.RoleName)
	if err != nil {
		return nil, err
	}
	return &listRolePoliciesOutput{PolicyNames: slices.Sorted(maps.Keys(role.Inline))}, nil
}

func (s *Service) deleteRolePolicy(ctx context.Context, in *rolePolicy) (*struct{}, error) {
	return s.changeRole(in.RoleName, func(role *Role) error {
		if _, ok := role.Inline[in.PolicyName]; !ok {
			return noRolePolicy(in.PolicyName)
		}
		delete(role.Inline, in.PolicyName)
		return nil
	})
}

type attachmentInput struct {
	RoleName  string `json:"RoleName"`
	PolicyARN string `json:"PolicyArn"`
}

func (s *Service) attachRolePolicy(ctx context.Context, in *attachmentInput) (*struct{}, error) {
	return s.changeRole(in.RoleName, func(role *Role) error {
		_, own := s.policies.Get(in.PolicyARN)
		if !own && !strings.HasPrefix(in.PolicyARN, "arn:aws:iam::aws:policy/") {
			return noPolicy(in.PolicyARN)
		}
		if !slices.Contains(role.Attached, in.PolicyARN) {
			role.Attached = append(slices.Clone(role.Attached), in.PolicyARN)
		}
		return nil
	})
}

func (s *Service) detachRolePolicy(ctx context.Context, in *attachmentInput) (*struct{}, error) {
	return s.changeRole(in.RoleName, func(role *Role) error {
		i := slices.Index(role.Attached, in.PolicyARN)
		if i < 0 {
			return noSuchEntity("Policy %s was not found.", in.PolicyARN)
		}
		role.Attached = slices.Delete(slices.Clone(role.Attached), i, i+1)
		return nil
	})
}

type attachedPolicy struct {
	Name string `json:"PolicyName"`
	ARN  string `json:"PolicyArn"`
}

type listAttachedOutput struct {
	AttachedPolicies []attachedPolicy `json:"AttachedPolicies"`
	IsTruncated      bool             `json:"IsTruncated"`
}

func (s *Service) listAttachedRolePolicies(ctx context.Context, in *roleInput) (*listAttachedOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, err := s.findRole(in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &listAttachedOutput{}
	for _, arn := range role.Attached {
		out.AttachedPolicies = append(out.AttachedPolicies, attachedPolicy{arn[strings.LastIndexByte(arn, '/')+1:], arn})
	}
	return out, nil
}

type createPolicyInput struct {
	Name        string `json:"PolicyName"`
	Path        string `json:"Path"`
	Document    string `json:"PolicyDocument"`
	Description string `json:"Description"`
	Tags        []Tag  `json:"Tags"`
}

type policyOutput struct {
	Policy policyHead `json:"Policy"`
}

func (s *Service) createPolicy(ctx context.Context, in *createPolicyInput) (*policyOutput, error) {
	if err := checkDocument(in.Document); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path, now := pathOr(in.Path), wire.At(s.config.Clock.Now())
	policy := Policy{policyHead{
		Name: in.Name, ID: "ANPA" + s.config.IDs.Base32(17), ARN: s.arn("policy", path, in.Name), Path: path,
		DefaultVersionID: "v1", IsAttachable: true, Description: in.Description, CreateDate: now, UpdateDate: now,
		Tags: in.Tags,
	}, in.Document}
	if _, ok := s.policies.Get(policy.ARN); ok {
		return nil, &wire.Error{Code: "EntityAlreadyExists", Status: http.StatusConflict,
			Message: "A policy called " + in.Name + " already exists. Duplicate names are not allowed."}
	}
	return &policyOutput{policy.policyHead}, s.policies.Put(policy)
}

type policyInput struct {
	ARN string `json:"PolicyArn"`
}

func noPolicy(arn string) *wire.Error {
	return noSuchEntity("Policy %s does not exist or is not attachable.", arn)
}

func (s *Service) attachments(arn string) int {
	return len(s.roles.Find(func(r Role) bool { return slices.Contains(r.Attached, arn) }))
}

func (s *Service) getPolicy(ctx context.Context, in *policyInput) (*policyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	policy, ok := s.policies.Get(in.ARN)
	if !ok {
		return nil, noSuchEntity("Policy %s was not found.", in.ARN)
	}
	policy.AttachmentCount = s.attachments(in.ARN)
	return &policyOutput{policy.policyHead}, nil
}

func (s *Service) deletePolicy(ctx context.Context, in *policyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.policies.Get(in.ARN); !ok {
		return nil, noSuchEntity("Policy %s was not found.", in.ARN)
	}
	if s.attachments(in.ARN) > 0 {
		return nil, deleteConflict("Cannot delete a policy attached to entities.")
	}
	return nothing, s.policies.Remove(in.ARN)
}
