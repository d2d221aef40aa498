package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/contract"
	"portolan/shared/problem"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// with changes a text in one place.
func with(text, old, new string) string {
	if !strings.Contains(text, old) {
		panic(old + " is not in " + text)
	}
	return strings.Replace(text, old, new, 1)
}

// A refusal is a bad request and its whole answer.
type refusalCase struct {
	method, path, body string
	headers            []string
	status             int
	kind               problem.Type
	detail             string   // of the document, when no field is to blame
	fields             []string // "pointer detail" for each field that is
}

const (
	named      = `does not match ^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$; "web" would`
	fargate    = `{"name":"far","team":"shop","orchestrator":"ecs","ecs":{"capacity":"FARGATE"}}`
	clusters   = "/v1/clusters"
	demo       = "/v1/clusters/demo"
	theService = demo + "/services/wildfly"
)

// unreadable requests are refused before anything is looked up.
var unreadable = map[string]refusalCase{
	"nothing there":    {"GET", "/v2/clusters", "", nil, 404, problem.NotFound, "there is nothing at this path; openapi.yaml lists what there is", nil},
	"a trailing slash": {"GET", "/v1/clusters/", "", nil, 404, problem.NotFound, "there is nothing at this path; openapi.yaml lists what there is", nil},
	"a bad escape":     {"GET", "/v1/clusters/%zz", "", nil, 404, problem.NotFound, "there is nothing at this path; openapi.yaml lists what there is", nil},
	"another method":   {"PUT", clusters, "{}", nil, 405, problem.MethodNotAllowed, "PUT is not possible here; there are: GET, POST", nil},
	"another method on one": {"POST", demo, "{}", nil, 405, problem.MethodNotAllowed,
		"POST is not possible here; there are: DELETE, GET, PATCH", nil},
	"a bad name in the path": {"GET", "/v1/clusters/Demo_1", "", nil, 400, problem.Malformed, "", []string{`cluster "Demo_1" ` + named}},
	"an escaped name":        {"GET", "/v1/clusters/a%2Fb", "", nil, 400, problem.Malformed, "", []string{`cluster "a/b" ` + named}},
	"an unknown query": {"GET", clusters + "?limt=3", "", nil, 400, problem.Malformed, "",
		[]string{`limt is no query parameter here; "limit" is the nearest one`}},
	"a query twice":      {"GET", clusters + "?limit=3&limit=4", "", nil, 400, problem.Malformed, "", []string{`limit is given more than once`}},
	"a bad limit":        {"GET", clusters + "?limit=many", "", nil, 400, problem.Malformed, "", []string{`limit must be a whole number, not a string`}},
	"a large limit":      {"GET", clusters + "?limit=101", "", nil, 400, problem.Malformed, "", []string{`limit must be at most 100, not 101`}},
	"a bad query":        {"GET", clusters + "?limit=%zz", "", nil, 400, problem.Malformed, `the query cannot be read: invalid URL escape "%zz"`, nil},
	"a missing query":    {"GET", "/v1/audit", "", nil, 400, problem.Malformed, "", []string{`cluster is missing from the query`}},
	"a day that is none": {"GET", "/v1/audit?cluster=demo&day=2026-02-30", "", nil, 400, problem.Malformed, "", []string{`day is no day of the calendar`}},
	"two targets": {"GET", "/v1/operations?cluster=demo&service=a&policy=b", "", nil, 400, problem.Malformed, "",
		[]string{`policy must be left out beside service: a target is one or the other`}},
	"no key": {"POST", clusters, fargate, []string{"idempotency-key", ""}, 400, problem.Malformed, "",
		[]string{`Idempotency-Key must have at least 1 character, not 0`}},
	"a long key": {"POST", clusters, fargate, []string{"idempotency-key", strings.Repeat("k", 129)}, 400, problem.Malformed, "",
		[]string{`Idempotency-Key must have at most 128 characters, not 129`}},
	"no body":         {"POST", clusters, "", nil, 400, problem.Malformed, "the body is missing: createCluster takes one as JSON", nil},
	"a needless body": {"GET", clusters, "{}", nil, 400, problem.Malformed, "listClusters takes no body", nil},
	"no JSON": {"POST", clusters, "{\n  \"name\": demo\n}", nil, 400, problem.Malformed, "",
		[]string{` is not JSON: invalid character 'd' looking for beginning of value at line 2, column 11 (byte 12)`}},
	"half of it": {"POST", clusters, `{"name":"de`, nil, 400, problem.Malformed, "",
		[]string{` is not JSON: unexpected end of JSON input at line 1, column 12 (byte 11)`}},
	"a field twice": {"POST", clusters, with(fargate, `"team"`, `"name":"far2","team"`), nil, 400, problem.Malformed, "",
		[]string{`/name is given twice, the second time at line 1, column 21 (byte 20)`}},
	"another media type": {"POST", clusters, fargate, []string{"content-type", "text/yaml"}, 415, problem.UnsupportedMediaType,
		`the body's Content-Type must be application/json, not "text/yaml"`, nil},
	"too much": {"POST", clusters, strings.Repeat(" ", maxBody) + fargate, nil, 413, problem.TooLarge,
		"the body must be at most 262144 bytes (256 KiB)", nil},
}

// impossible requests can be read, and ask for what cannot be.
var impossible = map[string]refusalCase{
	"an unknown orchestrator": {"POST", clusters, with(fargate, `"ecs","ecs"`, `"nomad","ecs"`), nil, 422, problem.Invalid, "",
		[]string{`/orchestrator "nomad" is not one of: ecs, kubernetes, swarm`}},
	"no object": {"POST", clusters, `[]`, nil, 422, problem.Invalid, "", []string{` must be an object, not an array`}},
	"missing and unknown fields": {"POST", clusters, `{"name":"far","orchestrator":"ecs","nodepools":[]}`, nil, 422, problem.Invalid, "",
		[]string{`/team is missing`, `/nodepools is no known field; "nodePools" is the nearest one`}},
	"no capacity": {"POST", clusters, with(fargate, `,"ecs":{"capacity":"FARGATE"}`, ""), nil, 422, problem.Invalid, "",
		[]string{`/ecs is missing: a cluster of the orchestrator ecs says its capacity, EC2 or FARGATE`}},
	"nodes on FARGATE": {"POST", clusters, with(onEC2, `"EC2"`, `"FARGATE"`), nil, 422, problem.Invalid, "",
		[]string{`/nodePools must be left out for ecs on FARGATE, which has no nodes`}},
	"no nodes on EC2": {"POST", clusters, with(fargate, `FARGATE`, `EC2`), nil, 422, problem.Invalid, "",
		[]string{`/nodePools must have exactly one node pool for ecs on EC2, not 0`}},
	"two node pools": {"POST", clusters, with(onEC2, `"nodePools":[`,
		`"nodePools":[{"name":"b","instanceType":"m6i.large","size":1},`), nil, 422, problem.Invalid, "",
		[]string{`/nodePools must have exactly one node pool for ecs on EC2, not 2`}},
	"a pool past its maximum": {"POST", clusters, with(onEC2, `"size":2`, `"size":7`), nil, 422, problem.Invalid, "",
		[]string{`/nodePools/0/size must be at most sizeMax, which is 6, not 7`}},
	"a VPC without subnets": {"POST", clusters, with(fargate, `"ecs":{`, `"network":{"vpcId":"vpc-0a1b2c3d","cidr":"10.0.0.0/16"},"ecs":{`),
		nil, 422, problem.Invalid, "", []string{
			`/network/subnetIds is missing: an existing VPC is named together with its subnets`,
			`/network/cidr is for a new VPC only: leave it out, or leave out vpcId and subnetIds`}},
	"subnets without a VPC": {"POST", clusters, with(fargate, `"ecs":{`,
		`"network":{"subnetIds":["subnet-0a1b2c3d","subnet-0a1b2c3e"]},"ecs":{`), nil, 422, problem.Invalid, "",
		[]string{`/network/vpcId is missing: subnets are named together with their VPC`}},
	"a range of no addresses": {"POST", clusters, with(fargate, `"ecs":{`, `"network":{"cidr":"300.0.0.0/16"},"ecs":{`),
		nil, 422, problem.Invalid, "", []string{`/network/cidr "300.0.0.0/16" is no range of IPv4 addresses; 10.0.0.0/16 would be`}},
	"a range with a host": {"POST", clusters, with(fargate, `"ecs":{`, `"network":{"cidr":"10.0.0.1/16"},"ecs":{`),
		nil, 422, problem.Invalid, "", []string{`/network/cidr "10.0.0.1/16" has bits set after the first 16; 10.0.0.0/16 would be right`}},
	"SSH for the world": {"POST", clusters, with(onEC2, `"port":80`, `"port":22`), nil, 422, problem.Invalid, "",
		[]string{`/ecs/allowedIngress/0/openToTheInternet must be true to let 0.0.0.0/0 reach port 22; a narrower cidr is better`}},
	"SSH to no nodes": {"POST", clusters, with(fargate, `"FARGATE"`, `"FARGATE","instanceRole":"x","allowedIngress":[{"cidr":"10.0.0.0/8","port":22}]`),
		nil, 422, problem.Invalid, "", []string{
			`/ecs/instanceRole must be left out for ecs on FARGATE, which has no nodes`,
			`/ecs/allowedIngress/0/port must not be 22 for ecs on FARGATE, which has no nodes`}},
	"two ranges for a port": {"POST", clusters, with(onEC2, `"port":80}`, `"port":80},{"cidr":"10.0.0.0/8","port":80}`), nil, 422, problem.Invalid, "",
		[]string{`/ecs/allowedIngress/1 is a second range for port 80, after /ecs/allowedIngress/0; ecs takes one for each port`}},
	"the name of a network stack": {"POST", clusters, with(fargate, `"far"`, `"demo-network"`), nil, 422, problem.Invalid, "",
		[]string{`/name must not end in -network, as the network stack of another cluster does`}},

	"a pool larger than it may be": {"PUT", demo + "/node-pools/main", `{"size":7}`, nil, 422, problem.Invalid, "",
		[]string{`/size must be at most 6, the pool's sizeMax, not 7`}},
	"what ECS cannot do": {"PUT", theService, with(wildfly, `"shop.example.com"`, `"shop"`), nil, 422, problem.Invalid, "",
		[]string{`/loadBalancer/rules/0/hosts/0 ECS: a host of an Application Load Balancer's rule contains a dot`}},
	"what nothing can do": {"PUT", demo + "/services/all", `{"image":"a","memory":{"limitMiB":64},"mode":"global","replicas":2}`, nil,
		422, problem.Invalid, "", []string{`/replicas must be left out in mode global, which runs one task on each node`}},

	"a policy of nothing": {"PUT", demo + "/policies/high", with(high, `"service":"wildfly",`, ``), nil, 422, problem.Invalid, "",
		[]string{` must have exactly one of service and nodePool, and has neither`}},
	"a policy of both": {"PUT", demo + "/policies/high", with(high, `"service"`, `"nodePool":"main","service"`), nil, 422, problem.Invalid, "",
		[]string{`/nodePool must be left out beside service: exactly one of the two is given`}},
	"a policy that does nothing": {"PUT", demo + "/policies/high", with(high, `"adjustment":2`, `"adjustment":0`), nil, 422, problem.Invalid, "",
		[]string{`/adjustment must not be 0: a number of tasks or nodes to add, or with a minus to take away`}},
	"a policy upside down": {"PUT", demo + "/policies/high", with(high, `"sizeMin":2`, `"sizeMin":7`), nil, 422, problem.Invalid, "",
		[]string{`/sizeMin must be at most sizeMax, which is 6, not 7`}},
	"a policy of an unknown service": {"PUT", demo + "/policies/high", with(high, `wildfly`, `tomcat`), nil, 422, problem.Invalid, "",
		[]string{`/service "tomcat" is no service of cluster demo; put the service first`}},
	"a policy of an unknown pool": {"PUT", demo + "/policies/high", with(high, `"service":"wildfly"`, `"nodePool":"spot"`), nil, 422, problem.Invalid, "",
		[]string{`/nodePool "spot" is no node pool of cluster demo; there is: main`}},
	"no alarm": {"PUT", demo + "/policies/high", with(high, `arn:aws:cloudwatch:eu-central-1:123456789012:alarm:high`, `high`), nil,
		422, problem.Invalid, "", []string{`/alarm "high" does not match ^arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:[0-9]{12}:alarm:.{1,255}$; ` +
			`"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:web-cpu-high" would`}},
	"a binding of nothing": {"PUT", demo + "/bindings/main", `{"service":"wildfly"}`, nil, 422, problem.Invalid, "",
		[]string{` must have exactly one of pipeline and repository, and has neither`}},
	"a binding of both": {"PUT", demo + "/bindings/main", with(shop, `"pipeline"`, `"repository":"shop/web","pipeline"`), nil, 422, problem.Invalid, "",
		[]string{`/repository must be left out beside pipeline: exactly one of the two is given`}},
	"a binding with a tag": {"PUT", demo + "/bindings/main", with(shop, `"pipeline"`, `"tag":"v1","pipeline"`), nil, 422, problem.Invalid, "",
		[]string{`/tag is for a repository only: a pipeline says which image it made`}},
	"a binding of an unknown service": {"PUT", demo + "/bindings/main", with(shop, `wildfly`, `tomcat`), nil, 422, problem.Invalid, "",
		[]string{`/service "tomcat" is no service of cluster demo; put the service first`}},

	"an unknown cluster":   {"GET", clusters + "/none", "", nil, 404, problem.NotFound, "cluster none does not exist", nil},
	"an unknown service":   {"GET", demo + "/services/none", "", nil, 404, problem.NotFound, "service none of cluster demo does not exist", nil},
	"an unknown pool":      {"PUT", demo + "/node-pools/none", `{"size":1}`, nil, 404, problem.NotFound, "node pool none of cluster demo does not exist", nil},
	"an unknown policy":    {"DELETE", demo + "/policies/none", "", nil, 404, problem.NotFound, "policy none of cluster demo does not exist", nil},
	"an unknown binding":   {"DELETE", demo + "/bindings/none", "", nil, 404, problem.NotFound, "binding none of cluster demo does not exist", nil},
	"an unknown operation": {"GET", "/v1/operations/01KAQ6M3V6Z4YJ9T2R8N5C7XWB", "", nil, 404, problem.NotFound, "operation 01KAQ6M3V6Z4YJ9T2R8N5C7XWB does not exist", nil},
	"an unknown task":      {"GET", "/v1/audit/tasks/0b69", "", nil, 404, problem.NotFound, "task 0b69 does not exist", nil},
	"a list of nobody":     {"GET", "/v1/operations?cluster=none", "", nil, 404, problem.NotFound, "cluster none does not exist", nil},
	"a name that is taken": {"POST", clusters, onEC2, nil, 409, problem.Conflict, "cluster demo exists already; choose another name", nil},
	"a page of no list": {"GET", clusters + "?next=e30", "", nil, 422, problem.Invalid, "",
		[]string{"next is not the `next` of a page of this list"}},
	"a page of another list": {"GET", clusters + "?next=" + base64.RawURLEncoding.EncodeToString([]byte(
		`{"GSI1PK":"ALARM#x","GSI1SK":"demo/high","PK":"CLUSTER#demo","SK":"POLICY#high"}`)), "", nil, 422, problem.Invalid, "",
		[]string{"next is not the `next` of a page of this list"}},
}

// TestBadInputHasItsAnswer also sees that a refused request leaves nothing behind.
func TestBadInputHasItsAnswer(t *testing.T) {
	d := open(t)
	client := storetest.Client(t)
	d.Store = store.New(client, "portolan")
	d.ready()
	as[contract.Operation](d.send("PUT", theService, wildfly), http.StatusAccepted)
	before := everything(t, client)
	for _, cases := range []map[string]refusalCase{unreadable, impossible} {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				x := d.send(c.method, c.path, c.body, c.headers...)
				x.t = t
				p := as[contract.Problem](x, c.status)
				if want := "https://portolan.dev/problems/" + string(c.kind); p.Type != want || p.Status != c.status || p.Title == "" {
					t.Errorf("type %s, status %d, title %q", p.Type, p.Status, p.Title)
				}
				var fields []string
				for _, f := range p.Errors {
					fields = append(fields, f.Pointer+" "+f.Detail)
				}
				if !reflect.DeepEqual(fields, c.fields) {
					t.Errorf("got  %q\nwant %q", fields, c.fields)
				}
				if c.detail != "" && p.Detail != c.detail || p.Detail == "" {
					t.Errorf("got  %s\nwant %s", p.Detail, c.detail)
				}
			})
		}
	}
	if after := everything(t, client); after != before {
		t.Errorf("refused requests left something:\n%s\nwas\n%s", after, before)
	}
}

// everything is the whole table as text.
func everything(t *testing.T, client *dynamodb.Client) string {
	t.Helper()
	got, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("portolan")})
	if err != nil {
		t.Fatal(err)
	}
	var items []map[string]any
	if err := attributevalue.UnmarshalListOfMaps(got.Items, &items); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(items)
}

func TestMethodsThatArePossibleAreTold(t *testing.T) {
	if got := open(t).send("PUT", clusters, "{}").Headers["Allow"]; got != "GET, POST" {
		t.Errorf("Allow is %q", got)
	}
}

func TestWithoutIdentity(t *testing.T) {
	d := open(t)
	for name, authorizer := range map[string]*events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		"no authorizer": nil, "no IAM": {}, "no ARN": {IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{}},
	} {
		r := event("GET", clusters, "")
		r.RequestContext.Authorizer = authorizer
		x, err := d.Handle(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			exchange{x, t}.refused(http.StatusForbidden, "the request is not signed by an IAM identity (SigV4, service execute-api)")
		})
	}
}

func TestBodiesInBase64(t *testing.T) {
	d := open(t)
	send := func(body string) exchange {
		r := event("POST", clusters, body)
		r.IsBase64Encoded = true
		x, err := d.Handle(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return exchange{x, t}
	}
	send(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", maxBody)+fargate))).
		refused(http.StatusRequestEntityTooLarge, "the body must be at most 262144 bytes (256 KiB)")
	send("{}").refused(http.StatusBadRequest, "the body is marked as base64 and is not: illegal base64 data at input byte 0")
	as[contract.Operation](send(base64.StdEncoding.EncodeToString([]byte(fargate))), http.StatusAccepted)
	as[contract.Operation](d.send("POST", clusters, strings.Repeat(" ", maxBody-len(onEC2))+onEC2), http.StatusAccepted)
}

func TestStages(t *testing.T) {
	r := event("GET", "/live/v1/clusters", "")
	r.RequestContext.Stage = "live"
	x, err := open(t).Handle(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	as[contract.ClusterPage](exchange{x, t}, http.StatusOK)
}
