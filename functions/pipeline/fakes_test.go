package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"portolan/shared/built"
	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

const (
	succeeded = "codepipeline/pipeline-execution.succeeded.json"
	pushed    = "ecr/image-action.push.json"
	execution = "12345678-1234-5678-abcd-12345678abcd"
	registry  = "123456789012.dkr.ecr.us-west-2.amazonaws.com/"
	commit    = "8cf40f2a8cf40f2a8cf40f2a8cf40f2a8cf40f2a"
)

var (
	now   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	noon  = time.Date(2020, 1, 24, 12, 0, 0, 0, time.UTC) // on the day of the event
	shaA  = "sha256:" + strings.Repeat("aa", 32)
	shaB  = "sha256:" + strings.Repeat("bb", 32)
	image = registry + "web"
)

func document(t *testing.T, name string, changes ...string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile("../../events/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(raw), changes[i]) {
			t.Fatalf("%s has no %s", name, changes[i])
		}
	}
	return json.RawMessage(strings.NewReplacer(changes...).Replace(string(raw)))
}

// pipelines knows executions by their id, and lists one action on a page.
type pipelines struct {
	executions map[string]*types.PipelineExecution
	actions    map[string][]types.ActionExecutionDetail
	fail       error
	calls      int
}

func (p *pipelines) GetPipelineExecution(_ context.Context, in *codepipeline.GetPipelineExecutionInput, _ ...func(*codepipeline.Options)) (*codepipeline.GetPipelineExecutionOutput, error) {
	p.calls++
	if p.fail != nil {
		return nil, p.fail
	}
	found, known := p.executions[*in.PipelineExecutionId]
	if !known || *in.PipelineName != "myPipeline" {
		return nil, &types.PipelineExecutionNotFoundException{}
	}
	return &codepipeline.GetPipelineExecutionOutput{PipelineExecution: found}, nil
}

func (p *pipelines) ListActionExecutions(_ context.Context, in *codepipeline.ListActionExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error) {
	p.calls++
	actions := p.actions[*in.Filter.PipelineExecutionId]
	page := 0
	if in.NextToken != nil {
		fmt.Sscan(*in.NextToken, &page)
	}
	out := &codepipeline.ListActionExecutionsOutput{}
	if page < len(actions) {
		out.ActionExecutionDetails = actions[page : page+1]
		out.NextToken = aws.String(fmt.Sprint(page + 1))
	}
	return out, nil
}

// add makes an execution that succeeded, with a source action and one that gave
// the variables.
func (p *pipelines) add(id string, started time.Time, variables map[string]string) *types.PipelineExecution {
	out := &types.PipelineExecution{
		PipelineExecutionId: &id, Status: types.PipelineExecutionStatusSucceeded,
		ArtifactRevisions: []types.ArtifactRevision{{RevisionId: aws.String(commit)}},
	}
	p.executions[id] = out
	p.actions[id] = []types.ActionExecutionDetail{
		action("Build", started.Add(time.Minute), variables), action("Source", started, nil),
	}
	return out
}

func action(name string, started time.Time, variables map[string]string) types.ActionExecutionDetail {
	return types.ActionExecutionDetail{
		ActionName: &name, StartTime: &started, Status: types.ActionExecutionStatusSucceeded,
		Output: &types.ActionExecutionOutput{OutputVariables: variables},
	}
}

// images knows digests by Region, account, repository and tag.
type images struct {
	digests map[string]string
	fail    error
}

func (i *images) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput, options ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	if i.fail != nil {
		return nil, i.fail
	}
	var o ecr.Options
	for _, set := range options {
		set(&o)
	}
	name := fmt.Sprintf("%s/%s/%s:%s", o.Region, *in.RegistryId, *in.RepositoryName, *in.ImageIds[0].ImageTag)
	digest, known := i.digests[name]
	if !known {
		return nil, &ecrtypes.ImageNotFoundException{}
	}
	return &ecr.DescribeImagesOutput{ImageDetails: []ecrtypes.ImageDetail{{ImageDigest: &digest}}}, nil
}

// table is the door with a store of its own, a cluster shop and its service web.
type table struct {
	*testing.T
	*Handler
	store     *store.Store
	pipelines *pipelines
	images    *images
}

func newTable(t *testing.T, spec contract.BindingSpec) *table {
	t.Helper()
	s := storetest.Open(t)
	ids := 0
	x := &table{T: t, store: s, images: &images{digests: map[string]string{}}, pipelines: &pipelines{
		executions: map[string]*types.PipelineExecution{}, actions: map[string][]types.ActionExecutionDetail{},
	}}
	x.Handler = &Handler{
		Store: s, Pipelines: x.pipelines, Images: x.images, Now: func() time.Time { return now },
		NewID: func() string { ids++; return fmt.Sprintf("OPERATION%d", ids) },
		Log:   slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}
	spec.Service = "web"
	x.commit(
		store.CreateCluster(model.Cluster{Spec: contract.ClusterSpec{Name: "shop"}, Status: contract.ClusterReady}),
		store.CreateService(model.Service{Cluster: "shop", Name: "web", Team: "shop", Replicas: 4, Generation: 1,
			Release: 1, LastRelease: 1, Status: contract.ServiceHealthy}),
		store.CreateRelease(model.Release{Cluster: "shop", Service: "web", Number: 1, Image: image + ":1",
			Status: contract.ReleaseActive, Spec: contract.ServiceSpec{Image: image + ":1", Cpu: 256}}),
		store.PutBinding(model.Binding{Cluster: "shop", Name: "b", Team: "shop", Spec: spec}),
	)
	return x
}

func (x *table) commit(writes ...store.Write) {
	x.Helper()
	if err := x.store.Commit(x.Context(), writes...); err != nil {
		x.Fatal(err)
	}
}

// handle sends an event that leads to one decision.
func (x *table) handle(raw json.RawMessage) built.Decision {
	x.Helper()
	out, err := x.Handle(x.Context(), raw)
	if err != nil || len(out.Decisions) != 1 {
		x.Fatalf("got %+v, %v", out, err)
	}
	return out.Decisions[0]
}

func (x *table) service() model.Service {
	x.Helper()
	s, err := x.store.Service(x.Context(), "shop", "web")
	if err != nil {
		x.Fatal(err)
	}
	return *s
}

func (x *table) release(number int64) model.Release {
	x.Helper()
	r, err := x.store.Release(x.Context(), "shop", "web", number)
	if err != nil {
		x.Fatal(err)
	}
	return *r
}

func (x *table) operations() []model.Operation {
	x.Helper()
	queue, err := x.store.Queue(x.Context(), "service/shop/web")
	if err != nil {
		x.Fatal(err)
	}
	var all []model.Operation
	for _, id := range queue.Operations {
		o, err := x.store.Operation(x.Context(), id)
		if err != nil {
			x.Fatal(err)
		}
		all = append(all, *o)
	}
	return all
}

// releases says how many releases and open operations there are.
func (x *table) releases(want, open int) {
	x.Helper()
	list, _, err := x.store.Releases(x.Context(), "shop", "web", store.Page{Limit: 100})
	if err != nil || len(list) != want || len(x.operations()) != open {
		x.Errorf("got %d releases and %d open operations, want %d and %d; %v", len(list), len(x.operations()), want, open, err)
	}
}
