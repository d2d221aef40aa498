package decide

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func request(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSubjectOf(t *testing.T) {
	const arn = "arn:aws:ecs:eu-central-1:111122223333:"
	tests := []struct {
		name, request string
		resources     []string
		clusters      string
		service       string
	}{
		{"service by names", `{"cluster":"portolan-shop","service":"web","desiredCount":5}`, nil, "shop portolan-shop", "web"},
		{"service by ARNs", `{"cluster":"` + arn + `cluster/shop","service":"` + arn + `service/shop/web"}`, nil, "shop", "web"},
		{"service in the old form", `{"cluster":"shop","service":"` + arn + `service/web"}`, nil, "shop", "web"},
		{"service by its ARN alone", `{"service":"` + arn + `service/shop/web"}`, nil, "shop", "web"},
		{"several services", `{"cluster":"shop","services":["web"]}`, nil, "shop", "web"},
		{"task", `{"task":"` + arn + `task/shop/0123"}`, nil, "shop", ""},
		{"group", `{"autoScalingGroupName":"portolan-shop-east-AutoScalingGroup-1AB","desiredCapacity":1}`, nil, "shop-east shop", ""},
		{"stack", `{"stackName":"portolan-shop"}`, nil, "shop", ""},
		{"network stack", `{"stackName":"portolan-shop-network"}`, nil, "shop", ""},
		{"stack by ARN", `{"stackName":"arn:aws:cloudformation:eu-central-1:111122223333:stack/portolan-shop/12-34"}`, nil, "shop", ""},
		{"tags", `{"resourceIdSet":{"items":[{"key":"portolan:cluster","value":"shop"}]}}`, nil, "shop", ""},
		{"tags in upper case", `{"Tags":[{"Key":"portolan:cluster","Value":"shop"},{"Key":"portolan:service","Value":"web"}]}`, nil, "shop", "web"},
		{"tag before name", `{"a":"portolan-other","tags":[{"key":"portolan:cluster","value":"shop"}]}`, nil, "shop other", ""},
		{"family", `{"family":"portolan-shop-east_web"}`, nil, "shop-east", "web"},
		{"definition", `{"taskDefinition":"` + arn + `task-definition/portolan-shop_web:3"}`, nil, "shop", "web"},
		{"target group", `{"targetGroupArn":"arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/portolan-shop/6d"}`, nil, "shop", ""},
		{"resource", `{}`, []string{arn + "service/shop/web"}, "shop", "web"},
		{"nothing of ours", `{"autoScalingGroupName":"mambo-ecs-cluster","desiredCapacity":1}`, nil, "", ""},
		{"no request", `null`, nil, "", ""},
	}
	for _, test := range tests {
		got := SubjectOf(request(t, test.request), test.resources)
		if strings.Join(got.Clusters, " ") != test.clusters || got.Service != test.service {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestALargeRequestIsLookedAtInPart(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100) + `{"cluster":"deep"}` + strings.Repeat(`}`, 100)
	if got := SubjectOf(request(t, deep), nil); got.Clusters != nil {
		t.Errorf("got %+v", got)
	}
	for _, names := range []string{strings.Repeat("-x", 25), strings.Repeat("-x", 1000)} {
		got := SubjectOf(map[string]any{"stackName": "portolan-shop" + names, "service": names}, nil)
		if len(got.Clusters) != auditCandidatesMax || len(got.Service) > auditNameMax {
			t.Errorf("got %+v", got)
		}
	}
	if got := SubjectOf(map[string]any{"cluster": strings.Repeat("x", 3000)}, nil); got.Clusters != nil {
		t.Errorf("got %+v", got)
	}
}

func TestRequestDetailLeavesOutWhatCanBeSecret(t *testing.T) {
	got := RequestDetail(request(t, `{"service":"web","desiredCount":2.0,"forceNewDeployment":true,
		"environment":[{"name":"PASSWORD","value":"secret"}],"password":"secret","cluster":{"odd":1}}`))
	if got != "desiredCount=2, forceNewDeployment=true, service=web" {
		t.Errorf("got %q", got)
	}
	long := map[string]any{}
	for name := range shown {
		long[name] = strings.Repeat("é", 300)
	}
	if got := RequestDetail(long); len(got) > auditDetailMax+10 || !strings.HasSuffix(got, "…") {
		t.Errorf("got %d bytes: %s", len(got), got)
	}
}

func TestSessions(t *testing.T) {
	for session, want := range map[string]string{
		"d190d14a-2404-45d6-9113-4eda22d7f2c7": "d190d14a240445d691134eda22d7f2c7",
		"c13b4cb40f1f4fe4a2971f76ae5a47ad":     "c13b4cb40f1f4fe4a2971f76ae5a47ad",
		"C13B4CB40F1F4FE4A2971F76AE5A47AD":     "",
		"my-user":                              "",
		"":                                     "",
	} {
		if got, ok := TaskOfSession(session); ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v", session, got, ok)
		}
	}
	for session, want := range map[string]bool{
		"01KAQ6M3V6Z4YJ9T2R8N5C7XWB": true, "81KAQ6M3V6Z4YJ9T2R8N5C7XWB": false,
		"01KAQ6M3V6Z4YJ9T2R8N5C7XWU": false, "01kaq6m3v6z4yj9t2r8n5c7xwb": false, "": false,
	} {
		if id, ok := OperationOfSession(session); ok != want || ok && id != session {
			t.Errorf("%q: got %q, %v", session, id, ok)
		}
	}
}

func TestSuspect(t *testing.T) {
	for call, want := range map[[2]string]Look{
		{"ecs", "UpdateService"}: LookAtService, {"autoscaling", "SetDesiredCapacity"}: LookAtNodes,
		{"ecs", "RunTask"}: LookAtNothing, {"s3", "UpdateService"}: LookAtNothing,
	} {
		if got := Suspect(call[0], call[1]); got != want {
			t.Errorf("%v: got %v", call, got)
		}
	}
}

func FuzzSubjectOf(f *testing.F) {
	f.Add(`{"cluster":"portolan-shop","services":["arn:aws:ecs:eu-central-1:111122223333:service/shop/web"]}`)
	f.Add(`{"Tags":[{"Key":"portolan:cluster","Value":"shop"}],"stackName":"portolan-a-b-network"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var in map[string]any
		if json.Unmarshal([]byte(text), &in) != nil {
			return
		}
		got := SubjectOf(in, []string{text})
		if len(got.Clusters) > auditCandidatesMax || len(RequestDetail(in)) > auditDetailMax+10 {
			t.Errorf("got %+v", got)
		}
		if again := SubjectOf(in, []string{text}); !reflect.DeepEqual(got, again) {
			t.Errorf("got %+v, then %+v", got, again)
		}
	})
}
