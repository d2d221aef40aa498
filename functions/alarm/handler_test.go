package alarm

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

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	metric    = "cloudwatch/alarm-state-change.metric.json"
	metricARN = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:ServerCpuTooHigh"
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

// table is the door with a store of its own.
type table struct {
	*testing.T
	*Handler
	store *store.Store
}

func newTable(t *testing.T) *table {
	s := storetest.Open(t)
	ids := 0
	return &table{t, &Handler{
		Store: s, Now: func() time.Time { return now },
		NewID: func() string { ids++; return fmt.Sprintf("OPERATION%d", ids) },
		Log:   slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}, s}
}

func (x *table) commit(writes ...store.Write) {
	x.Helper()
	if err := x.store.Commit(x.Context(), writes...); err != nil {
		x.Fatal(err)
	}
}

func (x *table) cluster(name string, status contract.ClusterStatus) {
	x.Helper()
	x.commit(store.CreateCluster(model.Cluster{Spec: contract.ClusterSpec{Name: name}, Status: status}))
}

func (x *table) policy(cluster, name, alarm string) {
	x.Helper()
	x.commit(store.PutPolicy(model.Policy{Cluster: cluster, Name: name, Team: "shop",
		Spec: contract.PolicySpec{Alarm: alarm, Service: "web", Adjustment: 2, SizeMin: 1, SizeMax: 6}}))
}

// handle sends an event and returns the reasons of the decisions.
func (x *table) handle(raw json.RawMessage) []string {
	x.Helper()
	out, err := x.Handle(x.Context(), raw)
	if err != nil {
		x.Fatal(err)
	}
	var reasons []string
	for _, d := range out.Decisions {
		reasons = append(reasons, d.Reason)
	}
	return reasons
}

func (x *table) queue(cluster, policy string) []string {
	x.Helper()
	queue, err := x.store.Queue(x.Context(), "policy/"+cluster+"/"+policy)
	if err != nil {
		x.Fatal(err)
	}
	return queue.Operations
}

func (x *table) operation(id string) *model.Operation {
	x.Helper()
	o, err := x.store.Operation(x.Context(), id)
	if err != nil {
		x.Fatal(err)
	}
	return o
}

func TestAnAlarmAsksForAnAutoscaleOperationOnEachPolicy(t *testing.T) {
	x := newTable(t)
	x.cluster("shop", contract.ClusterReady)
	x.policy("shop", "more-web", metricARN)
	x.policy("shop", "more-nodes", metricARN)
	x.policy("shop", "another", metricARN+"2")
	if got := x.handle(document(t, metric)); len(got) != 2 || got[0] != "the alarm is ALARM" || got[1] != got[0] {
		t.Fatalf("got %q", got)
	}
	for _, name := range []string{"more-web", "more-nodes"} {
		queue := x.queue("shop", name)
		if len(queue) != 1 {
			t.Fatalf("%s has %v", name, queue)
		}
		o := x.operation(queue[0])
		if o.Kind != contract.KindAutoscale || o.Team != "shop" || o.Status != contract.OperationPending ||
			o.Target != (contract.Target{Cluster: "shop", Policy: name}) || o.Generation != 1 {
			t.Errorf("%s: got %+v", name, o)
		}
		if c := o.Cause; c.Source != "alarm" || c.Who != metricARN || c.EventId != "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92" ||
			c.What != "the alarm ServerCpuTooHigh went to ALARM" || !strings.HasPrefix(c.Why, "Threshold Crossed") {
			t.Errorf("%s: got cause %+v", name, c)
		}
	}
	if queue := x.queue("shop", "another"); len(queue) != 0 {
		t.Errorf("another alarm's policy got %v", queue)
	}
}

func TestEachFormOfAnAlarm(t *testing.T) {
	tests := map[string]struct {
		arn string
		raw json.RawMessage
	}{
		"event":  {metricARN, document(t, metric)},
		"math":   {"arn:aws:cloudwatch:us-east-1:123456789012:alarm:TotalNetworkTrafficTooHigh", document(t, "cloudwatch/alarm-state-change.metric-math.json")},
		"action": {"arn:aws:cloudwatch:us-east-1:444455556666:alarm:lambda-demo-metric-alarm", document(t, "cloudwatch/alarm-action.lambda.json")},
		"topic":  {"arn:aws:cloudwatch:REGION:ACCOUNT_NUMBER:alarm:EXAMPLE", document(t, "cloudwatch/alarm-action.sns.json")},
		"without reasonData": {metricARN, document(t, metric,
			`\"threshold\":50.0}",
      "timestamp": "2019-10-02T17:04:40.989+0000"`, `\"thres", "timestamp": "2019-10-02T17:04:40.989+0000"`)},
	}
	for name, test := range tests {
		x := newTable(t)
		x.cluster("shop", contract.ClusterReady)
		x.policy("shop", "p", test.arn)
		if got := x.handle(test.raw); len(got) != 1 || len(x.queue("shop", "p")) != 1 {
			t.Errorf("%s: got %q", name, got)
		}
		if got := x.handle(test.raw); len(got) != 1 || got[0] != "the event was handled before" || len(x.queue("shop", "p")) != 1 {
			t.Errorf("%s, the second time: got %q", name, got)
		}
	}
}

func TestEventsThatCameBefore(t *testing.T) {
	x := newTable(t)
	x.cluster("shop", contract.ClusterReady)
	x.policy("shop", "p", metricARN)
	first := document(t, metric)
	later := document(t, metric, "17:04:40.989", "17:34:40.989")
	x.handle(first)
	id := x.queue("shop", "p")[0]

	// The operation that waits takes the later alarm's wish along.
	if got := x.handle(later); got[0] != "the alarm is ALARM" || len(x.queue("shop", "p")) != 1 {
		t.Errorf("got %q, queue %v", got, x.queue("shop", "p"))
	}
	// Once it has started and ended, neither event asks for another one.
	o := x.operation(id)
	o.Status = contract.OperationRunning
	x.commit(store.StartOperation(*o))
	for _, raw := range []json.RawMessage{first, later, first} {
		if got := x.handle(raw); got[0] != "the event was handled before" {
			t.Errorf("got %q", got)
		}
	}
	o.Status = contract.OperationSucceeded
	x.commit(store.EndOperation(*o)...)
	for _, raw := range []json.RawMessage{later, first} {
		if got := x.handle(raw); got[0] != "the event was handled before" || len(x.queue("shop", "p")) != 0 {
			t.Errorf("got %q", got)
		}
	}
	// One that is older than all of these only makes an operation look at the alarm.
	if got := x.handle(document(t, metric, "17:04:40.989", "16:04:40.989")); got[0] != "the alarm is ALARM" {
		t.Errorf("late: got %q", got)
	}
}

func TestACompositeAlarmCanGoFromAlarmToAlarm(t *testing.T) {
	x := newTable(t)
	x.cluster("shop", contract.ClusterReady)
	x.policy("shop", "p", metricARN)
	x.handle(document(t, metric, `"value": "OK"`, `"value": "ALARM"`))
	o := x.operation(x.queue("shop", "p")[0])
	o.Status = contract.OperationRunning
	x.commit(store.StartOperation(*o))
	x.handle(document(t, metric, `"value": "OK"`, `"value": "ALARM"`, "17:04:40.989", "17:05:40.989"))
	if queue := x.queue("shop", "p"); len(queue) != 2 {
		t.Errorf("got %v", queue)
	}
}

func TestEventsThatAskForNothing(t *testing.T) {
	x := newTable(t)
	x.cluster("gone", contract.ClusterRetiring)
	x.policy("gone", "p", metricARN)
	tests := map[string]struct {
		raw  json.RawMessage
		want string
	}{
		"retiring": {document(t, metric), "the cluster is Retiring and takes no changes"},
		"ok":       {document(t, metric, `"value": "ALARM"`, `"value": "OK"`), "the alarm is OK: nothing to do"},
		"no data":  {document(t, metric, `"value": "ALARM"`, `"value": "INSUFFICIENT_DATA"`), "the alarm is INSUFFICIENT_DATA: nothing to do"},
		"unbound":  {document(t, metric, "alarm:ServerCpuTooHigh", "alarm:Another"), "nobody bound: no policy names the alarm"},
		"unknown":  {document(t, "ec2/spot-interruption-warning.json"), "unknown kind"},
		"another":  {document(t, "ecr/image-action.push.json"), "unknown kind"},
	}
	for name, test := range tests {
		if got := x.handle(test.raw); len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if queue := x.queue("gone", "p"); len(queue) != 0 {
		t.Errorf("got %v", queue)
	}
}

// lagging is a store whose index has not seen the latest writes.
type lagging struct {
	Store
	policies []model.Policy
}

func (l lagging) PoliciesOfAlarm(context.Context, string, store.Page) ([]model.Policy, string, error) {
	return l.policies, "", nil
}

func TestTheIndexMayLag(t *testing.T) {
	x := newTable(t)
	x.cluster("shop", contract.ClusterReady)
	x.policy("shop", "moved", metricARN+"2")
	x.Store = lagging{x.store, []model.Policy{{Cluster: "shop", Name: "moved"}, {Cluster: "shop", Name: "deleted"}}}
	want := "the policy no longer names the alarm"
	if got := x.handle(document(t, metric)); len(got) != 2 || got[0] != want || got[1] != want {
		t.Errorf("got %q", got)
	}
}

// racing is a store in which somebody else is faster for a while.
type racing struct {
	Store
	lost int
}

func (r *racing) Commit(ctx context.Context, writes ...store.Write) error {
	if r.lost--; r.lost >= 0 {
		return fault.New(fault.Conflict, "changed meanwhile")
	}
	return r.Store.Commit(ctx, writes...)
}

func TestSomebodyElseIsFaster(t *testing.T) {
	x := newTable(t)
	x.cluster("shop", contract.ClusterReady)
	x.policy("shop", "p", metricARN)
	x.policy("shop", "q", metricARN)
	x.Store = &racing{x.store, 4}
	out, err := x.Handle(t.Context(), document(t, metric))
	if !fault.IsConflict(err) || len(out.Decisions) != 1 || len(x.queue("shop", "q")) != 1 {
		t.Fatalf("got %+v, %v", out, err)
	}
	if got := x.handle(document(t, metric)); len(got) != 2 || len(x.queue("shop", "p")) != 1 || len(x.queue("shop", "q")) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestMalformedEventsAreInvalid(t *testing.T) {
	x := newTable(t)
	for _, raw := range []json.RawMessage{nil, json.RawMessage(`{}`), document(t, metric, `"value": "ALARM"`, `"value": 1`)} {
		if _, err := x.Handle(t.Context(), raw); !fault.IsInvalid(err) {
			t.Errorf("%s: got %v", raw, err)
		}
	}
}
