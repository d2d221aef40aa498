package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/unique"
	"portolan/local/wire"
)

// bench is a bus with a client, and targets that note what they got.
type bench struct {
	// calls orders what the bus calls and what a test reads: only one goroutine of a
	// bubble runs at a time, which the race detector does not know.
	calls atomic.Int64

	*client.Client
	t      *testing.T
	server *events.Server

	mu     sync.Mutex
	got    []string // target id and input
	dead   []map[string]string
	refuse func(target events.Target, attempt int) error
	tries  map[string]int
}

func (b *bench) deliver(_ context.Context, target events.Target, input []byte) error {
	b.calls.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries[target.ID+string(input)]++
	if b.refuse != nil {
		if err := b.refuse(target, b.tries[target.ID+string(input)]); err != nil {
			return err
		}
	}
	b.got = append(b.got, target.ID+" "+string(input))
	return nil
}

func (b *bench) bury(_ context.Context, _ string, _ []byte, attributes map[string]string) error {
	b.calls.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = append(b.dead, attributes)
	return nil
}

func start(t *testing.T, d *disk.Disk) *bench {
	t.Helper()
	b := &bench{t: t, tries: map[string]int{}}
	server, err := events.New(events.Config{Clock: clock.New(1), Disk: d, IDs: unique.New(1), Account: "111122223333",
		Region: "eu-west-1", Deliver: b.deliver, DeadLetter: b.bury})
	if err != nil {
		t.Fatal(err)
	}
	b.server = server
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{}, nil
	}))
	router.Register("events", server)
	b.Client = client.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: router.Client(),
		BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "x"}, nil
		})})
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) rule(name, pattern string, targets ...types.Target) {
	b.t.Helper()
	_, err := b.PutRule(b.t.Context(), &client.PutRuleInput{Name: &name, EventPattern: &pattern})
	b.must(err)
	_, err = b.PutTargets(b.t.Context(), &client.PutTargetsInput{Rule: &name, Targets: targets})
	b.must(err)
}

func target(id string) types.Target {
	return types.Target{Id: &id, Arn: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:" + id), InputPath: aws.String("$.detail.n")}
}

func (b *bench) emit(source string, n int) {
	b.server.Emit(b.t.Context(), events.Event{Source: source, DetailType: "Test", Detail: map[string]any{"n": n}})
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func TestEachTargetGetsItsEventsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		b.rule("one", `{"source":["a"]}`, target("x"), target("y"))
		b.rule("two", `{"detail":{"n":[{"numeric":[">",97]}]}}`, target("z"))
		for n := range 100 {
			b.emit("a", n)
			b.emit("b", n)
		}
		synctest.Wait()
		last := map[string]int{"x": -1, "y": -1}
		for _, entry := range b.got {
			id, text, _ := strings.Cut(entry, " ")
			var n int
			if _, err := fmt.Sscan(text, &n); err != nil {
				t.Fatal(err)
			}
			if id != "z" && n != last[id]+1 {
				t.Errorf("target %s got %d after %d", id, n, last[id])
			}
			last[id] = n
		}
		if len(b.got) != 204 {
			t.Errorf("%d deliveries, want 100 to each of two targets and 4 to the third", len(b.got))
		}
		if b.server.Pending() != 0 {
			t.Errorf("%d deliveries are still pending", b.server.Pending())
		}
	})
}

func TestAFailingDeliveryIsTriedAgainAndBlocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		b.refuse = func(_ events.Target, attempt int) error {
			if attempt < 4 {
				return errors.New("throttled")
			}
			return nil
		}
		b.rule("one", `{"source":["a"]}`, target("x"))
		b.emit("a", 1)
		synctest.Wait()
		b.refuse = nil
		b.emit("a", 2)
		synctest.Wait()
		if got := strings.Join(b.got, ","); got != "x 2" {
			t.Errorf("right away: %s", got)
		}
		b.calls.Add(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := strings.Join(b.got, ","); got != "x 2,x 1" {
			t.Errorf("after a minute: %s", got)
		}
	})
}

func TestWhatCannotBeDeliveredIsBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		b.refuse = func(target events.Target, _ int) error {
			if target.ID == "gone" {
				return &events.Undeliverable{Code: "NO_RESOURCE", Message: "no such function"}
			}
			return errors.New("throttled")
		}
		queue := &types.DeadLetterConfig{Arn: aws.String("arn:aws:sqs:eu-west-1:111122223333:dead")}
		gone, slow := target("gone"), target("slow")
		gone.DeadLetterConfig, slow.DeadLetterConfig = queue, queue
		slow.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(2)}
		b.rule("one", `{"source":["a"]}`, gone, slow)
		b.emit("a", 1)
		b.calls.Add(1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(b.dead) != 2 || b.dead[0]["ERROR_CODE"] != "NO_RESOURCE" ||
			b.dead[1]["EXHAUSTED_RETRY_CONDITION"] != "MaximumRetryAttempts" || b.dead[1]["RETRY_ATTEMPTS"] != "2" {
			t.Errorf("dead letters: %v", b.dead)
		}
	})
}

func TestPutEventsTakesDocumentedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		whole := target("x")
		whole.InputPath = nil
		b.rule("alarms", `{"source":["aws.cloudwatch"],"detail-type":["CloudWatch Alarm State Change"]}`, whole)
		out, err := b.PutEvents(t.Context(), &client.PutEventsInput{Entries: []types.PutEventsRequestEntry{
			{Source: aws.String("aws.cloudwatch"), DetailType: aws.String("CloudWatch Alarm State Change"), Detail: aws.String(`{"alarmName":"cpu"}`)},
			{Source: aws.String("mine"), DetailType: aws.String("x"), Detail: aws.String(`[1]`)},
			{Source: aws.String("mine"), Detail: aws.String(`{}`)},
		}})
		b.must(err)
		synctest.Wait()
		if out.FailedEntryCount != 2 || *out.Entries[1].ErrorCode != "MalformedDetail" || *out.Entries[2].ErrorCode != "InvalidArgument" {
			t.Errorf("entries: %+v", out.Entries)
		}
		if len(b.got) != 1 {
			t.Fatalf("deliveries: %v", b.got)
		}
		var event map[string]any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(b.got[0], "x ")), &event); err != nil {
			t.Fatal(err)
		}
		if event["version"] != "0" || event["account"] != "111122223333" || event["region"] != "eu-west-1" ||
			event["id"] != *out.Entries[0].EventId || fmt.Sprint(event["resources"]) != "[]" {
			t.Errorf("event: %v", event)
		}
	})
}

func TestReadOnlyCallsNeedARuleOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		b.rule("plain", `{"detail-type":["AWS API Call via CloudTrail"]}`, target("plain"))
		b.rule("all", `{"detail-type":["AWS API Call via CloudTrail"]}`, target("all"))
		_, err := b.PutRule(t.Context(), &client.PutRuleInput{Name: aws.String("all"), State: types.RuleStateEnabledWithAllCloudtrailManagementEvents,
			EventPattern: aws.String(`{"detail-type":["AWS API Call via CloudTrail"]}`)})
		b.must(err)
		b.server.Emit(t.Context(), events.Event{Source: "aws.sts", DetailType: "AWS API Call via CloudTrail",
			Detail: map[string]any{"eventName": "AssumeRole", "n": 1}})
		synctest.Wait()
		if got := strings.Join(b.got, ","); got != "all 1" {
			t.Errorf("deliveries: %s", got)
		}
	})
}

func TestAScheduleTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		_, err := b.PutRule(t.Context(), &client.PutRuleInput{Name: aws.String("sweep"), ScheduleExpression: aws.String("rate(5 minutes)")})
		b.must(err)
		x := target("x")
		x.InputPath = aws.String("$.detail-type")
		_, err = b.PutTargets(t.Context(), &client.PutTargetsInput{Rule: aws.String("sweep"), Targets: []types.Target{x}})
		b.must(err)
		b.calls.Add(1)
		time.Sleep(16 * time.Minute)
		synctest.Wait()
		if got := strings.Join(b.got, ","); got != `x "Scheduled Event",x "Scheduled Event",x "Scheduled Event"` {
			t.Errorf("in sixteen minutes: %s", got)
		}
	})
}

func TestTransformedInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		defer b.server.Close()
		x := target("x")
		x.InputPath = nil
		x.InputTransformer = &types.InputTransformer{InputPathsMap: map[string]string{"n": "$.detail.n", "s": "$.source"},
			InputTemplate: aws.String(`{"count": <n>, "from": <s>, "text": "<s> says so"}`)}
		b.rule("one", `{"source":["a"]}`, x)
		b.emit("a", 7)
		synctest.Wait()
		if got, want := b.got[0], `x {"count": 7, "from": "a", "text": "a says so"}`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestRefusals(t *testing.T) {
	b := start(t, nil)
	defer b.server.Close()
	ctx := t.Context()
	_, err := b.PutRule(ctx, &client.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":"a"}`)})
	if code(err) != "InvalidEventPatternException" {
		t.Errorf("bad pattern: %v", err)
	}
	_, err = b.PutRule(ctx, &client.PutRuleInput{Name: aws.String("r"), ScheduleExpression: aws.String("rate(1 minutes)")})
	if code(err) != "ValidationException" {
		t.Errorf("bad rate: %v", err)
	}
	_, err = b.DescribeRule(ctx, &client.DescribeRuleInput{Name: aws.String("r")})
	if code(err) != "ResourceNotFoundException" {
		t.Errorf("unknown rule: %v", err)
	}
	b.rule("r", `{"source":["a"]}`, target("x"))
	_, err = b.DeleteRule(ctx, &client.DeleteRuleInput{Name: aws.String("r")})
	if code(err) != "ValidationException" {
		t.Errorf("a rule with targets: %v", err)
	}
	_, err = b.RemoveTargets(ctx, &client.RemoveTargetsInput{Rule: aws.String("r"), Ids: []string{"x"}})
	b.must(err)
	_, err = b.DeleteRule(ctx, &client.DeleteRuleInput{Name: aws.String("r")})
	b.must(err)
}

func TestPendingDeliveriesSurviveARestart(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, d)
		b.refuse = func(events.Target, int) error { return errors.New("down") }
		b.rule("one", `{"source":["a"]}`, target("x"))
		b.emit("a", 1)
		synctest.Wait()
		b.server.Close()
		b = start(t, d)
		defer b.server.Close()
		b.calls.Add(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := strings.Join(b.got, ","); got != "x 1" {
			t.Errorf("after the restart: %s", got)
		}
	})
}
