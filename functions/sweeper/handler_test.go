package sweeper_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"portolan/functions/sweeper"
	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

var noon = time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)

// executions are what is known of executions, by their names; the others do not
// exist.
type executions struct {
	status  map[string]types.ExecutionStatus
	broken  string // the execution that cannot be looked at
	asked   int
	stopped []string
}

func nameOf(arn *string) string { return (*arn)[strings.LastIndex(*arn, ":")+1:] }

func (e *executions) DescribeExecution(_ context.Context, in *sfn.DescribeExecutionInput, _ ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error) {
	e.asked++
	name := nameOf(in.ExecutionArn)
	if name == e.broken {
		return nil, errors.New("out of order")
	}
	status, ok := e.status[name]
	if !ok {
		return nil, &types.ExecutionDoesNotExist{}
	}
	return &sfn.DescribeExecutionOutput{Status: status}, nil
}

func (e *executions) StopExecution(_ context.Context, in *sfn.StopExecutionInput, _ ...func(*sfn.Options)) (*sfn.StopExecutionOutput, error) {
	e.stopped = append(e.stopped, nameOf(in.ExecutionArn))
	return &sfn.StopExecutionOutput{}, nil
}

// nothing has no alarms, no images and no resources.
type nothing struct{}

func (nothing) DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	return nil, &ecrtypes.ImageNotFoundException{}
}

func (nothing) DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	return &cloudwatch.DescribeAlarmsOutput{}, nil
}

func (nothing) GetResources(context.Context, *resourcegroupstaggingapi.GetResourcesInput, ...func(*resourcegroupstaggingapi.Options)) (*resourcegroupstaggingapi.GetResourcesOutput, error) {
	return &resourcegroupstaggingapi.GetResourcesOutput{}, nil
}

func (nothing) DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return &ec2.DescribeInstancesOutput{}, nil
}

func (nothing) DescribeNatGateways(context.Context, *ec2.DescribeNatGatewaysInput, ...func(*ec2.Options)) (*ec2.DescribeNatGatewaysOutput, error) {
	return &ec2.DescribeNatGatewaysOutput{}, nil
}

// A bench is a handler over a table of its own.
type bench struct {
	*testing.T
	*sweeper.Handler
	table      *store.Store
	executions *executions
	now        time.Time
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, table: storetest.Open(t), now: noon,
		executions: &executions{status: map[string]types.ExecutionStatus{}}}
	b.Handler = &sweeper.Handler{Store: b.table, Executions: b.executions, Alarms: nothing{}, Images: nothing{}, Resources: nothing{},
		Compute: nothing{}, Region: region, ExecutionPrefix: "arn:execution:portolan-", Now: func() time.Time { return b.now },
		NewID: func() string { return "new" }, Log: slog.New(slog.DiscardHandler)}
	return b
}

// scaling is an operation that runs since a minute ago, or waits since.
func (b *bench) scaling(id string, running bool) model.Operation {
	b.Helper()
	target := contract.Target{Cluster: "shop", Service: "web" + id}
	o := decide.NewOperation(id, contract.KindScale, target, "storefront", 1, contract.Cause{}, noon.Add(-time.Minute))
	b.commits(store.CreateOperation(o)...)
	if running {
		o = decide.Start(o, 1, noon.Add(-time.Minute))
		_, take := store.TakeLease(model.Lease{Target: model.TargetKey(target)}, id, decide.LeaseUntil(o))
		b.commits(take, store.StartOperation(o))
	}
	return o
}

func (b *bench) commits(writes ...store.Write) {
	b.Helper()
	if err := b.table.Commit(b.Context(), writes...); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) sweep(in sweeper.In) []sweeper.Finding {
	b.Helper()
	out, err := b.Handle(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return out.Findings
}

func (b *bench) read(id string) *model.Operation {
	b.Helper()
	o, err := b.table.Operation(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	return o
}

func TestWhatIsUnderWayIsLeftAlone(t *testing.T) {
	b := newBench(t)
	b.scaling("running", true)
	b.scaling("waiting", false)
	b.executions.status["running"] = types.ExecutionStatusRunning
	if found := b.sweep(sweeper.In{Time: noon}); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

func TestWhatNobodyStartedIsWoken(t *testing.T) {
	b := newBench(t)
	b.scaling("waiting", false)
	b.scaling("started", true)
	b.now = noon.Add(2 * time.Minute)
	if found := b.sweep(sweeper.In{Time: noon}); len(found) != 2 || found[0].Did != "dispatch woken" || found[1].Did != "dispatch woken" {
		t.Errorf("found %v", found)
	}
	for _, id := range []string{"waiting", "started"} {
		if o := b.read(id); !o.WokenAt.Equal(b.now) {
			t.Errorf("%s was woken at %v", id, o.WokenAt)
		}
	}
	if found := b.sweep(sweeper.In{Time: noon}); len(found) > 0 {
		t.Errorf("at once again, found %v", found)
	}
}

func TestADeadExecutionIsTakenOverOnce(t *testing.T) {
	b := newBench(t)
	o := b.scaling("dead", true)
	b.executions.status["dead"] = types.ExecutionStatusAborted
	b.executions.status["dead-2"] = types.ExecutionStatusRunning
	event := sweeper.In{DetailType: "Step Functions Execution Status Change"}
	event.Detail.Name, event.Detail.Status, event.Detail.Cause = "dead", "ABORTED", "by hand"
	if found := b.sweep(event); len(found) != 1 || found[0].Did != "taken over by attempt 2" {
		t.Errorf("found %v", found)
	}
	for name, again := range map[string]sweeper.In{"the event": event, "the schedule": {Time: noon}} {
		if found := b.sweep(again); len(found) > 0 {
			t.Errorf("%s again: found %v", name, found)
		}
	}
	after := b.read("dead")
	if after.Attempt != 2 || after.Token != 2 || !strings.Contains(after.TakenOver, "by hand") || !after.Deadline.Equal(o.Deadline) {
		t.Errorf("it is %+v", after)
	}
	queue, err := b.table.Queue(b.Context(), "service/shop/webdead")
	if err != nil || queue.Lease.Holder != "dead" || queue.Lease.Token != 2 {
		t.Errorf("the lease is %+v, %v", queue.Lease, err)
	}
}

func TestExecutionsOfOthersAreNone(t *testing.T) {
	b := newBench(t)
	b.scaling("waiting", false)
	for _, name := range []string{"waiting", "waiting-3", "unknown", ""} {
		event := sweeper.In{DetailType: "Step Functions Execution Status Change"}
		event.Detail.Name, event.Detail.Status = name, "FAILED"
		if found := b.sweep(event); len(found) > 0 {
			t.Errorf("%q: found %v", name, found)
		}
	}
}

func TestADeadlineEndsWhatStillRuns(t *testing.T) {
	b := newBench(t)
	o := b.scaling("late", true)
	b.executions.status["late"] = types.ExecutionStatusRunning
	b.now = o.Deadline
	if found := b.sweep(sweeper.In{Time: noon}); len(found) != 1 || found[0].Did != "ended as FailedDirty" {
		t.Errorf("found %v", found)
	}
	if len(b.executions.stopped) != 1 || b.executions.stopped[0] != "late" {
		t.Errorf("stopped are %v", b.executions.stopped)
	}
	if queue, err := b.table.Queue(b.Context(), "service/shop/weblate"); err != nil || queue.Lease.Holder != "" || len(queue.Operations) > 0 {
		t.Errorf("the queue is %+v, %v", queue, err)
	}
	if o := b.read("late"); len(o.Left) != 1 || o.Left[0] != "service weblate of cluster shop" {
		t.Errorf("it left %v", o.Left)
	}
}

// One operation that cannot be looked at holds up no other.
func TestOneTroubleHoldsUpNoOther(t *testing.T) {
	b := newBench(t)
	b.scaling("a", true)
	b.scaling("b", true)
	b.executions.broken = "a"
	b.executions.status["b"] = types.ExecutionStatusTimedOut
	out, err := b.Handle(t.Context(), sweeper.In{Time: noon})
	if err == nil || !strings.Contains(err.Error(), "operation a") || len(out.Findings) != 1 {
		t.Errorf("found %v, %v", out.Findings, err)
	}
}

// What does not fit into one run is looked at by the next one.
func TestTheNextRunGoesOn(t *testing.T) {
	b := newBench(t)
	const count = 310
	for i := range count {
		id := fmt.Sprintf("%04d", i)
		b.scaling(id, true)
		b.executions.status[id] = types.ExecutionStatusRunning
	}
	// Once it is kept, the cursor is one of the three hundred.
	for _, want := range []int{300, 310, 609} {
		b.sweep(sweeper.In{Time: noon})
		if b.executions.asked != want {
			t.Errorf("%d operations were looked at, and not %d", b.executions.asked, want)
		}
	}
}
