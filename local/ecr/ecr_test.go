package ecr_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/ecr"
	"portolan/local/events"
	"portolan/local/wire"
)

type told []events.Event

func (t *told) Emit(_ context.Context, e events.Event) { *t = append(*t, e) }

func start(t *testing.T, d *disk.Disk, emitter events.Emitter) (*ecr.Server, *client.Client) {
	t.Helper()
	server, err := ecr.New(ecr.Config{Clock: clock.New(1), Disk: d, Account: "111122223333", Region: "eu-west-1", Events: emitter})
	if err != nil {
		t.Fatal(err)
	}
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{}, nil
	}))
	router.Register("ecr", server)
	return server, client.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: router.Client(),
		BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "x"}, nil
		})})
}

func TestATagMovesAndItsDigestsStay(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var emitted told
	server, _ := start(t, d, &emitted)
	first, err := server.Push(t.Context(), "shop/web", "latest", "one")
	if err != nil {
		t.Fatal(err)
	}
	second, err := server.Push(t.Context(), "shop/web", "latest", "two")
	if err != nil {
		t.Fatal(err)
	}
	if first == second || len(emitted) != 2 {
		t.Errorf("%s, %s: %d events", first, second, len(emitted))
	}
	_, c := start(t, d, nil)
	out, err := c.DescribeImages(t.Context(), &client.DescribeImagesInput{RepositoryName: aws.String("shop/web"),
		ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("latest")}, {ImageDigest: &first}}})
	if err != nil {
		t.Fatal(err)
	}
	if digest, tags, ok := server.LookUpImage("111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web@" + first); !ok || digest != first || tags[0] != "latest" {
		t.Errorf("by its digest the image is %s %v", digest, tags)
	}
	if digest, _, ok := server.LookUpImage("111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web"); !ok || digest != second {
		t.Errorf("the newest image is %s", digest)
	}
	if got := out.ImageDetails; *got[0].ImageDigest != second || *got[1].ImageDigest != first || len(got[1].ImageTags) != 0 {
		t.Errorf("images: %+v", got)
	}
}

func TestImagesByTheAPI(t *testing.T) {
	_, c := start(t, nil, nil)
	ctx, name := t.Context(), aws.String("shop/web")
	code := func(err error) string {
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			return api.ErrorCode()
		}
		return ""
	}
	_, err := c.PutImage(ctx, &client.PutImageInput{RepositoryName: name, ImageManifest: aws.String("{}")})
	if code(err) != "RepositoryNotFoundException" {
		t.Errorf("no repository: %v", err)
	}
	if _, err = c.CreateRepository(ctx, &client.CreateRepositoryInput{RepositoryName: name}); err != nil {
		t.Fatal(err)
	}
	put, err := c.PutImage(ctx, &client.PutImageInput{RepositoryName: name, ImageManifest: aws.String("{}"), ImageTag: aws.String("v1")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.PutImage(ctx, &client.PutImageInput{RepositoryName: name, ImageManifest: aws.String("{}"), ImageTag: aws.String("v1")})
	if code(err) != "ImageAlreadyExistsException" {
		t.Errorf("the same image again: %v", err)
	}
	got, err := c.BatchGetImage(ctx, &client.BatchGetImageInput{RepositoryName: name, ImageIds: []types.ImageIdentifier{
		{ImageTag: aws.String("v1")}, {ImageTag: aws.String("v2")}}})
	if err != nil || len(got.Images) != 1 || len(got.Failures) != 1 || *got.Images[0].ImageId.ImageDigest != *put.Image.ImageId.ImageDigest {
		t.Errorf("images: %+v, %v", got, err)
	}
	_, err = c.DescribeImages(ctx, &client.DescribeImagesInput{RepositoryName: name,
		ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("v2")}}})
	if code(err) != "ImageNotFoundException" {
		t.Errorf("unknown tag: %v", err)
	}
	_, err = c.DeleteRepository(ctx, &client.DeleteRepositoryInput{RepositoryName: name})
	if code(err) != "RepositoryNotEmptyException" {
		t.Errorf("a repository with images: %v", err)
	}
}
