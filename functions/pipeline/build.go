package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"portolan/shared/built"
	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/store"
)

// Pipelines is the part of the CodePipeline client that tells what was built.
type Pipelines interface {
	GetPipelineExecution(
		context.Context, *codepipeline.GetPipelineExecutionInput, ...func(*codepipeline.Options),
	) (*codepipeline.GetPipelineExecutionOutput, error)
	ListActionExecutions(
		context.Context, *codepipeline.ListActionExecutionsInput, ...func(*codepipeline.Options),
	) (*codepipeline.ListActionExecutionsOutput, error)
}

// Images is the part of the ECR client that finds an image's digest.
type Images interface {
	DescribeImages(
		context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options),
	) (*ecr.DescribeImagesOutput, error)
}

// actionPagesMax bounds how many pages of actions are read, of 100 actions each: a
// pipeline has 1,000 actions at most.
const actionPagesMax = 10

// execution handles an execution of a pipeline. Nothing is asked of CodePipeline
// before it is known that somebody is bound.
func (h *Handler) execution(ctx context.Context, e event.PipelineExecution) (Out, error) {
	// The event spells states in another way than the API does.
	if e.State != "SUCCEEDED" {
		return h.nothing(ctx, "the execution is "+e.State+": nothing to do"), nil
	}
	bindings, _, err := h.Store.BindingsOfPipeline(ctx, e.Pipeline, store.Page{Limit: bindingsMax})
	if err != nil {
		return Out{}, err
	}
	s := built.Source{ID: "execution/" + e.Execution}
	if len(bindings) == 0 {
		return h.all(ctx, s, nil)
	}
	execution, err := h.look(ctx, e)
	if fault.IsNotFound(err) {
		return h.nothing(ctx, "nothing is released: CodePipeline does not know the execution"), nil
	}
	if err != nil {
		return Out{}, err
	}
	if execution.status != "" && execution.status != types.PipelineExecutionStatusSucceeded {
		return h.nothing(ctx, fmt.Sprintf("the execution is %s by now: nothing to do", execution.status)), nil
	}
	s.Cause = contract.Cause{
		Source: "pipeline", What: "an execution of the pipeline " + e.Pipeline + " succeeded",
		Who: pipelineARN(e), EventId: e.ID,
		Why: fmt.Sprintf("execution %s, %s, built %s", e.Execution, execution.kind, orUnknown(execution.commit)),
	}
	s.Build = func(ctx context.Context, b contract.BindingSpec) (decide.Build, string, error) {
		text, image, problem := decide.FindImage(execution.actions, b.ImageVariable)
		if problem != "" {
			return decide.Build{}, problem, nil
		}
		image, problem, err := h.pin(ctx, image)
		return decide.Build{Text: text, Pinned: image.Pinned(), Commit: execution.commit, At: execution.startedAt}, problem, err
	}
	return h.all(ctx, s, bindings)
}

// made is an execution as CodePipeline has it now.
type made struct {
	status    types.PipelineExecutionStatus
	kind      string
	commit    string
	startedAt time.Time
	actions   []decide.Action
}

// look asks CodePipeline for the commit and the output variables of an execution.
// A rollback runs only a part of the pipeline, with the variables of the execution
// that it goes back to.
func (h *Handler) look(ctx context.Context, e event.PipelineExecution) (made, error) {
	got, err := h.Pipelines.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{
		PipelineName: &e.Pipeline, PipelineExecutionId: &e.Execution,
	})
	if err != nil {
		return made{}, fault.FromAWS(err, "reading execution "+e.Execution+" of pipeline "+e.Pipeline)
	}
	out := made{kind: "of type STANDARD"}
	if got.PipelineExecution == nil {
		return made{}, fault.New(fault.NotFound, "execution %s of pipeline %s does not exist", e.Execution, e.Pipeline)
	}
	out.status = got.PipelineExecution.Status
	var revisions []string
	for _, r := range got.PipelineExecution.ArtifactRevisions {
		revisions = append(revisions, aws.ToString(r.RevisionId))
	}
	out.commit = decide.FindCommit(revisions)
	if out.actions, err = h.actions(ctx, e.Pipeline, e.Execution); err != nil {
		return made{}, err
	}
	out.startedAt = e.Time
	for _, a := range out.actions {
		if !a.StartedAt.IsZero() && a.StartedAt.Before(out.startedAt) {
			out.startedAt = a.StartedAt
		}
	}
	if got.PipelineExecution.ExecutionType != types.ExecutionTypeRollback {
		return out, nil
	}
	out.kind = "of type ROLLBACK"
	if back := got.PipelineExecution.RollbackMetadata; back != nil && back.RollbackTargetPipelineExecutionId != nil {
		out.kind += " to execution " + *back.RollbackTargetPipelineExecutionId
		before, err := h.actions(ctx, e.Pipeline, *back.RollbackTargetPipelineExecutionId)
		if err != nil {
			return made{}, err
		}
		out.actions = append(out.actions, before...)
	}
	return out, nil
}

// actions lists the actions of an execution that succeeded.
func (h *Handler) actions(ctx context.Context, pipeline, execution string) ([]decide.Action, error) {
	in := &codepipeline.ListActionExecutionsInput{
		PipelineName: &pipeline, MaxResults: aws.Int32(100),
		Filter: &types.ActionExecutionFilter{PipelineExecutionId: &execution},
	}
	var actions []decide.Action
	for range actionPagesMax {
		page, err := h.Pipelines.ListActionExecutions(ctx, in)
		if err != nil {
			return nil, fault.FromAWS(err, "reading the actions of execution "+execution+" of pipeline "+pipeline)
		}
		for _, a := range page.ActionExecutionDetails {
			if a.Status != types.ActionExecutionStatusSucceeded {
				continue
			}
			action := decide.Action{Name: aws.ToString(a.ActionName), StartedAt: aws.ToTime(a.StartTime)}
			if a.Output != nil {
				action.Variables = a.Output.OutputVariables
			}
			actions = append(actions, action)
		}
		if page.NextToken == nil {
			break
		}
		in.NextToken = page.NextToken
	}
	return actions, nil
}

// pin gives an image its digest, from ECR where the reference lacks it. problem
// says why it cannot be pinned.
func (h *Handler) pin(ctx context.Context, image decide.Image) (pinned decide.Image, problem string, err error) {
	if image.Digest != "" {
		return image, "", nil
	}
	registry, ours := image.Registry()
	if !ours {
		return image, "the image " + image.Repository +
			" has no digest, and is not in Amazon ECR, which could be asked", nil
	}
	tag := image.Tag
	if tag == "" {
		tag = built.DefaultTag
	}
	got, err := h.Images.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId: &registry.Account, RepositoryName: &registry.Name,
		ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: &tag}},
	}, func(o *ecr.Options) { o.Region = registry.Region })
	err = fault.FromAWS(err, "looking up the digest of "+image.Repository+":"+tag)
	if fault.IgnoreNotFound(err) != nil {
		return image, "", err
	}
	if err == nil && len(got.ImageDetails) > 0 {
		image.Digest = aws.ToString(got.ImageDetails[0].ImageDigest)
	}
	if image.Digest == "" {
		return image, "ECR has no image " + image.Repository + ":" + tag, nil
	}
	return image, "", nil
}

func orUnknown(commit string) string {
	if commit == "" {
		return "from an unknown commit"
	}
	return "from commit " + commit
}

func pipelineARN(e event.PipelineExecution) string {
	if len(e.Resources) > 0 {
		return e.Resources[0]
	}
	return "arn:aws:codepipeline:" + e.Region + ":" + e.Account + ":" + e.Pipeline
}

func repositoryARN(e event.ImageAction) string {
	return "arn:aws:ecr:" + e.Region + ":" + e.Account + ":repository/" + e.Repository
}
