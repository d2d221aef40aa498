package states_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/states"
	"portolan/local/wire"
)

// tasks stands in for functions and services. It is safe for concurrent use.
type tasks struct {
	mu       sync.Mutex
	function func(ctx context.Context, name string, payload []byte) ([]byte, error)
	service  func(ctx context.Context, service, action string, parameters json.RawMessage) (json.RawMessage, error)
	calls    []string
}

func (t *tasks) note(call string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, call)
}

func (t *tasks) made() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.calls...)
}

func (t *tasks) InvokeFunction(ctx context.Context, name string, payload []byte) ([]byte, error) {
	t.note("invoke " + name)
	return t.function(ctx, name, payload)
}

func (t *tasks) Call(ctx context.Context, service, action string, parameters json.RawMessage, _ string) (json.RawMessage, error) {
	t.note(service + ":" + action + " " + string(parameters))
	return t.service(ctx, service, action, parameters)
}

const (
	account = "111122223333"
	region  = "eu-west-1"
	role    = "arn:aws:iam::111122223333:role/machine"
)

// A world is a server with a client of the real SDK before it.
type world struct {
	t       *testing.T
	server  *states.Server
	client  *sfn.Client
	tasks   *tasks
	mu      sync.Mutex
	changes []states.StatusChange
	disk    *disk.Disk
	retain  int
	ids     int
}

// start makes the server anew, as after a restart when there is a disk.
func (w *world) start() {
	w.t.Helper()
	server, err := states.New(states.Config{
		Clock: clock.New(1), Region: region, Account: account, Tasks: w.tasks, Disk: w.disk, Retain: w.retain,
		NewID: func() string { w.ids++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.ids) },
		Rand:  rand.New(rand.NewPCG(1, 2)),
		Changed: func(_ context.Context, c states.StatusChange) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, c)
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.server = server
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: account, Region: region}, nil
	}))
	router.Register("states", server)
	w.client = sfn.NewFromConfig(aws.Config{
		Region: region, HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "secret"}, nil
		}),
		RetryMaxAttempts: 1,
	})
}

// inWorld runs fn in virtual time.
func inWorld(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, tasks: &tasks{}}
		w.start()
		defer func() { w.server.Close() }()
		fn(w)
	})
}

func (w *world) create(name, definition string) string {
	w.t.Helper()
	out, err := w.client.CreateStateMachine(w.t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, Definition: &definition, RoleArn: aws.String(role)})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.StateMachineArn
}

func (w *world) run(machine, name, input string) string {
	w.t.Helper()
	in := &sfn.StartExecutionInput{StateMachineArn: &machine, Input: &input}
	if name != "" {
		in.Name = &name
	}
	out, err := w.client.StartExecution(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.ExecutionArn
}

func (w *world) describe(arn string) *sfn.DescribeExecutionOutput {
	w.t.Helper()
	out, err := w.client.DescribeExecution(w.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// ends waits for the execution and checks how it ended.
func (w *world) ends(arn string, status types.ExecutionStatus, result string) *sfn.DescribeExecutionOutput {
	w.t.Helper()
	if _, err := w.server.Wait(w.t.Context(), arn); err != nil {
		w.t.Fatal(err)
	}
	d := w.describe(arn)
	got := aws.ToString(d.Output)
	if d.Status != types.ExecutionStatusSucceeded {
		got = aws.ToString(d.Error) + ": " + aws.ToString(d.Cause)
	}
	if d.Status != status || got != result {
		w.t.Errorf("the execution is %s\n got  %s\n want %s %s", d.Status, got, status, result)
	}
	return d
}

func (w *world) history(arn string) []types.HistoryEvent {
	w.t.Helper()
	var all []types.HistoryEvent
	pages := sfn.NewGetExecutionHistoryPaginator(w.client,
		&sfn.GetExecutionHistoryInput{ExecutionArn: &arn, MaxResults: 3})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, page.Events...)
	}
	return all
}

func (w *world) refused(err error, code string) string {
	w.t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || api.ErrorCode() != code {
		w.t.Errorf("got %v, want %s", err, code)
		return ""
	}
	return api.ErrorMessage()
}

const passes = `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
const waits = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`

func TestMachinesAreManaged(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx := w.t.Context()
		arn := w.create("deploy", passes)
		if again := w.create("deploy", passes); again != arn {
			t.Errorf("creating it again made %s", again)
		}
		_, err := w.client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
			Name: aws.String("deploy"), Definition: aws.String(waits), RoleArn: aws.String(role)})
		if m := w.refused(err, "StateMachineAlreadyExists"); m != "State Machine Already Exists: '"+arn+"'" {
			t.Error(m)
		}
		_, err = w.client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
			Name: aws.String("a b"), Definition: aws.String(passes), RoleArn: aws.String(role)})
		if m := w.refused(err, "InvalidName"); m != "Invalid Name: 'a b'" {
			t.Error(m)
		}
		if _, err := w.client.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{
			StateMachineArn: &arn, Definition: aws.String(waits)}); err != nil {
			t.Error(err)
		}
		d, err := w.client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
		if err != nil || *d.Definition != waits || d.Type != types.StateMachineTypeStandard || *d.RoleArn != role {
			t.Errorf("described as %+v, %v", d, err)
		}
		w.create("other", passes)
		list, err := w.client.ListStateMachines(ctx, &sfn.ListStateMachinesInput{MaxResults: 1})
		if err != nil || len(list.StateMachines) != 1 || list.NextToken == nil {
			t.Errorf("the first page is %+v, %v", list, err)
		}
		_, err = w.client.TagResource(ctx, &sfn.TagResourceInput{ResourceArn: &arn,
			Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}})
		if err != nil {
			t.Error(err)
		}
		tags, err := w.client.ListTagsForResource(ctx, &sfn.ListTagsForResourceInput{ResourceArn: &arn})
		if err != nil || len(tags.Tags) != 1 {
			t.Errorf("the tags are %+v, %v", tags, err)
		}
		for range 2 {
			if _, err := w.client.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: &arn}); err != nil {
				t.Error(err)
			}
		}
		_, err = w.client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &arn})
		w.refused(err, "StateMachineDoesNotExist")
	})
}

func TestAMachineThatRunsIsDeletedLater(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx := w.t.Context()
		arn := w.create("waits", waits)
		x := w.run(arn, "", "{}")
		if _, err := w.client.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: &arn}); err != nil {
			t.Fatal(err)
		}
		d, err := w.client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
		if err != nil || d.Status != types.StateMachineStatusDeleting {
			t.Errorf("described as %+v, %v", d, err)
		}
		_, err = w.client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &arn})
		w.refused(err, "StateMachineDeleting")
		w.ends(x, "SUCCEEDED", "{}")
		_, err = w.client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
		w.refused(err, "StateMachineDoesNotExist")
	})
}

func TestThousandsOfExecutions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.retain = 2 * 5000
		w.restart()
		machine := w.create("waits", waits)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		const count = 5000
		var last string
		for range count {
			x, err := w.server.Start(machine, "", `{"a":1}`)
			if err != nil {
				t.Fatal(err)
			}
			last = x.ExecutionArn
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if each := (after.HeapAlloc - before.HeapAlloc) / count; each > 6<<10 {
			t.Errorf("an execution that waits takes %d bytes", each)
		}
		w.ends(last, "SUCCEEDED", `{"a":1}`)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.changes) != 2*count {
			t.Errorf("%d changes of status were told", len(w.changes))
		}
		open := map[string]bool{}
		for _, c := range w.changes {
			if open[c.Name] == (c.Status == "RUNNING") {
				t.Fatalf("%s is told to be %s out of order", c.Name, c.Status)
			}
			open[c.Name] = true
		}
	})
}

func TestInvalidDefinitions(t *testing.T) {
	inWorld(t, func(w *world) {
		bad := `{"StartAt":"pass1","States":{"pass1":{"Type":"Pass","Next":"pass3"},"pass2":{"Type":"Pass","End":true}}}`
		_, err := w.client.CreateStateMachine(w.t.Context(), &sfn.CreateStateMachineInput{
			Name: aws.String("bad"), Definition: &bad, RoleArn: aws.String(role)})
		want := `Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: pass3 at /States/pass1/Next, ` +
			`MISSING_TRANSITION_TARGET: State "pass2" is not reachable. at /States/pass2'`
		if m := w.refused(err, "InvalidDefinition"); m != want {
			t.Errorf("got  %s\nwant %s", m, want)
		}
		v, err := w.client.ValidateStateMachineDefinition(w.t.Context(),
			&sfn.ValidateStateMachineDefinitionInput{Definition: &bad})
		if err != nil || v.Result != types.ValidateStateMachineDefinitionResultCodeFail || len(v.Diagnostics) != 2 {
			t.Errorf("validated as %+v, %v", v, err)
		}
	})
}

func TestNamesOfExecutions(t *testing.T) {
	inWorld(t, func(w *world) {
		arn := w.create("waits", waits)
		first := w.run(arn, "one", `{"a":1}`)
		if again := w.run(arn, "one", `{"a":1}`); again != first {
			t.Errorf("the same name and input started %s", again)
		}
		again := func(input string) error {
			_, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{
				StateMachineArn: &arn, Name: aws.String("one"), Input: &input})
			return err
		}
		w.refused(again(`{}`), "ExecutionAlreadyExists")
		w.refused(again(`{`), "InvalidExecutionInput")
		w.ends(first, "SUCCEEDED", `{"a":1}`)
		if m := w.refused(again(`{"a":1}`), "ExecutionAlreadyExists"); m != "Execution Already Exists: '"+first+"'" {
			t.Error(m)
		}
		time.Sleep(90 * 24 * time.Hour)
		if err := again(`{}`); err != nil {
			t.Errorf("after 90 days the name is still taken: %v", err)
		}
	})
}

func TestExecutionsAreListedAndStopped(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx := w.t.Context()
		arn := w.create("waits", waits)
		var all []string
		for i := range 5 {
			all = append(all, w.run(arn, fmt.Sprint("x", i), "{}"))
			time.Sleep(time.Second)
		}
		_, err := w.client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &all[1],
			Error: aws.String("Halted"), Cause: aws.String("by hand")})
		if err != nil {
			t.Fatal(err)
		}
		w.ends(all[1], "ABORTED", "Halted: by hand")
		list, err := w.client.ListExecutions(ctx, &sfn.ListExecutionsInput{
			StateMachineArn: &arn, StatusFilter: types.ExecutionStatusRunning, MaxResults: 3})
		if err != nil || len(list.Executions) != 3 || *list.Executions[0].ExecutionArn != all[4] {
			t.Fatalf("listed %+v, %v", list, err)
		}
		rest, err := w.client.ListExecutions(ctx, &sfn.ListExecutionsInput{
			StateMachineArn: &arn, StatusFilter: types.ExecutionStatusRunning, NextToken: list.NextToken})
		if err != nil || len(rest.Executions) != 1 || *rest.Executions[0].ExecutionArn != all[0] || rest.NextToken != nil {
			t.Errorf("the rest is %+v, %v", rest, err)
		}
		_, err = w.client.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: &arn, NextToken: aws.String("x")})
		w.refused(err, "InvalidToken")
		w.ends(all[4], "SUCCEEDED", "{}")
		if got := len(w.changes); got != 10 {
			t.Errorf("%d changes of status were told, want 10", got)
		}
	})
}
