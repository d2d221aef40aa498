package story

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"portolan/events"
	"portolan/local/codepipeline"
	"portolan/shared/contract"
)

// commit is what the pipeline built.
const commit = "8cf40f2d7b1e4a6c9f03b5d8e1a2c4f60789abcd"

func rollOutPipeline(ctx context.Context, s *Stage) error {
	binding := contract.BindingSpec{Service: service, Pipeline: pipeline}
	s.in("PUT %s/bindings/web: pipeline %s → service %s", clusterPath, pipeline, service)
	if err := s.expect(ctx, http.StatusOK, http.MethodPut, clusterPath+"/bindings/web", binding, nil); err != nil {
		return err
	}
	digest, err := s.push(ctx, "web", "1.1")
	if err != nil {
		return err
	}
	execution := codepipeline.Execution{
		ID: pipelineExecution, Pipeline: pipeline, Status: "Succeeded", Version: 3,
		Revisions: []codepipeline.Revision{{Name: "SourceArtifact", RevisionID: commit, RevisionSummary: "Show the cart"}},
		Actions: []codepipeline.Action{{Stage: "Build", Name: "Build", Category: "Build", Provider: "CodeBuild",
			Status: "Succeeded", OutputVariables: map[string]string{"IMAGE_URI": repository + ":1.1"}}},
	}
	s.in("CodePipeline Pipeline Execution State Change: %s SUCCEEDED", pipeline)
	if _, err := s.Local.CodePipeline.Record(ctx, execution); err != nil {
		return err
	}
	operation, err := s.newest(ctx, "service", contract.KindDeploy, 2)
	if err != nil {
		return err
	}
	s.decided("%s", operation.Cause.Why)
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	var releases contract.ReleasePage
	if err := s.get(ctx, servicePath+"/releases", &releases); err != nil {
		return err
	}
	release := releases.Items[0]
	s.happened("release %d is commit %s as %s", release.Number, release.Commit[:12], release.ImageDigest)
	if release.Number != 2 || release.Commit != commit || !strings.Contains(release.ImageDigest, digest) {
		return fmt.Errorf("release %d is commit %q as %q, and not %s", release.Number, release.Commit, release.ImageDigest, digest)
	}
	return s.expectService(ctx, 4, 2)
}

// pipelineExecution is the id of the pipeline's execution, as in the event
// document.
const pipelineExecution = "12345678-1234-5678-abcd-12345678abcd"

// newest waits for the newest operation of a kind on the service, of which there
// have to be so many.
func (s *Stage) newest(ctx context.Context, target string, kind contract.OperationKind, count int) (contract.Operation, error) {
	var found contract.Operation
	path := "/v1/operations?cluster=" + cluster
	if target == "service" {
		path += "&service=" + service
	}
	err := s.until(ctx, fmt.Sprintf("there are %d %s operations", count, kind), func() (bool, error) {
		var page contract.OperationPage
		err := s.get(ctx, path, &page)
		seen := 0
		for _, operation := range page.Items {
			if operation.Kind != kind {
				continue
			}
			if seen == 0 {
				found = operation
			}
			seen++
		}
		return seen >= count, err
	})
	return found, err
}

func rollBack(ctx context.Context, s *Stage) error {
	var before contract.Service
	if err := s.get(ctx, servicePath, &before); err != nil {
		return err
	}
	wish := s.spec(repository + ":fail-crash")
	wish.Replicas = nil
	s.in("PUT %s: %s, whose tasks crash", servicePath, wish.Image)
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPut, servicePath, wish, &operation); err != nil {
		return err
	}
	s.decided("release 3, operation %s (%s)", operation.Id, operation.Kind)
	ended, err := s.follow(ctx, operation, contract.OperationFailedClean)
	if err != nil {
		return err
	}
	if !strings.Contains(ended.Reason, "exited with code 1") {
		return fmt.Errorf("the reason does not tell of the crash: %q", ended.Reason)
	}
	return s.expectService(ctx, before.Replicas, 2)
}

func repairDrift(ctx context.Context, s *Stage) error {
	s.in("ecs:UpdateService by a person: desiredCount 1")
	client := ecs.NewFromConfig(s.aws())
	if _, err := client.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: aws.String(cluster), Service: aws.String(service), DesiredCount: aws.Int32(1),
	}); err != nil {
		return err
	}
	operation, err := s.newest(ctx, "service", contract.KindRepair, 1)
	if err != nil {
		return err
	}
	s.decided("%s", operation.Cause.Why)
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	audit, err := s.audit(ctx)
	if err != nil {
		return err
	}
	found := false
	for _, record := range audit {
		if strings.HasSuffix(record.Who, ":user/you") && record.What == "ecs:UpdateService" {
			found = true
			s.happened("audit: %s called %s at %s from %s: %s", record.Who, record.What,
				record.Time.Format(time.TimeOnly), record.SourceIp, record.Detail)
		}
	}
	if !found {
		return fmt.Errorf("the audit trail does not say who called UpdateService")
	}
	if err := s.expectService(ctx, 4, 2); err != nil {
		return err
	}
	return traceTask(ctx, s, client)
}

// traceTask leads from the name of a role session back to the commit.
func traceTask(ctx context.Context, s *Stage, client *ecs.Client) error {
	tasks, err := client.ListTasks(ctx, &ecs.ListTasksInput{Cluster: aws.String(cluster), ServiceName: aws.String(service)})
	if err != nil {
		return err
	}
	if len(tasks.TaskArns) == 0 {
		return fmt.Errorf("the service has no tasks")
	}
	arn := tasks.TaskArns[0]
	id := arn[strings.LastIndex(arn, "/")+1:]
	var origin contract.TaskRole
	if err := s.get(ctx, "/v1/audit/tasks/"+id, &origin); err != nil {
		return err
	}
	return s.traceRole(ctx, origin, id)
}

// traceRole checks that a role session leads to the release that it runs.
func (s *Stage) traceRole(ctx context.Context, origin contract.TaskRole, id string) error {
	s.happened("role session %s of %s: service %s, release %d, commit %.12s",
		origin.Task, origin.Role, origin.Service, origin.Release, origin.Commit)
	if origin.Service != service || origin.Release != 2 || origin.Commit != commit {
		return fmt.Errorf("task %s leads to service %q, release %d, commit %q", id, origin.Service, origin.Release, origin.Commit)
	}
	return s.traceCall(ctx, origin)
}

// traceCall lets a task call AWS under its role, and finds the call in the audit
// trail with the commit that made it.
func (s *Stage) traceCall(ctx context.Context, origin contract.TaskRole) error {
	s.in("ecr:CreateRepository by task %s under its role", origin.Task)
	session, err := s.Local.RoleConfig(origin.Role, origin.Task)
	if err != nil {
		return err
	}
	if _, err := ecr.NewFromConfig(session).CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("shop/by-a-task"),
	}); err != nil {
		return err
	}
	return s.until(ctx, "the audit trail has the task's call", func() (bool, error) {
		audit, err := s.audit(ctx)
		for _, record := range audit {
			if record.What == "ecr:CreateRepository" && record.Task.Commit == commit {
				s.happened("audit: %s was called by release %d, commit %.12s", record.What, record.Task.Release, record.Task.Commit)
				return true, nil
			}
		}
		return false, err
	})
}

// repeatEvents sends events again that were handled long ago.
func repeatEvents(ctx context.Context, s *Stage) error {
	before, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	for range 2 {
		if err := s.inject(ctx, "codepipeline/pipeline-execution.succeeded.json", "myPipeline", pipeline); err != nil {
			return err
		}
		if err := s.inject(ctx, "cloudwatch/alarm-state-change.metric.json", "ServerCpuTooHigh", "cpu-high"); err != nil {
			return err
		}
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	after, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	s.happened("service and releases are as they were")
	if before != after {
		return fmt.Errorf("something changed:\n%s\n%s", before, after)
	}
	return nil
}

// snapshot is what is wanted and observed of the service, as text.
func (s *Stage) snapshot(ctx context.Context) (string, error) {
	var seen contract.Service
	var releases contract.ReleasePage
	if err := s.get(ctx, servicePath, &seen); err != nil {
		return "", err
	}
	if err := s.get(ctx, servicePath+"/releases", &releases); err != nil {
		return "", err
	}
	text, err := json.Marshal([]any{seen, releases})
	return string(text), err
}

// inject puts a document of AWS's on the bus, with a name in it replaced.
func (s *Stage) inject(ctx context.Context, document, name, ours string) error {
	text, err := events.Files.ReadFile(document)
	if err != nil {
		return err
	}
	renamed := strings.NewReplacer(name, ours, "123456789012", account).Replace(string(text))
	var event struct {
		Source     string          `json:"source"`
		DetailType string          `json:"detail-type"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal([]byte(renamed), &event); err != nil {
		return err
	}
	s.in("%s (%s), once more", event.DetailType, document)
	out, err := eventbridge.NewFromConfig(s.aws()).PutEvents(ctx, &eventbridge.PutEventsInput{
		Entries: []types.PutEventsRequestEntry{{
			Source: &event.Source, DetailType: &event.DetailType, Resources: event.Resources,
			Detail: aws.String(string(event.Detail)),
		}},
	})
	if err == nil && out.FailedEntryCount > 0 {
		err = fmt.Errorf("the event is refused: %s", aws.ToString(out.Entries[0].ErrorMessage))
	}
	return err
}
