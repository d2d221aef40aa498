package trail

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/store"
)

const (
	assumed = "cloudtrail/assume-role.ecs-tasks.json"
	running = "ecs/task-state-change.json"
)

// assume is the record that ECS assumed a role for the task.
func assume(t *testing.T, role string) json.RawMessage {
	return document(t, assumed, "d190d14a-2404-45d6-9113-4eda22d7f2c7", "c13b4cb4-0f1f-4fe4-a297-1f76ae5a47ad",
		"arn:aws:iam::653711331788:role/level3", role)
}

// state is an event of the task, which runs for the service web.
func state(t *testing.T, version string, changes ...string) json.RawMessage {
	return document(t, running, append([]string{
		"arn:aws:ecs:us-west-2:111122223333:cluster/FargateCluster", clusterARN,
		"family:sample-fargate", "service:web", `"version": 4`, `"version": ` + version,
	}, changes...)...)
}

func TestWhoDidWhatIsKept(t *testing.T) {
	x := newTable(t, contract.Report)
	x.handle(record{"e1", "ecs", "UpdateService", admin, byHand, ""}.event())
	audit := x.audit()
	if len(audit) != 1 {
		t.Fatalf("got %+v", audit)
	}
	a := audit[0]
	if a.Who != admin || a.What != "ecs:UpdateService" || a.SourceIP != "203.0.113.7" || a.UserAgent != "aws-cli/2.31" ||
		a.Region != "eu-central-1" || a.Detail != "cluster=portolan-shop, desiredCount=7, service=web" ||
		!a.Time.Equal(time.Date(2026, 11, 23, 11, 57, 30, 0, time.UTC)) || a.Service != "web" || a.EventID != "e1" {
		t.Errorf("got %+v", a)
	}
	of, _, err := x.store.Audit(t.Context(), contract.Target{Cluster: "shop", Service: "web"}, "2026-11-23", store.Page{Limit: 10})
	if err != nil || len(of) != 1 {
		t.Errorf("of the service: %+v, %v", of, err)
	}
	text, err := json.Marshal(a)
	if err != nil || strings.Contains(string(text), "SECRET") {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestCallsThatConcernNoClusterOfOurs(t *testing.T) {
	x := newTable(t, contract.Repair)
	tests := map[string]json.RawMessage{
		"another cluster": record{"e1", "ecs", "UpdateService", admin, `{"cluster": "default", "service": "web"}`, ""}.event(),
		"another group":   document(t, "cloudtrail/set-desired-capacity.failed.json"),
		"another service": record{"e2", "s3", "CreateBucket", admin, `{"bucketName": "portolan-shop"}`, ""}.event(),
		"no request":      record{"e3", "ecs", "PutAccountSetting", admin, `null`, ""}.event(),
		"odd request":     record{"e4", "ecs", "UpdateService", admin, `"portolan-shop"`, ""}.event(),
		"a task of others": record{"e5", "s3", "CreateBucket",
			"arn:aws:sts::111122223333:assumed-role/level3/00000000000000000000000000000000", `{"bucketName": "b"}`, ""}.event(),
	}
	for name, raw := range tests {
		if got := x.handle(raw); got.Kept || got.Reason != "the call concerns no cluster of ours" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestCallsAreTracedByStackTagAndOperation(t *testing.T) {
	x := newTable(t, contract.Repair)
	o := decide.NewOperation("01KAQ6M3V6Z4YJ9T2R8N5C7XWB", contract.KindReplaceNode, contract.Target{Cluster: "shop"}, "shop", 1, contract.Cause{}, now)
	x.commit(store.CreateOperation(o)...)
	ours := "arn:aws:sts::111122223333:assumed-role/portolan-operation/" + o.ID
	records := []record{
		{"e1", "cloudformation", "UpdateStack", admin, `{"stackName": "portolan-shop-network"}`, ""},
		{"e2", "ec2", "CreateTags", admin, `{"tagSet": {"items": [{"key": "portolan:cluster", "value": "shop"}]}}`, ""},
		{"e3", "ec2", "TerminateInstances", ours, `{"instancesSet": {"items": [{"instanceId": "i-1"}]}}`, ""},
	}
	for _, r := range records {
		if got := x.handle(r.event()); !got.Kept || got.Cluster != "shop" {
			t.Errorf("%s: got %+v", r.name, got)
		}
	}
	if audit := x.audit(); len(audit) != 3 || audit[0].Operation != o.ID || audit[1].Operation != "" {
		t.Errorf("got %+v", audit)
	}
}

func TestATaskLeadsBackToServiceReleaseAndCommit(t *testing.T) {
	x := newTable(t, contract.Repair)
	if got := x.handle(state(t, "4")); !got.Kept || got.Service != "web" || got.Task != task {
		t.Fatalf("got %+v", got)
	}
	want := contract.TaskRole{
		Task: task, Cluster: "shop", Service: "web", Release: 2, Commit: "c0ffee", ImageDigest: digestA,
		Role: taskRole, ExecutionRole: execRole, StartedAt: time.Date(2020, 1, 23, 17, 57, 58, 103e6, time.UTC),
	}
	if got := x.role(); got != want {
		t.Errorf("got %+v", got)
	}
	// A call that the task makes carries it all.
	got := x.handle(record{"e1", "s3", "PutBucketPolicy", ofTask, `{"bucketName": "shop"}`, ""}.event())
	audit := x.audit()
	if !got.Kept || len(audit) != 1 || audit[0].Task == nil || *audit[0].Task != want || audit[0].Service != "web" ||
		audit[0].Detail != "bucketName=shop" {
		t.Errorf("got %+v, %+v", got, audit)
	}
	// So does one that is about a cluster by itself.
	x.handle(record{"e2", "ecs", "RunTask", ofTask, `{"cluster": "portolan-shop"}`, ""}.event())
	if audit := x.audit(); len(audit) != 2 || audit[0].Task == nil || audit[0].Task.Commit != "c0ffee" {
		t.Errorf("got %+v", audit)
	}
}

func TestOnlyANewerVersionOfATaskCounts(t *testing.T) {
	x := newTable(t, contract.Repair)
	stopped := state(t, "6", `"lastStatus": "RUNNING",
    "overrides"`, `"lastStatus": "STOPPED", "stoppedAt": "2020-01-23T18:00:00Z",
    "overrides"`)
	for _, raw := range []json.RawMessage{stopped, state(t, "5"), stopped, state(t, "4.0")} {
		x.handle(raw)
		if got := x.role(); got.StoppedAt.IsZero() || got.Release != 2 {
			t.Fatalf("got %+v", got)
		}
	}
	if got := x.handle(stopped); got.Kept || !strings.Contains(got.Reason, "nothing") {
		t.Errorf("the same again: %+v", got)
	}
	rebuilt := []string{digestA, strings.Replace(digestA, "74b2", "0000", 1)}
	if got := x.handle(state(t, "5", rebuilt...)); got.Kept || !strings.Contains(got.Reason, "before") || x.role().ImageDigest != digestA {
		t.Errorf("an older one that differs: %+v", got)
	}
	calls := x.definitions.calls
	if got := x.handle(state(t, "7", rebuilt...)); !got.Kept || x.role().StoppedAt.IsZero() || x.role().ImageDigest != rebuilt[1] ||
		x.definitions.calls != calls {
		t.Errorf("a newer one that differs: %+v after %d looks", got, x.definitions.calls)
	}
}

func TestOverridesOfRolesWin(t *testing.T) {
	x := newTable(t, contract.Repair)
	x.handle(state(t, "4", `"overrides": {`, `"overrides": {"taskRoleArn": "arn:other", "executionRoleArn": "arn:exec",`))
	if got := x.role(); got.Role != "arn:other" || got.ExecutionRole != "arn:exec" {
		t.Errorf("got %+v", got)
	}
}

func TestTasksThatAreNotOfARelease(t *testing.T) {
	x := newTable(t, contract.Repair)
	gone := state(t, "4", "task-definition/sample-fargate:1", "task-definition/deleted:1")
	if got := x.handle(gone); !got.Kept || x.role().Release != 0 || x.role().Role != "" {
		t.Errorf("got %+v, %+v", got, x.role())
	}
	x = newTable(t, contract.Repair)
	elsewhere := strings.Replace(clusterARN, "1111", "2222", 1)
	for name, raw := range map[string]json.RawMessage{
		"another cluster": document(t, running),
		"another account": json.RawMessage(strings.Replace(string(state(t, "4")), clusterARN, elsewhere, 1)),
	} {
		if got := x.handle(raw); got.Kept || got.Reason != "the task is on no cluster of ours" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	alone := strings.Replace(string(state(t, "4")), "service:web", "family:sample-fargate", 1)
	if got := x.handle(json.RawMessage(alone)); !got.Kept || x.role().Service != "" || x.role().Role != taskRole {
		t.Errorf("a task alone: %+v", x.role())
	}
}

func TestRolesThatECSAssumes(t *testing.T) {
	x := newTable(t, contract.Repair)
	// They come before the task is known, in either order, and twice.
	for _, role := range []string{execRole, taskRole, execRole} {
		if got := x.handle(assume(t, role)); !got.Kept || got.Task != task {
			t.Errorf("got %+v", got)
		}
	}
	if got := x.role(); got.Role != taskRole || got.ExecutionRole != execRole || got.Cluster != "" {
		t.Errorf("got %+v", got)
	}
	// A task of which only the roles are known may be anybody's.
	if got := x.handle(record{"e1", "s3", "CreateBucket", ofTask, `{}`, ""}.event()); got.Kept {
		t.Errorf("got %+v", got)
	}
	x.handle(state(t, "4"))
	if got := x.role(); got.Role != taskRole || got.ExecutionRole != execRole || got.Cluster != "shop" || got.Release != 2 {
		t.Errorf("got %+v", got)
	}
	// What the task's definition says is not changed by a record that comes late.
	if got := x.handle(assume(t, "arn:aws:iam::111122223333:role/another")); got.Kept || x.role().Role != taskRole {
		t.Errorf("got %+v, %+v", got, x.role())
	}
	for name, raw := range map[string]json.RawMessage{
		"no task": document(t, assumed, "d190d14a-2404-45d6-9113-4eda22d7f2c7", "my-session"),
		"failed":  document(t, assumed, `"eventName": "AssumeRole",`, `"eventName": "AssumeRole", "errorCode": "AccessDenied",`),
		"no role": document(t, assumed, `"roleArn"`, `"role"`),
	} {
		if got := x.handle(raw); got.Kept {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestEventsOfOtherDoors(t *testing.T) {
	x := newTable(t, contract.Repair)
	for _, name := range []string{"ec2/rebalance-recommendation.json", "ecr/image-action.push.json"} {
		if got := x.handle(document(t, name)); got.Kept || got.Reason != "unknown kind" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestMalformedEventsAreInvalid(t *testing.T) {
	x := newTable(t, contract.Repair)
	for _, raw := range []json.RawMessage{
		nil, json.RawMessage(`"x"`), document(t, assumed, `"eventID"`, `"id"`),
		json.RawMessage(strings.ReplaceAll(string(state(t, "4")), task, "no-id")),
	} {
		if _, err := x.Handle(t.Context(), raw); !fault.IsInvalid(err) {
			t.Errorf("got %v", err)
		}
	}
}

// TestARoleSessionOfAPodLeadsToItsCommit tells what EKS Pod Identity does: it assumes the
// role, says in the session's tags for which pod, and the pod calls AWS under it.
func TestARoleSessionOfAPodLeadsToItsCommit(t *testing.T) {
	pod := decide.PodIdentity{Pod: "web-6b64ff6ff6-5fbtg"}
	if got := pod.Services(); len(got) != 2 || got[0] != "web" || got[1] != "web-6b64ff6ff6" {
		t.Errorf("pod %s may be of %q", pod.Pod, got)
	}
	session := "eks-portolan-s-web-6b64ff-01234567-89ab-cdef-0123-456789abcdef"
	if _, ok := decide.PodOfSession(session); !ok {
		t.Errorf("%s is no pod's session", session)
	}
	for _, other := range []string{"eks-short", "ada", session + "-and-more", strings.Replace(session, "web", "w b", 1)} {
		if _, ok := decide.PodOfSession(other); ok {
			t.Errorf("%s is a pod's session", other)
		}
	}
	if _, ok := decide.PodIdentityOf(map[string]any{"principalTags": map[string]any{"kubernetes-pod-name": "web"}}); ok {
		t.Error("a session without a cluster is a pod's")
	}
}
