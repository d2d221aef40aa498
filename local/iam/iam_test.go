package iam_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/iam"
	"portolan/local/unique"
	"portolan/local/wire"
)

const (
	account = "111122223333"
	trust   = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`
	allow   = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecs:Poll", "Resource": "*"}}`
	managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
)

func newService(t *testing.T, d *disk.Disk) *iam.Service {
	t.Helper()
	s, err := iam.New(iam.Config{Account: account, Clock: clock.New(1), Disk: d, IDs: unique.New(1)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func clientOf(s *iam.Service) *sdk.Client {
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: account}, nil
	}))
	router.Register("iam", s.Handler())
	return sdk.NewFromConfig(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
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
	if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() != message {
		t.Errorf("error is %v, want %s: %s", err, code, message)
	}
}

func TestLifeOfANodesRole(t *testing.T) {
	d := must[*disk.Disk](t)(disk.Open(t.TempDir()))
	defer d.Close()
	c, ctx, name := clientOf(newService(t, d)), t.Context(), aws.String("node")
	create := func() error {
		_, err := c.CreateRole(ctx, &sdk.CreateRoleInput{
			RoleName: name, AssumeRolePolicyDocument: aws.String(trust),
			Tags: []types.Tag{{Key: aws.String("portolan:cluster"), Value: aws.String("web")}},
		})
		return err
	}
	if err := create(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, create(), "EntityAlreadyExists", "Role with name node already exists.")
	must[*sdk.PutRolePolicyOutput](t)(c.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{
		RoleName: name, PolicyName: aws.String("be-a-node"), PolicyDocument: aws.String(allow),
	}))
	must[*sdk.AttachRolePolicyOutput](t)(c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{
		RoleName: name, PolicyArn: aws.String(managed),
	}))
	must[*sdk.CreateInstanceProfileOutput](t)(c.CreateInstanceProfile(ctx, &sdk.CreateInstanceProfileInput{InstanceProfileName: name}))
	must[*sdk.AddRoleToInstanceProfileOutput](t)(c.AddRoleToInstanceProfile(ctx, &sdk.AddRoleToInstanceProfileInput{
		InstanceProfileName: name, RoleName: name,
	}))

	again := newService(t, d)
	c = clientOf(again)
	role := must[*sdk.GetRoleOutput](t)(c.GetRole(ctx, &sdk.GetRoleInput{RoleName: name})).Role
	document, err := url.QueryUnescape(*role.AssumeRolePolicyDocument)
	if err != nil || document != trust || *role.Arn != "arn:aws:iam::111122223333:role/node" || *role.Tags[0].Value != "web" {
		t.Errorf("the role came back from disk as %+v", role)
	}
	if documents, ok := again.RolePolicies("node"); !ok || len(documents) != 1 || documents[0] != allow {
		t.Errorf("its policies are %v", documents)
	}
	profile := must[*sdk.GetInstanceProfileOutput](t)(c.GetInstanceProfile(ctx, &sdk.GetInstanceProfileInput{InstanceProfileName: name}))
	if *profile.InstanceProfile.Roles[0].RoleName != "node" {
		t.Errorf("the profile is %+v", profile.InstanceProfile)
	}
	takeApart(t, c, name)
}

// takeApart deletes in the order that IAM wants, and checks that no other does.
func takeApart(t *testing.T, c *sdk.Client, name *string) {
	t.Helper()
	ctx := t.Context()
	remove := func() error {
		_, err := c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: name})
		return err
	}
	wantCode(t, remove(), "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
	_, err := c.DeleteInstanceProfile(ctx, &sdk.DeleteInstanceProfileInput{InstanceProfileName: name})
	wantCode(t, err, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
	must[*sdk.RemoveRoleFromInstanceProfileOutput](t)(c.RemoveRoleFromInstanceProfile(ctx,
		&sdk.RemoveRoleFromInstanceProfileInput{InstanceProfileName: name, RoleName: name}))
	must[*sdk.DeleteInstanceProfileOutput](t)(c.DeleteInstanceProfile(ctx, &sdk.DeleteInstanceProfileInput{InstanceProfileName: name}))
	wantCode(t, remove(), "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	must[*sdk.DetachRolePolicyOutput](t)(c.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: name, PolicyArn: aws.String(managed)}))
	wantCode(t, remove(), "DeleteConflict", "Cannot delete entity, must delete policies first.")
	must[*sdk.DeleteRolePolicyOutput](t)(c.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("be-a-node")}))
	if err := remove(); err != nil {
		t.Error(err)
	}
	wantCode(t, remove(), "NoSuchEntity", "The role with name node cannot be found.")
	var missing *types.NoSuchEntityException
	if !errors.As(remove(), &missing) {
		t.Error("NoSuchEntity is not the SDK's type")
	}
}

func TestPoliciesThatAreWrong(t *testing.T) {
	c, ctx := clientOf(newService(t, nil)), t.Context()
	_, err := c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("a"), AssumeRolePolicyDocument: aws.String("{")})
	wantCode(t, err, "MalformedPolicyDocument", "Syntax errors in policy.")
	must[*sdk.CreateRoleOutput](t)(c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("a"), AssumeRolePolicyDocument: aws.String(trust)}))
	own := "arn:aws:iam::111122223333:policy/own"
	_, err = c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("a"), PolicyArn: &own})
	wantCode(t, err, "NoSuchEntity", "Policy "+own+" does not exist or is not attachable.")
	must[*sdk.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("own"), PolicyDocument: aws.String(allow)}))
	must[*sdk.AttachRolePolicyOutput](t)(c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("a"), PolicyArn: &own}))
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: &own})
	wantCode(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	_, err = c.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: aws.String("a"), PolicyName: aws.String("x")})
	wantCode(t, err, "NoSuchEntity", "The role policy with name x cannot be found.")
}

func TestServiceLinkedRole(t *testing.T) {
	c, ctx := clientOf(newService(t, nil)), t.Context()
	in := &sdk.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("ecs.amazonaws.com")}
	role := must[*sdk.CreateServiceLinkedRoleOutput](t)(c.CreateServiceLinkedRole(ctx, in)).Role
	if want := "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"; *role.Arn != want {
		t.Errorf("the role is %s, want %s", *role.Arn, want)
	}
	_, err := c.CreateServiceLinkedRole(ctx, in)
	wantCode(t, err, "InvalidInput", "Service role name AWSServiceRoleForECS has been taken in this account, please try a different suffix.")
}
