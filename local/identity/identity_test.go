package identity_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/identity"
	"portolan/local/unique"
	"portolan/local/wire"
)

const account = "111122223333"

func start(t *testing.T, d *disk.Disk) (*identity.Server, func(key string) *sts.Client) {
	t.Helper()
	server, err := identity.New(identity.Config{Clock: clock.New(1), Disk: d, IDs: unique.New(1),
		Account: account, Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.AddUser("AKIDTEST", "secret", "ada"); err != nil {
		t.Fatal(err)
	}
	router := wire.NewRouter(server)
	router.Register("sts", server)
	return server, func(key string) *sts.Client {
		return sts.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: router.Client(),
			BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: key, SecretAccessKey: "x"}, nil
			})})
	}
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func TestARoleSessionCallsUnderItsOwnName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := start(t, nil)
		me, err := client("AKIDTEST").GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if *me.Arn != "arn:aws:iam::111122223333:user/ada" || *me.Account != account {
			t.Errorf("the user is %s of %s", *me.Arn, *me.Account)
		}
		got, err := client("AKIDTEST").AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::111122223333:role/path/deployer"), RoleSessionName: aws.String("op-1")})
		if err != nil {
			t.Fatal(err)
		}
		session := client(*got.Credentials.AccessKeyId)
		me, err = session.GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := "arn:aws:sts::111122223333:assumed-role/deployer/op-1"; *me.Arn != want {
			t.Errorf("the session is %s, want %s", *me.Arn, want)
		}
		if *me.UserId != identity.RoleID("deployer")+":op-1" {
			t.Errorf("the session's user id is %s", *me.UserId)
		}
		time.Sleep(time.Hour)
		if _, err = session.GetCallerIdentity(t.Context(), nil); code(err) != "ExpiredToken" {
			t.Errorf("after an hour: %v", err)
		}
	})
}

func TestRefusals(t *testing.T) {
	_, client := start(t, nil)
	if _, err := client("AKIDOTHER").GetCallerIdentity(t.Context(), nil); code(err) != "InvalidClientTokenId" {
		t.Errorf("unknown key: %v", err)
	}
	for _, in := range []sts.AssumeRoleInput{
		{RoleArn: aws.String("arn:aws:iam::111122223333:role/x"), RoleSessionName: aws.String("no spaces")},
		{RoleArn: aws.String("arn:aws:iam::111122223333:user/xxxxx"), RoleSessionName: aws.String("fine")},
		{RoleArn: aws.String("arn:aws:iam::111122223333:role/x"), RoleSessionName: aws.String("fine"), DurationSeconds: aws.Int32(1)},
	} {
		if _, err := client("AKIDTEST").AssumeRole(t.Context(), &in); code(err) != "ValidationError" {
			t.Errorf("%s %s: %v", *in.RoleArn, *in.RoleSessionName, err)
		}
	}
}

func TestKeysSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	server, _ := start(t, d)
	key, err := server.AssumeRole("arn:aws:iam::111122223333:role/r", "s1", 0)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	if d, err = disk.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	server, _ = start(t, d)
	who, err := server.Resolve(t.Context(), key.AccessKeyID)
	if err != nil || who.ARN != key.ARN {
		t.Errorf("after a restart the key resolves to %s, %v", who.ARN, err)
	}
}
