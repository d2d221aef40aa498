package secretsmanager_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/secretsmanager"
	"portolan/local/unique"
	"portolan/local/wire"
)

func start(t *testing.T, d *disk.Disk) (*secretsmanager.Server, *client.Client) {
	t.Helper()
	server, err := secretsmanager.New(secretsmanager.Config{Clock: clock.New(1), Disk: d, IDs: unique.New(1),
		Account: "111122223333", Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{}, nil
	}))
	router.Register("secretsmanager", server)
	return server, client.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: router.Client(),
		BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "x"}, nil
		})})
}

func create(t *testing.T, c *client.Client, name, text string) string {
	t.Helper()
	out, err := c.CreateSecret(t.Context(), &client.CreateSecretInput{Name: &name, SecretString: &text,
		Tags: []types.Tag{{Key: aws.String("portolan:cluster"), Value: aws.String("shop")}}})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ARN
}

func message(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode() + ": " + e.ErrorMessage()
	}
	return ""
}

func TestAValueIsReadByNameAndARN(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, c := start(t, d)
	arn := create(t, c, "portolan/shop/kubeconfig", "one")
	if !strings.HasPrefix(arn, "arn:aws:secretsmanager:eu-west-1:111122223333:secret:portolan/shop/kubeconfig-") {
		t.Errorf("the ARN is %s", arn)
	}
	server, c := start(t, d) // as after a restart
	for _, id := range []string{"portolan/shop/kubeconfig", arn, arn[:len(arn)-7]} {
		out, err := c.GetSecretValue(t.Context(), &client.GetSecretValueInput{SecretId: &id})
		if err != nil || *out.SecretString != "one" || *out.ARN != arn || !slices.Equal(out.VersionStages, []string{"AWSCURRENT"}) {
			t.Errorf("%s: %+v, %v", id, out, err)
		}
		if found, tags := server.TagsOf(id); found != arn || tags["portolan:cluster"] != "shop" {
			t.Errorf("%s: tags of %s: %v", id, found, tags)
		}
	}
}

func TestLabelsMove(t *testing.T) {
	_, c := start(t, nil)
	arn := create(t, c, "a", "one")
	for _, text := range []string{"two", "three"} {
		if _, err := c.PutSecretValue(t.Context(), &client.PutSecretValueInput{SecretId: &arn, SecretString: &text,
			ClientRequestToken: aws.String("00000000-0000-0000-0000-00000000" + text[:3] + "0")}); err != nil {
			t.Fatal(err)
		}
	}
	for stage, want := range map[string]string{"AWSCURRENT": "three", "AWSPREVIOUS": "two"} {
		out, err := c.GetSecretValue(t.Context(), &client.GetSecretValueInput{SecretId: &arn, VersionStage: &stage})
		if err != nil || *out.SecretString != want {
			t.Errorf("%s is %+v, %v", stage, out, err)
		}
	}
	out, err := c.DescribeSecret(t.Context(), &client.DescribeSecretInput{SecretId: &arn})
	if err != nil || len(out.VersionIdsToStages) != 2 {
		t.Errorf("described as %+v, %v", out, err)
	}
	again, err := c.PutSecretValue(t.Context(), &client.PutSecretValueInput{SecretId: &arn, SecretString: aws.String("three"),
		ClientRequestToken: aws.String("00000000-0000-0000-0000-00000000thr0")})
	if err != nil || !slices.Equal(again.VersionStages, []string{"AWSCURRENT"}) {
		t.Errorf("the same put again: %+v, %v", again, err)
	}
}

func TestErrorsAreThoseOfAWS(t *testing.T) {
	_, c := start(t, nil)
	arn := create(t, c, "a", "one")
	ctx := t.Context()
	get := func(in client.GetSecretValueInput) error { _, err := c.GetSecretValue(ctx, &in); return err }
	del := func(in client.DeleteSecretInput) error { _, err := c.DeleteSecret(ctx, &in); return err }
	_, same := c.CreateSecret(ctx, &client.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("two")})
	_, name := c.CreateSecret(ctx, &client.CreateSecretInput{Name: aws.String("a b")})
	_, none := c.PutSecretValue(ctx, &client.PutSecretValueInput{SecretId: &arn})
	_, long := c.PutSecretValue(ctx, &client.PutSecretValueInput{SecretId: &arn, SecretString: aws.String(strings.Repeat("x", 65537))})
	for _, test := range []struct {
		err  error
		want string
	}{
		{get(client.GetSecretValueInput{SecretId: aws.String("b")}), "ResourceNotFoundException: Secrets Manager can't find the specified secret."},
		{get(client.GetSecretValueInput{SecretId: &arn, VersionStage: aws.String("X")}),
			"ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: X"},
		{get(client.GetSecretValueInput{SecretId: &arn, VersionId: aws.String("v")}),
			"ResourceNotFoundException: Secrets Manager can't find the specified secret value for VersionId: v"},
		{same, "ResourceExistsException: The operation failed because the secret a already exists."},
		{name, "ValidationException: Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"},
		{none, "InvalidRequestException: You must provide either SecretString or SecretBinary."},
		{long, "ValidationException: 1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536"},
		{del(client.DeleteSecretInput{SecretId: &arn, RecoveryWindowInDays: aws.Int64(6)}),
			"InvalidParameterException: The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."},
		{del(client.DeleteSecretInput{SecretId: &arn, RecoveryWindowInDays: aws.Int64(7), ForceDeleteWithoutRecovery: aws.Bool(true)}),
			"InvalidParameterException: You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."},
	} {
		if got := message(test.err); got != test.want {
			t.Errorf("got %s\nwant %s", got, test.want)
		}
	}
}

func TestADeletedSecretWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := start(t, nil)
		ctx, arn := t.Context(), create(t, c, "a", "one")
		get := func() string {
			_, err := c.GetSecretValue(ctx, &client.GetSecretValueInput{SecretId: &arn})
			return message(err)
		}
		if _, err := c.DeleteSecret(ctx, &client.DeleteSecretInput{SecretId: &arn, RecoveryWindowInDays: aws.Int64(7)}); err != nil {
			t.Fatal(err)
		}
		if got := get(); got != "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion." {
			t.Errorf("a deleted secret answers %q", got)
		}
		_, err := c.CreateSecret(ctx, &client.CreateSecretInput{Name: aws.String("a")})
		if got := message(err); got != "InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion." {
			t.Errorf("its name again: %q", got)
		}
		if _, err := c.RestoreSecret(ctx, &client.RestoreSecretInput{SecretId: &arn}); err != nil || get() != "" {
			t.Errorf("restored: %v, %s", err, get())
		}
		if _, err := c.DeleteSecret(ctx, &client.DeleteSecretInput{SecretId: &arn, RecoveryWindowInDays: aws.Int64(7)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7*24*time.Hour + time.Second)
		if got := get(); !strings.HasPrefix(got, "ResourceNotFoundException") {
			t.Errorf("after its days: %q", got)
		}
		if create(t, c, "a", "two") == arn {
			t.Error("a new secret has the ARN of the old one")
		}
	})
}

func TestListing(t *testing.T) {
	_, c := start(t, nil)
	for _, name := range []string{"portolan/b", "portolan/a", "other"} {
		create(t, c, name, "x")
	}
	list := func(in client.ListSecretsInput) (names []string) {
		in.MaxResults = aws.Int32(1)
		pages := client.NewListSecretsPaginator(c, &in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, each := range page.SecretList {
				names = append(names, *each.Name)
				if len(each.SecretVersionsToStages) != 1 {
					t.Errorf("%s has versions %v", *each.Name, each.SecretVersionsToStages)
				}
			}
		}
		return names
	}
	if got := list(client.ListSecretsInput{}); !slices.Equal(got, []string{"other", "portolan/a", "portolan/b"}) {
		t.Errorf("all: %v", got)
	}
	filter := []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{"portolan/"}}}
	if got := list(client.ListSecretsInput{Filters: filter}); !slices.Equal(got, []string{"portolan/a", "portolan/b"}) {
		t.Errorf("by name: %v", got)
	}
}

func TestTags(t *testing.T) {
	server, c := start(t, nil)
	arn := create(t, c, "a", "x")
	if _, err := c.TagResource(t.Context(), &client.TagResourceInput{SecretId: &arn,
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UntagResource(t.Context(), &client.UntagResourceInput{SecretId: &arn, TagKeys: []string{"portolan:cluster"}}); err != nil {
		t.Fatal(err)
	}
	found := 0
	server.TaggedResources(func(id string, tags map[string]string) {
		found++
		if id != arn || len(tags) != 1 || tags["team"] != "web" {
			t.Errorf("%s has %v", id, tags)
		}
	})
	if found != 1 {
		t.Errorf("%d resources have tags", found)
	}
}
