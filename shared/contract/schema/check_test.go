package schema

import (
	"reflect"
	"strings"
	"testing"

	"portolan/shared/fault"
)

// known is the beginning of a cluster that is as it should be.
const known = `"name":"web","team":"shop","orchestrator":"ecs"`

// checked are values with what is wrong with them.
var checked = map[string]struct {
	schema, text string
	want         []fault.Field
}{
	"as it should be": {"ClusterSpec", `{` + known + `,"ecs":{"capacity":"FARGATE"}}`, nil},
	"no object":       {"ClusterSpec", `null`, []fault.Field{{Pointer: "", Detail: "must be an object, not null"}}},
	"missing fields": {"ClusterSpec", `{"name":"web"}`, []fault.Field{
		{Pointer: "/team", Detail: "is missing"},
		{Pointer: "/orchestrator", Detail: "is missing"},
	}},
	"an unknown orchestrator": {"ClusterSpec", `{"name":"web","team":"shop","orchestrator":"nomad"}`, []fault.Field{
		{Pointer: "/orchestrator", Detail: `"nomad" is not one of: ecs, kubernetes, swarm`},
	}},
	"a misspelt field": {"ClusterSpec", `{` + known + `,"nodePool":[]}`, []fault.Field{
		{Pointer: "/nodePool", Detail: `is no known field; "nodePools" is the nearest one`},
	}},
	"the wrong case": {"ClusterSpec", `{` + known + `,"Drift":"report"}`, []fault.Field{
		{Pointer: "/Drift", Detail: `is no known field; "drift" is the nearest one`},
	}},
	"a field from elsewhere": {"NodePoolScale", `{"size":1,"desiredCapacity":4}`, []fault.Field{
		{Pointer: "/desiredCapacity", Detail: `is no known field; there are: size`},
	}},
	"a wrong pattern": {"ClusterSpec", `{"name":"Web_1","team":"shop","orchestrator":"ecs"}`, []fault.Field{
		{Pointer: "/name", Detail: `"Web_1" does not match ^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$; "web" would`},
	}},
	"wrong numbers": {"ServiceSpec",
		`{"image":"a","memory":{"limitMiB":5},"replicas":5001,"cpu":1.5,"ports":[{"containerPort":"80"}]}`,
		[]fault.Field{
			{Pointer: "/memory/limitMiB", Detail: "must be at least 6, not 5"},
			{Pointer: "/replicas", Detail: "must be at most 5000, not 5001"},
			{Pointer: "/cpu", Detail: "must be a whole number without fraction or exponent, not 1.5"},
			{Pointer: "/ports/0/containerPort", Detail: "must be a whole number, not a string"},
		}},
	"a number past 64 bits": {"NodePoolScale", `{"size":99999999999999999999}`, []fault.Field{
		{Pointer: "/size", Detail: "must be at most 1000, not 99999999999999999999"},
	}},
	"an enumeration of numbers": {"Ingress", `{"cidr":"10.0.0.0/8","port":443}`, []fault.Field{
		{Pointer: "/port", Detail: "443 is not one of: 22, 80"},
	}},
	"an empty object": {"Memory", `{}`, []fault.Field{
		{Pointer: "", Detail: "must have at least 1 field, such as limitMiB or reservationMiB"},
	}},
	"lists": {"Network", `{"vpcId":"vpc-0a1b2c3d","subnetIds":["subnet-0a1b2c3d"]}`, []fault.Field{
		{Pointer: "/subnetIds", Detail: "must have at least 2 items, not 1"},
	}},
	"the same twice": {"Network", `{"subnetIds":["subnet-0a1b2c3d","subnet-0a1b2c3d"]}`, []fault.Field{
		{Pointer: "/subnetIds/1", Detail: "is there already: each item is given once"},
	}},
	"entries of a map": {"ServiceSpec", `{"image":"","memory":{"limitMiB":64},"environment":{"a/b":1}}`, []fault.Field{
		{Pointer: "/image", Detail: "must have at least 1 character, not 0"},
		{Pointer: "/environment/a~1b", Detail: "must be a string, not a number"},
	}},
	"a long text": {"HealthCheck", `{"command":["` + strings.Repeat("é", 4097) + `"]}`, []fault.Field{
		{Pointer: "/command/0", Detail: "must have at most 4096 characters, not 4097"},
	}},
}

func TestCheck(t *testing.T) {
	for name, test := range checked {
		t.Run(name, func(t *testing.T) {
			v, err := Read([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			got := Load().Check(&Schema{Ref: test.schema}, v)
			if len(got) == 0 && len(test.want) == 0 {
				return
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

func TestCheckBlamesABoundedNumberOfFields(t *testing.T) {
	v, err := Read([]byte(`{"command":[` + strings.TrimSuffix(strings.Repeat("1,", 64), ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := Load().Check(&Schema{Ref: "HealthCheck"}, v); len(got) != maxFields {
		t.Errorf("%d fields are blamed", len(got))
	}
}

func TestWhatIsQuotedIsBounded(t *testing.T) {
	long := strings.Repeat("x", 5000)
	v, err := Read([]byte(`{"` + long + `":1,"size":"` + long + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range Load().Check(&Schema{Ref: "NodePoolScale"}, v) {
		if len(field.Pointer)+len(field.Detail) > 300 {
			t.Errorf("a field is told in %d bytes", len(field.Pointer)+len(field.Detail))
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"image", "memory", "replicas", "healthCheck"}
	for name, want := range map[string]string{
		"imgae": "image", "mem": "", "Replicas": "replicas", "healthcheck": "healthCheck",
		"health_check": "healthCheck", "zone": "", "": "", strings.Repeat("a", 1000): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("the nearest to %.20q is %q, want %q", name, got, want)
		}
	}
}
