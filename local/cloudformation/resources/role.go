package resources

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"portolan/local/cloudformation"
)

func (m *maker) roleKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::IAM::Role"] = cloudformation.Kind{
		Provider:    provider{create: m.createRole, update: m.updateRole, remove: m.deleteRole},
		CreateOnly:  []string{"Path", "RoleName"},
		CreateTakes: 17 * time.Second, UpdateTakes: 15 * time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::IAM::InstanceProfile"] = cloudformation.Kind{
		Provider:   provider{create: m.createProfile, update: m.updateProfile, remove: m.deleteProfile},
		CreateOnly: []string{"InstanceProfileName", "Path"},
		// Until the profile is known everywhere, launching with it could fail.
		CreateTakes: 2*time.Minute + 5*time.Second, UpdateTakes: 15 * time.Second, DeleteTakes: time.Second,
	}
}

func iamTag(key, value *string) types.Tag { return types.Tag{Key: key, Value: value} }

func (m *maker) createRole(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("RoleName")
	if name == "" {
		name = r.Name
	}
	trust, err := of(r).document("AssumeRolePolicyDocument")
	if err != nil {
		return failed(err)
	}
	_, err = m.iam.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &name, Path: of(r).optional("Path"), AssumeRolePolicyDocument: trust,
		Description: of(r).optional("Description"), Tags: eachTag(tagsOf(r), iamTag),
	})
	// Names that CloudFormation makes are random: one that is taken is its own.
	if err != nil && (name != r.Name || !isCode(err, "EntityAlreadyExists")) {
		return failed(err)
	}
	return m.setRole(ctx, r, name)
}

// setRole sets the role's policies, and answers with what it has come to.
func (m *maker) setRole(ctx context.Context, r cloudformation.Request, name string) (cloudformation.Made, error) {
	for _, policy := range of(r).objects("Policies") {
		document, err := policy.document("PolicyDocument")
		if err != nil {
			return failed(err)
		}
		_, err = m.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
			RoleName: &name, PolicyName: policy.optional("PolicyName"), PolicyDocument: document,
		})
		if err != nil {
			return failed(err)
		}
	}
	for _, arn := range of(r).texts("ManagedPolicyArns") {
		if _, err := m.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: &arn}); err != nil {
			return failed(err)
		}
	}
	out, err := m.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return failed(err)
	}
	return made(name, map[string]any{"Arn": *out.Role.Arn, "RoleId": *out.Role.RoleId})
}

func (m *maker) updateRole(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	trust, err := of(r).document("AssumeRolePolicyDocument")
	if err != nil {
		return failed(err)
	}
	_, err = m.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &r.PhysicalID, PolicyDocument: trust})
	if err != nil {
		return failed(err)
	}
	var kept []string
	for _, policy := range of(r).objects("Policies") {
		kept = append(kept, policy.text("PolicyName"))
	}
	if err := m.dropPolicies(ctx, r.PhysicalID, kept, of(r).texts("ManagedPolicyArns")); err != nil {
		return failed(err)
	}
	return m.setRole(ctx, r, r.PhysicalID)
}

// dropPolicies takes away all policies but those that are to be kept.
func (m *maker) dropPolicies(ctx context.Context, role string, inline, managed []string) error {
	policies, err := m.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &role})
	if err != nil {
		return err
	}
	for _, name := range policies.PolicyNames {
		if slices.Contains(inline, name) {
			continue
		}
		if _, err := m.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &role, PolicyName: &name}); err != nil {
			return err
		}
	}
	attached, err := m.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &role})
	if err != nil {
		return err
	}
	for _, policy := range attached.AttachedPolicies {
		if slices.Contains(managed, *policy.PolicyArn) {
			continue
		}
		_, err := m.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &role, PolicyArn: policy.PolicyArn})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) deleteRole(ctx context.Context, r cloudformation.Request) error {
	if err := m.dropPolicies(ctx, r.PhysicalID, nil, nil); err != nil {
		return err
	}
	_, err := m.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &r.PhysicalID})
	return err
}

func (m *maker) createProfile(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("InstanceProfileName")
	if name == "" {
		name = r.Name
	}
	_, err := m.iam.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{
		InstanceProfileName: &name, Path: of(r).optional("Path"),
	})
	if err != nil && (name != r.Name || !isCode(err, "EntityAlreadyExists")) {
		return failed(err)
	}
	return m.setProfile(ctx, r, name)
}

// setProfile makes the profile carry the role that the template names.
func (m *maker) setProfile(ctx context.Context, r cloudformation.Request, name string) (cloudformation.Made, error) {
	out, err := m.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &name})
	if err != nil {
		return failed(err)
	}
	wanted := of(r).texts("Roles")
	for _, role := range out.InstanceProfile.Roles {
		if slices.Contains(wanted, *role.RoleName) {
			wanted = nil
			continue
		}
		_, err := m.iam.RemoveRoleFromInstanceProfile(ctx, &iam.RemoveRoleFromInstanceProfileInput{
			InstanceProfileName: &name, RoleName: role.RoleName,
		})
		if err != nil {
			return failed(err)
		}
	}
	for _, role := range wanted {
		_, err := m.iam.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{
			InstanceProfileName: &name, RoleName: &role,
		})
		if err != nil {
			return failed(err)
		}
	}
	return made(name, map[string]any{"Arn": *out.InstanceProfile.Arn})
}

func (m *maker) updateProfile(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	return m.setProfile(ctx, r, r.PhysicalID)
}

func (m *maker) deleteProfile(ctx context.Context, r cloudformation.Request) error {
	out, err := m.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &r.PhysicalID})
	if err != nil {
		return err
	}
	for _, role := range out.InstanceProfile.Roles {
		_, err := m.iam.RemoveRoleFromInstanceProfile(ctx, &iam.RemoveRoleFromInstanceProfileInput{
			InstanceProfileName: &r.PhysicalID, RoleName: role.RoleName,
		})
		if err != nil {
			return err
		}
	}
	_, err = m.iam.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: &r.PhysicalID})
	return err
}
