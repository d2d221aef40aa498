package cloudformation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/cloudformation"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/unique"
	"portolan/local/wire"
)

// things is a Provider whose resources are lines in a list.
type things struct {
	mu      sync.Mutex
	made    map[string]map[string]any // properties by physical id
	calls   []string
	unready map[string]int // how often a logical id is Pending before it is stable
	blocked map[string]string
}

func newThings() *things {
	return &things{made: map[string]map[string]any{}, unready: map[string]int{}, blocked: map[string]string{}}
}

func (p *things) Create(_ context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, "create "+r.LogicalID)
	p.made[r.Name] = r.Properties
	return cloudformation.Made{PhysicalID: r.Name, Attributes: map[string]any{"Arn": "arn:" + r.LogicalID}}, nil
}

func (p *things) Update(_ context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, fmt.Sprintf("update %s %v", r.LogicalID, r.Properties["V"]))
	p.made[r.PhysicalID] = r.Properties
	return cloudformation.Made{PhysicalID: r.PhysicalID, Attributes: map[string]any{"Arn": "arn:" + r.LogicalID}}, nil
}

func (p *things) Delete(_ context.Context, r cloudformation.Request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, "delete "+r.LogicalID)
	if reason, ok := p.blocked[r.LogicalID]; ok {
		return &cloudformation.Pending{Reason: reason}
	}
	delete(p.made, r.PhysicalID)
	return nil
}

func (p *things) Stable(_ context.Context, r cloudformation.Request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unready[r.LogicalID] > 0 {
		p.unready[r.LogicalID]--
		return &cloudformation.Pending{Reason: "not yet"}
	}
	return nil
}

type bus struct {
	mu   sync.Mutex
	seen []events.Event
}

func (b *bus) Emit(_ context.Context, e events.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, e)
}

type bench struct {
	*testing.T
	service *cloudformation.Service
	client  *sdk.Client
	things  *things
	bus     *bus
}

func newBench(t *testing.T, d *disk.Disk, p *things) *bench {
	t.Helper()
	b := &bench{T: t, things: p, bus: &bus{}}
	kind := cloudformation.Kind{
		Provider: p, CreateOnly: []string{"Fixed"}, CreateTakes: 10 * time.Second, UpdateTakes: 5 * time.Second,
		DeleteTakes: 5 * time.Second, Patience: time.Minute,
	}
	var err error
	b.service, err = cloudformation.New(cloudformation.Config{
		Account: "111122223333", Region: "eu-west-1", Clock: clock.New(1), Disk: d, IDs: unique.New(1), Events: b.bus,
		Kinds: map[string]cloudformation.Kind{"Test::A::Thing": kind, "AWS::IAM::Role": kind},
	})
	if err != nil {
		t.Fatal(err)
	}
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: "111122223333"}, nil
	}))
	router.Register("cloudformation", b.service.Handler())
	b.client = sdk.NewFromConfig(aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
		HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
	})
	return b
}

func (b *bench) create(body string, change ...func(*sdk.CreateStackInput)) error {
	in := &sdk.CreateStackInput{StackName: aws.String("web"), TemplateBody: &body, ClientRequestToken: aws.String("op-1")}
	for _, c := range change {
		c(in)
	}
	_, err := b.client.CreateStack(b.Context(), in)
	return err
}

func (b *bench) mustCreate(body string, change ...func(*sdk.CreateStackInput)) {
	b.Helper()
	if err := b.create(body, change...); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) stack(name string) types.Stack {
	b.Helper()
	out, err := b.client.DescribeStacks(b.Context(), &sdk.DescribeStacksInput{StackName: &name})
	if err != nil {
		b.Fatal(err)
	}
	return out.Stacks[0]
}

func (b *bench) wantStatus(want types.StackStatus) types.Stack {
	b.Helper()
	st := b.stack("web")
	if st.StackStatus != want {
		b.Errorf("the stack is %s (%s), want %s", st.StackStatus, aws.ToString(st.StackStatusReason), want)
	}
	return st
}

// story is what happened to a stack, the oldest first.
func (b *bench) story(id string) []string {
	b.Helper()
	var story []string
	pages := sdk.NewDescribeStackEventsPaginator(b.client, &sdk.DescribeStackEventsInput{StackName: &id})
	for pages.HasMorePages() {
		out, err := pages.NextPage(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range out.StackEvents {
			line := *e.LogicalResourceId + " " + string(e.ResourceStatus)
			if reason := aws.ToString(e.ResourceStatusReason); reason != "" {
				line += ": " + reason
			}
			story = append(story, line)
		}
	}
	slices.Reverse(story)
	return story
}

func (b *bench) wantStory(id string, want ...string) {
	b.Helper()
	if got := b.story(id); !slices.Equal(got, want) {
		b.Errorf("what happened:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() != message {
		t.Errorf("error is %v, want %s: %s", err, code, message)
	}
}

const two = `
Parameters: {P: {Type: String, Default: one}}
Resources:
  A: {Type: Test::A::Thing, Properties: {V: !Ref P}}
  B: {Type: Test::A::Thing, Properties: {V: !GetAtt A.Arn, W: !Ref P}}
Outputs:
  O: {Value: !Sub "${B.Arn} ${P}", Export: {Name: !Sub "${AWS::StackName}-o"}}
`

func TestCreateAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, newThings())
		defer b.service.Close()
		b.things.unready["B"] = 2
		b.mustCreate(two, func(in *sdk.CreateStackInput) {
			in.Tags = []types.Tag{{Key: aws.String("portolan:cluster"), Value: aws.String("web")}}
		})
		b.wantStatus(types.StackStatusCreateInProgress)
		wantError(t, b.create(two, func(in *sdk.CreateStackInput) { in.ClientRequestToken = nil }),
			"AlreadyExistsException", "Stack [web] already exists")
		if err := b.create(two); err != nil {
			t.Errorf("the same call again fails: %v", err)
		}
		start := time.Now()
		if err := sdk.NewStackCreateCompleteWaiter(b.client).Wait(t.Context(), &sdk.DescribeStacksInput{StackName: aws.String("web")}, time.Hour); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 30*time.Second || took > 90*time.Second {
			t.Errorf("the stack took %s", took)
		}
		st := b.wantStatus(types.StackStatusCreateComplete)
		if len(st.Outputs) != 1 || *st.Outputs[0].OutputValue != "arn:B one" || *st.Outputs[0].ExportName != "web-o" {
			t.Errorf("outputs are %+v", st.Outputs)
		}
		b.wantStory("web",
			"web CREATE_IN_PROGRESS: User Initiated",
			"A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS: Resource creation Initiated", "A CREATE_COMPLETE",
			"B CREATE_IN_PROGRESS", "B CREATE_IN_PROGRESS: Resource creation Initiated", "B CREATE_COMPLETE",
			"web CREATE_COMPLETE")
		if _, err := b.client.DeleteStack(t.Context(), &sdk.DeleteStackInput{StackName: aws.String("web")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		_, err := b.client.DescribeStacks(t.Context(), &sdk.DescribeStacksInput{StackName: aws.String("web")})
		wantError(t, err, "ValidationError", "Stack with id web does not exist")
		if gone := b.stack(*st.StackId); gone.StackStatus != types.StackStatusDeleteComplete || gone.DeletionTime == nil {
			t.Errorf("by its id the stack is %s", gone.StackStatus)
		}
		if got := b.story(*st.StackId); !slices.Equal(got[8:], []string{
			"web DELETE_IN_PROGRESS: User Initiated", "B DELETE_IN_PROGRESS", "B DELETE_COMPLETE",
			"A DELETE_IN_PROGRESS", "A DELETE_COMPLETE", "web DELETE_COMPLETE"}) {
			t.Errorf("deleting went %v", got[8:])
		}
		if len(b.things.made) > 0 {
			t.Errorf("left over: %v", b.things.made)
		}
		b.wantEvents()
	})
}

// wantEvents checks that the bus got what EventBridge documents.
func (b *bench) wantEvents() {
	b.Helper()
	b.bus.mu.Lock()
	defer b.bus.mu.Unlock()
	first := b.bus.seen[0]
	detail := first.Detail.(map[string]any)
	status := detail["status-details"].(map[string]string)
	if first.DetailType != "CloudFormation Stack Status Change" || status["status"] != "CREATE_IN_PROGRESS" ||
		detail["client-request-token"] != "op-1" || first.Resources[0] != detail["stack-id"] {
		b.Errorf("the first event is %+v", first)
	}
	second := b.bus.seen[1]
	detail = second.Detail.(map[string]any)
	if second.DetailType != "CloudFormation Resource Status Change" || detail["logical-resource-id"] != "A" ||
		detail["resource-type"] != "Test::A::Thing" {
		b.Errorf("the second event is %+v", second)
	}
}

func TestFailedCreationRollsBack(t *testing.T) {
	tests := map[types.OnFailure]struct {
		status types.StackStatus
		left   int
	}{
		types.OnFailureRollback:  {types.StackStatusRollbackComplete, 0},
		types.OnFailureDelete:    {types.StackStatusDeleteComplete, 0},
		types.OnFailureDoNothing: {types.StackStatusCreateFailed, 1},
	}
	for onFailure, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil, newThings())
			defer b.service.Close()
			b.service.Fail(cloudformation.Fault{LogicalID: "B", Action: "create", Times: 1, Reason: "no capacity"})
			b.mustCreate(two, func(in *sdk.CreateStackInput) { in.OnFailure = onFailure })
			id := *b.stack("web").StackId
			time.Sleep(5 * time.Minute)
			if st := b.stack(id); st.StackStatus != test.status || len(b.things.made) != test.left {
				t.Errorf("%s: the stack is %s with %d left", onFailure, st.StackStatus, len(b.things.made))
			}
			story := b.story(id)
			if !slices.Contains(story, "B CREATE_FAILED: no capacity") {
				t.Errorf("%s: what happened: %v", onFailure, story)
			}
			if onFailure == types.OnFailureRollback && !slices.Contains(story, "web ROLLBACK_IN_PROGRESS: "+
				"The following resource(s) failed to create: [B]. Rollback requested by user.") {
				t.Errorf("what happened: %v", story)
			}
		})
	}
}

func TestTimeoutAndDeleteWhileCreating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, newThings())
		defer b.service.Close()
		b.things.unready["A"] = 1000
		b.mustCreate(two, func(in *sdk.CreateStackInput) { in.TimeoutInMinutes = aws.Int32(1) })
		time.Sleep(50 * time.Second)
		b.wantStatus(types.StackStatusCreateInProgress)
		time.Sleep(30 * time.Second)
		story := b.story("web")
		if !slices.Contains(story, "A CREATE_FAILED: Resource creation cancelled") ||
			!slices.Contains(story, "web ROLLBACK_IN_PROGRESS: Stack creation time exceeded the specified timeout. Rollback requested by user.") {
			t.Errorf("what happened: %v", story)
		}
		id := *b.wantStatus(types.StackStatusRollbackComplete).StackId
		b.delete()
		time.Sleep(10 * time.Second)
		if st := b.stack(id); st.StackStatus != types.StackStatusDeleteComplete {
			t.Errorf("deleting what was rolled back leaves it %s", st.StackStatus)
		}
		b.mustCreate(two, func(in *sdk.CreateStackInput) { in.ClientRequestToken = aws.String("op-2") })
		id = *b.stack("web").StackId
		time.Sleep(5 * time.Second)
		b.delete()
		time.Sleep(20 * time.Second)
		if st := b.stack(id); st.StackStatus != types.StackStatusDeleteComplete || len(b.things.made) > 0 {
			t.Errorf("deleted while creating, the stack is %s with %v left", st.StackStatus, b.things.made)
		}
	})
}

func (b *bench) delete(retain ...string) {
	b.Helper()
	_, err := b.client.DeleteStack(b.Context(), &sdk.DeleteStackInput{
		StackName: aws.String("web"), RetainResources: retain, ClientRequestToken: aws.String("op-delete"),
	})
	if err != nil {
		b.Fatal(err)
	}
}

func TestDeletionThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, newThings())
		defer b.service.Close()
		b.mustCreate(two)
		time.Sleep(time.Minute)
		b.things.blocked["A"] = "resource A has a dependent object"
		b.delete()
		time.Sleep(5 * time.Minute)
		st := b.wantStatus(types.StackStatusDeleteFailed)
		if want := "The following resource(s) failed to delete: [A]. "; *st.StackStatusReason != want {
			t.Errorf("the reason is %q, want %q", *st.StackStatusReason, want)
		}
		resources, err := b.client.DescribeStackResources(t.Context(), &sdk.DescribeStackResourcesInput{StackName: aws.String("web")})
		if err != nil {
			t.Fatal(err)
		}
		if r := resources.StackResources[0]; r.ResourceStatus != types.ResourceStatusDeleteFailed || *r.ResourceStatusReason != b.things.blocked["A"] {
			t.Errorf("A is %+v", r)
		}
		b.delete("A")
		time.Sleep(time.Minute)
		if st := b.stack(*st.StackId); st.StackStatus != types.StackStatusDeleteComplete || len(b.things.made) != 1 {
			t.Errorf("with A retained the stack is %s, and left is %v", st.StackStatus, b.things.made)
		}
	})
}

func (b *bench) update(body string, parameters ...types.Parameter) error {
	_, err := b.client.UpdateStack(b.Context(), &sdk.UpdateStackInput{
		StackName: aws.String("web"), TemplateBody: &body, Parameters: parameters,
	})
	return err
}

func value(key, value string) types.Parameter {
	return types.Parameter{ParameterKey: &key, ParameterValue: &value}
}

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, newThings())
		defer b.service.Close()
		b.mustCreate(two)
		wantError(t, b.update(two, value("P", "two")), "ValidationError",
			"Stack:"+*b.stack("web").StackId+" is in CREATE_IN_PROGRESS state and can not be updated.")
		time.Sleep(time.Minute)
		wantError(t, b.update(two), "ValidationError", "No updates are to be performed.")
		wantError(t, b.update(two, types.Parameter{ParameterKey: aws.String("P"), UsePreviousValue: aws.Bool(true)}),
			"ValidationError", "No updates are to be performed.")
		b.things.calls = nil
		grown := strings.Replace(two, "Outputs:", "  C: {Type: Test::A::Thing}\nOutputs:", 1)
		if err := b.update(grown, value("P", "two")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		st := b.wantStatus(types.StackStatusUpdateComplete)
		if *st.Outputs[0].OutputValue != "arn:B two" || *st.Parameters[0].ParameterValue != "two" {
			t.Errorf("the stack is %+v", st)
		}
		if want := []string{"update A two", "create C", "update B arn:A"}; !slices.Equal(b.things.calls, want) {
			t.Errorf("calls are %v, want %v", b.things.calls, want)
		}
		if err := b.update(two, value("P", "two")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.wantStatus(types.StackStatusUpdateComplete)
		if len(b.things.made) != 2 {
			t.Errorf("what the template lost is still there: %v", b.things.made)
		}
	})
}

func TestUpdateThatReplacesAndOneThatGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, newThings())
		defer b.service.Close()
		body := func(fixed string) string {
			return "Resources: {A: {Type: Test::A::Thing, Properties: {Fixed: " + fixed +
				"}}, B: {Type: Test::A::Thing, Properties: {V: !Ref A}}}"
		}
		physical := func() string {
			out, err := b.client.DescribeStackResource(t.Context(), &sdk.DescribeStackResourceInput{
				StackName: aws.String("web"), LogicalResourceId: aws.String("A"),
			})
			if err != nil {
				t.Fatal(err)
			}
			return *out.StackResourceDetail.PhysicalResourceId
		}
		b.mustCreate(body("x"))
		time.Sleep(time.Minute)
		first := physical()
		if err := b.update(body("y")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		b.wantStatus(types.StackStatusUpdateComplete)
		second := physical()
		if _, old := b.things.made[first]; old || first == second || len(b.things.made) != 2 {
			t.Errorf("%s was to be replaced by %s: %v", first, second, b.things.made)
		}
		b.service.Fail(cloudformation.Fault{LogicalID: "B", Action: "update", Times: 1, Reason: "it broke"})
		if err := b.update(body("z")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		b.wantStatus(types.StackStatusUpdateRollbackComplete)
		if physical() != second || len(b.things.made) != 2 || b.things.made[second]["Fixed"] != "y" {
			t.Errorf("after going back A is %s of %v, want %s", physical(), b.things.made, second)
		}
		if story := b.story("web"); !slices.Contains(story, "B UPDATE_FAILED: it broke") ||
			!slices.Contains(story, "web UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to update: [B]. ") {
			t.Errorf("what happened: %s", strings.Join(story, "\n"))
		}
	})
}

func TestOperationsGoOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := disk.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		p := newThings()
		b := newBench(t, d, p)
		b.mustCreate(two)
		// A restart every three seconds, in whatever step the stack is.
		for range 12 {
			time.Sleep(3 * time.Second)
			b.service.Close()
			b = newBench(t, d, p)
		}
		defer func() { b.service.Close() }()
		b.wantStatus(types.StackStatusCreateComplete)
		if want := []string{"create A", "create B"}; !slices.Equal(p.calls, want) {
			t.Errorf("calls are %v, want %v", p.calls, want)
		}
		if story := b.story("web"); len(story) != 8 {
			t.Errorf("what happened: %v", story)
		}
	})
}

func TestCallsThatAreRefused(t *testing.T) {
	b := newBench(t, nil, newThings())
	defer b.service.Close()
	role := "Resources: {R: {Type: AWS::IAM::Role}}"
	named := "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: x}}}"
	iam := func(in *sdk.CreateStackInput) { in.Capabilities = []types.Capability{types.CapabilityCapabilityIam} }
	wantError(t, b.create(role), "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]")
	wantError(t, b.create(named, iam), "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")
	wantError(t, b.create("Resources: {A: {Type: Foo::Bar::Baz}}"), "ValidationError",
		"Template format error: Unrecognized resource types: [Foo::Bar::Baz]")
	wantError(t, b.create(two, func(in *sdk.CreateStackInput) { in.Parameters = []types.Parameter{value("Q", "x")} }),
		"ValidationError", "Parameters: [Q] do not exist in the template")
	wantError(t, b.create(two, func(in *sdk.CreateStackInput) { in.StackName = aws.String("a_b") }), "ValidationError",
		"1 validation error detected: Value 'a_b' at 'stackName' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
	wantError(t, b.update(two), "ValidationError", "Stack [web] does not exist")
	_, err := b.client.DescribeStackEvents(t.Context(), &sdk.DescribeStackEventsInput{StackName: aws.String("web")})
	wantError(t, err, "ValidationError", "Stack [web] does not exist")
	b.delete() // Deleting what is not there succeeds.
	_, err = b.client.ValidateTemplate(t.Context(), &sdk.ValidateTemplateInput{TemplateBody: aws.String("hello")})
	wantError(t, err, "ValidationError", "Template format error: unsupported structure.")
	out, err := b.client.ValidateTemplate(t.Context(), &sdk.ValidateTemplateInput{TemplateBody: &named})
	if err != nil || out.Capabilities[0] != types.CapabilityCapabilityNamedIam {
		t.Errorf("validating gives %+v, %v", out, err)
	}
}

func TestTerminationProtectionAndExports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, newThings())
		defer b.service.Close()
		b.mustCreate(two, func(in *sdk.CreateStackInput) { in.EnableTerminationProtection = aws.Bool(true) })
		time.Sleep(time.Minute)
		_, err := b.client.DeleteStack(t.Context(), &sdk.DeleteStackInput{StackName: aws.String("web")})
		wantError(t, err, "ValidationError", "Stack [web] cannot be deleted while TerminationProtection is enabled")
		_, err = b.client.UpdateTerminationProtection(t.Context(), &sdk.UpdateTerminationProtectionInput{
			StackName: aws.String("web"), EnableTerminationProtection: aws.Bool(false),
		})
		if err != nil {
			t.Fatal(err)
		}
		b.mustCreate("Resources: {A: {Type: Test::A::Thing, Properties: {V: !ImportValue web-o}}}",
			func(in *sdk.CreateStackInput) { in.StackName = aws.String("user") })
		time.Sleep(time.Minute)
		if got := b.stack("user").StackStatus; got != types.StackStatusCreateComplete {
			t.Fatalf("the importing stack is %s", got)
		}
		b.delete()
		st := b.wantStatus(types.StackStatusDeleteFailed)
		if want := "Export web-o cannot be deleted as it is in use by user"; *st.StackStatusReason != want {
			t.Errorf("the reason is %q", *st.StackStatusReason)
		}
	})
}
