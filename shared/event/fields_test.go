package event

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func number(v float64) *float64 { return &v }

func TestAlarmsOfEachForm(t *testing.T) {
	tests := map[string]Alarm{
		"alarm-state-change.metric.json": {
			EventID: "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
			ARN:     "arn:aws:cloudwatch:us-east-1:123456789012:alarm:ServerCpuTooHigh", Name: "ServerCpuTooHigh",
			State: "ALARM", PreviousState: "OK", At: at("2019-10-02T17:04:40.989Z"),
			Datapoints: []float64{99.50160229693434}, Threshold: number(50),
		},
		"alarm-state-change.metric-math.json": {
			EventID: "2dde0eb1-528b-d2d5-9ca6-6d590caf2329",
			ARN:     "arn:aws:cloudwatch:us-east-1:123456789012:alarm:TotalNetworkTrafficTooHigh",
			Name:    "TotalNetworkTrafficTooHigh", State: "ALARM", PreviousState: "INSUFFICIENT_DATA",
			At: at("2019-10-02T17:20:48.554Z"), Datapoints: []float64{45628}, Threshold: number(10000),
		},
		"alarm-action.lambda.json": {
			ARN:  "arn:aws:cloudwatch:us-east-1:444455556666:alarm:lambda-demo-metric-alarm",
			Name: "lambda-demo-metric-alarm", State: "ALARM", PreviousState: "INSUFFICIENT_DATA",
			At: at("2023-08-04T12:36:15.49Z"),
		},
		"alarm-action.sns.json": {
			EventID: "95df01b4-ee98-5cb9-9903-4c221d41eb5e", ARN: "arn:aws:cloudwatch:REGION:ACCOUNT_NUMBER:alarm:EXAMPLE",
			Name: "EXAMPLE", State: "ALARM", PreviousState: "INSUFFICIENT_DATA", At: at("2015-06-03T17:43:27.123Z"),
		},
	}
	for name, want := range tests {
		got := decoded[Alarms](t, document(t, "cloudwatch/"+name))
		if len(got) != 1 || got[0].Reason == "" {
			t.Errorf("%s: got %+v", name, got)
			continue
		}
		got[0].Reason = ""
		if !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s: got %+v", name, got[0])
		}
	}
}

// The reasons are those of kinds of alarms that no document here is of.
func TestWhatAnAlarmsReasonDataSays(t *testing.T) {
	tests := []struct {
		name, data string
		datapoints []float64
		threshold  *float64
		triggering []string
	}{
		{"absent", ``, nil, nil, nil},
		{"composite", `{"triggeringAlarms":[{"arn":"arn:aws:cloudwatch:us-east-1:1:alarm:A","state":{"value":"ALARM","timestamp":"2019-10-02T17:04:40.989+0000"}}]}`,
			nil, nil, []string{"arn:aws:cloudwatch:us-east-1:1:alarm:A"}},
		{"anomaly", `{"recentDatapoints":[1.5],"recentLowerThresholds":[0.5],"recentUpperThresholds":[1.0]}`, []float64{1.5}, nil, nil},
		{"gaps", `{"recentDatapoints":[null,2.0],"threshold":1.0}`, []float64{2}, number(1), nil},
		{"no JSON", `Threshold Crossed`, nil, nil, nil},
		{"another shape", `{"recentDatapoints":"many"}`, nil, nil, nil},
	}
	for _, test := range tests {
		raw := fmt.Sprintf(`{"id": "1", "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change",
			"time": "2019-10-02T17:04:40Z", "resources": ["arn:aws:cloudwatch:us-east-1:1:alarm:A b"],
			"detail": {"state": {"value": "OK", "timestamp": "2019-10-02T17:04:40.989+0000", "reasonData": %q}}}`, test.data)
		got := decoded[Alarms](t, []byte(raw))[0]
		if !reflect.DeepEqual(got.Datapoints, test.datapoints) || !reflect.DeepEqual(got.Threshold, test.threshold) ||
			!reflect.DeepEqual(got.Triggering, test.triggering) || got.Name != "A b" {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestTextsAreBounded(t *testing.T) {
	long := strings.Repeat("é", 5000)
	raw := strings.ReplaceAll(string(document(t, "cloudwatch/alarm-state-change.metric.json")), "Threshold Crossed", long)
	if got := decoded[Alarms](t, []byte(raw))[0]; len(got.Reason) > 1023 {
		t.Errorf("got %d bytes", len(got.Reason))
	}
	raw = strings.ReplaceAll(string(document(t, "cloudtrail/assume-role.ecs-tasks.json")), "sts.amazonaws.com", long+".amazonaws.com")
	if got := decoded[Call](t, []byte(raw)); len(got.Service) > 64 {
		t.Errorf("got %d bytes", len(got.Service))
	}
}

func TestPipelines(t *testing.T) {
	e := decoded[PipelineExecution](t, document(t, "codepipeline/pipeline-execution.started.json"))
	if e.Pipeline != "myPipeline" || e.Execution != "12345678-1234-5678-abcd-12345678abcd" || e.State != "STARTED" ||
		e.Version != "1" || e.Trigger != "StartPipelineExecution" || e.Region != "us-east-1" || e.Account != "123456789012" {
		t.Errorf("got %+v", e)
	}
	text := strings.Replace(string(document(t, "codepipeline/pipeline-execution.succeeded.json")), `"version": 3`, `"version": "3"`, 1)
	if e := decoded[PipelineExecution](t, []byte(text)); e.Version != "3" {
		t.Errorf("got %+v", e)
	}
	a := decoded[PipelineAction](t, document(t, "codepipeline/action-execution.failed.json"))
	if a.Stage != "Deploy" || a.Action != "Deploy" || a.State != "FAILED" || a.Provider != "CodeDeploy" ||
		a.Category != "Deploy" || a.ErrorCode != "JobFailed" || a.Summary != "Deployment <ID> failed" || a.Version != "4" {
		t.Errorf("got %+v", a)
	}
}

func TestCallsHaveNoCredentials(t *testing.T) {
	c := decoded[Call](t, document(t, "cloudtrail/set-desired-capacity.failed.json"))
	if c.Service != "autoscaling" || c.Name != "SetDesiredCapacity" || c.Error != "ValidationException" ||
		c.Who != "arn:aws:sts::111122223333:assumed-role/ecsEventsRole/sess" || c.Role != "ecsEventsRole" || c.Session != "sess" ||
		c.EventID != "99a3097c-96ce-43dd-8c97-1aa0985c701b" || c.Request["desiredCapacity"] != 1.0 {
		t.Errorf("got %+v", c)
	}
	a := decoded[Call](t, document(t, "cloudtrail/assume-role.ecs-tasks.json"))
	if a.Who != "ecs-tasks.amazonaws.com" || a.InvokedBy != a.Who || a.Session != "" || len(a.Resources) != 1 ||
		a.Request["roleSessionName"] != "d190d14a-2404-45d6-9113-4eda22d7f2c7" {
		t.Errorf("got %+v", a)
	}
	for _, secret := range []string{"ASIAZQNB3KHGNXWXBSJS", "(redacted)", "ASIA.."} {
		if strings.Contains(fmt.Sprintf("%+v %+v", a, c), secret) {
			t.Errorf("%s was kept", secret)
		}
	}
}

func TestECS(t *testing.T) {
	s := decoded[TaskState](t, document(t, "ecs/task-state-change.json"))
	if s.Task != "c13b4cb40f1f4fe4a2971f76ae5a47ad" || s.Cluster != "FargateCluster" || s.Service != "" || s.Version != 4 ||
		s.LastStatus != "RUNNING" || s.StartedAt != at("2020-01-23T17:57:58.103Z") || !s.StoppedAt.IsZero() || len(s.Containers) != 1 {
		t.Errorf("got %+v", s)
	}
	text := strings.Replace(string(document(t, "ecs/task-state-change.json")), "family:sample-fargate", "service:web", 1)
	if s := decoded[TaskState](t, []byte(text)); s.Service != "web" {
		t.Errorf("got %+v", s)
	}
	// ARNs in the old form have no cluster.
	text = strings.Replace(string(document(t, "ecs/service-action.steady-state.json")), "service/default/servicetest", "service/servicetest", 1)
	if a := decoded[ServiceAction](t, []byte(text)); a.Cluster != "default" || a.Service != "servicetest" || a.Name != "SERVICE_STEADY_STATE" {
		t.Errorf("got %+v", a)
	}
	text = strings.Replace(string(document(t, "ecs/task-state-change.json")), "task/FargateCluster/", "task/", 1)
	if s := decoded[TaskState](t, []byte(text)); s.Task != "c13b4cb40f1f4fe4a2971f76ae5a47ad" || s.Cluster != "FargateCluster" {
		t.Errorf("got %+v", s)
	}
}

func TestStacks(t *testing.T) {
	for status, final := range map[string]bool{
		"CREATE_COMPLETE": true, "ROLLBACK_COMPLETE": true, "DELETE_FAILED": true, "UPDATE_ROLLBACK_FAILED": true,
		"CREATE_IN_PROGRESS": false, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": false, "REVIEW_IN_PROGRESS": false,
	} {
		text := strings.Replace(string(document(t, "cloudformation/stack-status-change.json")), "CREATE_COMPLETE", status, 1)
		if s := decoded[StackStatus](t, []byte(text)); s.Stack != "teststack" || s.Status != status || s.Final() != final {
			t.Errorf("got %+v", s)
		}
	}
}
