package codepipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/codepipeline"
	"portolan/local/events"
	"portolan/local/unique"
	"portolan/local/wire"
)

type told []events.Event

func (t *told) Emit(_ context.Context, e events.Event) { *t = append(*t, e) }

func start(t *testing.T, emitter events.Emitter) (*codepipeline.Server, *client.Client) {
	t.Helper()
	server, err := codepipeline.New(codepipeline.Config{Clock: clock.New(1), IDs: unique.New(1), Account: "111122223333",
		Region: "eu-west-1", Events: emitter})
	if err != nil {
		t.Fatal(err)
	}
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{}, nil
	}))
	router.Register("codepipeline", server)
	return server, client.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: router.Client(),
		BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "x"}, nil
		})})
}

func TestAnExecutionTellsCommitAndImage(t *testing.T) {
	var emitted told
	server, c := start(t, &emitted)
	id, err := server.Record(t.Context(), codepipeline.Execution{Pipeline: "shop", Status: "Succeeded",
		Revisions: []codepipeline.Revision{{Name: "Source", RevisionID: "8cf40f2"}},
		Actions: []codepipeline.Action{{Stage: "Source", Name: "Source", Category: "Source", Provider: "CodeCommit"},
			{Stage: "Build", Name: "Build", Category: "Build", Provider: "CodeBuild",
				OutputVariables: map[string]string{"IMAGE_URI": "repo/shop:8cf40f2"}}}})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(emitted[0])
	if !strings.Contains(string(raw), `"execution-id":"`+id+`"`) || !strings.Contains(string(raw), `"state":"SUCCEEDED"`) {
		t.Errorf("event: %s", raw)
	}
	got, err := c.GetPipelineExecution(t.Context(), &client.GetPipelineExecutionInput{
		PipelineName: aws.String("shop"), PipelineExecutionId: &id})
	if err != nil {
		t.Fatal(err)
	}
	if e := got.PipelineExecution; *e.ArtifactRevisions[0].RevisionId != "8cf40f2" || e.Status != types.PipelineExecutionStatusSucceeded {
		t.Errorf("execution: %+v", e)
	}
	actions, err := c.ListActionExecutions(t.Context(), &client.ListActionExecutionsInput{PipelineName: aws.String("shop"),
		Filter: &types.ActionExecutionFilter{PipelineExecutionId: &id}})
	if err != nil {
		t.Fatal(err)
	}
	if got := actions.ActionExecutionDetails[0].Output.OutputVariables["IMAGE_URI"]; got != "repo/shop:8cf40f2" {
		t.Errorf("IMAGE_URI = %q", got)
	}
}

func TestRefusals(t *testing.T) {
	_, c := start(t, nil)
	_, err := c.GetPipelineExecution(t.Context(), &client.GetPipelineExecutionInput{
		PipelineName: aws.String("none"), PipelineExecutionId: aws.String("12345678-1234-5678-abcd-12345678abcd")})
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "PipelineNotFoundException" {
		t.Errorf("unknown pipeline: %v", err)
	}
}
