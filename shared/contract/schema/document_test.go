package schema

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"portolan/shared/contract/schema/compact"
)

const openapi = "../../../openapi.yaml"

func TestGeneratedFilesAreCurrent(t *testing.T) {
	document, err := os.ReadFile(openapi)
	if err != nil {
		t.Fatal(err)
	}
	types, err := os.ReadFile("../contract.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("sums.gen.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x  openapi.yaml\n%x  shared/contract/contract.gen.go\n",
		sha256.Sum256(document), sha256.Sum256(types))
	text, err := compact.Of(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(sums) != want || !bytes.Equal(text, compacted) {
		t.Error("openapi.yaml or what is made from it was changed; run go generate ./shared/contract")
	}
}

func TestTheDocumentIsOpenAPI(t *testing.T) {
	document := load(t)
	if !strings.HasPrefix(document.OpenAPI, "3.0.") {
		t.Errorf("API Gateway imports OpenAPI 3.0, not %s", document.OpenAPI)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

func load(t *testing.T) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromFile(openapi)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestOperationsAreTheDocuments(t *testing.T) {
	var got, want []string
	for _, o := range Load().Operations {
		var parameters []string
		for _, p := range o.Parameters {
			parameters = append(parameters, fmt.Sprint(p.In, " ", p.Name, " ", p.Required))
		}
		slices.Sort(parameters)
		got = append(got, fmt.Sprint(o.ID, o.Method, o.Path, parameters, o.Body != nil))
	}
	for path, item := range load(t).Paths.Map() {
		for method, o := range item.Operations() {
			var parameters []string
			for _, p := range append(slices.Clone(item.Parameters), o.Parameters...) {
				parameters = append(parameters, fmt.Sprint(p.Value.In, " ", p.Value.Name, " ", p.Value.Required))
			}
			slices.Sort(parameters)
			want = append(want, fmt.Sprint(o.OperationID, method, path, parameters, o.RequestBody != nil))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// examples are bodies that are as the document says, with every field.
var examples = map[string]string{
	"ClusterSpec": `{"name":"web","team":"shop","orchestrator":"ecs","drift":"report",
		"network":{"vpcId":"vpc-0a1b2c3d","subnetIds":["subnet-0a1b2c3d","subnet-0a1b2c3e"],"cidr":"10.0.0.0/16"},
		"nodePools":[{"name":"main","instanceType":"m6i.large","size":2,"sizeMax":4,"keyPair":"ops","rootVolumeGiB":40,"spot":true}],
		"ecs":{"capacity":"EC2","instanceRole":"webNodes","allowedIngress":[
			{"cidr":"0.0.0.0/0","port":80},{"cidr":"10.0.0.0/8","port":22,"openToTheInternet":false}]},
		"adopted":{"credentials":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:portolan/shop/a","verbs":["run"]},
		"kubernetes":{"version":"1.34","endpointAccess":"public","publicAccessCidrs":["10.0.0.0/8"],"openToTheInternet":true,
			"namespace":"shop","context":"admin@prod","eksCluster":"prod"}}`,
	"ClusterChange":  `{"drift":"repair","verbs":["deploy","scale"]}`,
	"ClusterVersion": `{"version":"1.35"}`,
	"NodeChange":     `{"drained":true}`,
	"NodePoolScale":  `{"size":3}`,
	"ServiceSpec": `{"container":"webapp","image":"registry.example.com/shop/web:1.4","command":["run","-v"],
		"environment":{"LANG":"C"},"secrets":{"KEY":"arn:aws:ssm:eu-central-1:123456789012:parameter/key"},
		"cpu":256,"memory":{"limitMiB":1024,"reservationMiB":512},
		"ports":[{"containerPort":8080,"hostPort":80,"protocol":"tcp"}],"mode":"replicated","replicas":2,
		"role":"arn:aws:iam::123456789012:role/shop",
		"healthCheck":{"command":["true"],"intervalSeconds":10,"timeoutSeconds":5,"retries":2,"startPeriodSeconds":0},
		"loadBalancer":{"containerPort":8080,"healthCheckPath":"/health","rules":[{"hosts":["a.example"],"paths":["/x"]}]},
		"volumes":[{"name":"data","containerPath":"/data","fileSystemId":"fs-0a1b2c3d","readOnly":true,
			"sizeGiB":8,"storageClass":"gp3"}],
		"placement":{"constraints":[{"attribute":"zone","operator":"in","values":["a","b"]}],"spread":["zone","node"]},
		"rollout":{"healthyPercentMin":0,"healthyPercentMax":150,"deadlineSeconds":600},
		"logging":{"driver":"none"},"ecs":{"networkMode":"bridge","executionRole":"arn:aws:iam::123456789012:role/x"},
		"kubernetes":{"namespace":"shop","serviceAccount":"web","ingressClass":"alb","forceConflicts":true,
			"secretKeys":{"KEY":{"secret":"db","key":"password"}},"tolerations":[{"key":"a","value":"b","effect":"NoSchedule"}]}}`,
	"JobSpec": `{"container":"migrate","image":"registry.example.com/shop/migrate:1.4","command":["up"],"environment":{"LANG":"C"},
		"secrets":{"KEY":"arn:aws:ssm:eu-central-1:123456789012:parameter/key"},"cpu":256,"memory":{"limitMiB":1024,"reservationMiB":512},
		"role":"arn:aws:iam::123456789012:role/shop","placement":{"constraints":[{"attribute":"zone","operator":"in","values":["a"]}]},
		"logging":{"driver":"none"},"retries":2,"deadlineSeconds":600,"ecs":{"networkMode":"bridge"},"kubernetes":{"namespace":"shop"}}`,
	"PolicySpec": `{"alarm":"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:high","service":"web","nodePool":"main",
		"adjustment":-2,"sizeMin":2,"sizeMax":6,"cooldownSeconds":60}`,
	"BindingSpec": `{"service":"web","pipeline":"shop-web","imageVariable":"IMAGE_URI","repository":"shop/web","tag":"latest"}`,
}

// TestCheckAgreesWithTheDocument changes good bodies in small ways, and compares
// with what kin-openapi makes of openapi.yaml itself.
func TestCheckAgreesWithTheDocument(t *testing.T) {
	document := load(t)
	for _, o := range Load().Operations {
		if o.Body == nil {
			continue
		}
		random := rand.New(rand.NewPCG(1, 2)) // its own, so that no other operation changes what it proves
		name := o.Body.Ref
		oracle := document.Components.Schemas[name].Value
		var good any
		if err := json.Unmarshal([]byte(examples[name]), &good); err != nil {
			t.Fatalf("%s has no example: %v", name, err)
		}
		accepted, refused := 0, 0
		for i := range 1500 {
			body := good
			if i > 0 {
				body = mutate(random, good)
			}
			text, _ := json.Marshal(body)
			v, err := Read(text)
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := Load().Check(o.Body, v), oracle.VisitJSON(body)
			if (len(ours) == 0) != (theirs == nil) {
				t.Fatalf("%s\nours:  %v\ntheirs: %v", text, ours, theirs)
			}
			if theirs == nil {
				accepted++
			} else {
				refused++
			}
		}
		if accepted < 10 || refused < 100 {
			t.Errorf("%s: %d accepted and %d refused prove little", name, accepted, refused)
		}
	}
}

// strange are values that are right in few places. Fractions that are whole, such
// as 2.0, are not among them: they are refused here because encoding/json does,
// and are integers to JSON Schema.
var strange = []any{
	nil, true, false, "", "x", "web", "A b", "/y", "é", strings.Repeat("a", 33), strings.Repeat("z", 5000),
	-1.0, 0.0, 1.0, 2.0, 22.0, 80.0, 1000.0, 1001.0, 1.5, 65536.0, 1e7, []any{}, []any{"zone"},
	[]any{"zone", "zone"}, []any{1.0}, map[string]any{}, map[string]any{"x": "y"}, map[string]any{"size": 1.0},
	"ecs", "10.0.0.0/33", "tcp", "host",
}

// mutate returns a copy with one or two places changed.
func mutate(random *rand.Rand, good any) any {
	body := copied(good)
	for range 1 + random.IntN(2) {
		body = change(random, body)
	}
	return body
}

func copied(v any) any {
	text, _ := json.Marshal(v)
	var out any
	_ = json.Unmarshal(text, &out)
	return out
}

// change goes down to a random place, and changes it there.
func change(random *rand.Rand, v any) any {
	switch t := v.(type) {
	case map[string]any:
		return changeObject(random, t)
	case []any:
		if len(t) == 0 || random.IntN(4) == 0 {
			return append(t, copied(strange[random.IntN(len(strange))]))
		}
		i := random.IntN(len(t))
		switch random.IntN(4) {
		case 0:
			return slices.Delete(t, i, i+1)
		case 1:
			return append(t, copied(t[i]))
		}
		t[i] = change(random, t[i])
		return t
	}
	return copied(strange[random.IntN(len(strange))])
}

func changeObject(random *rand.Rand, o map[string]any) any {
	names := slices.Sorted(maps.Keys(o))
	switch n := random.IntN(8); {
	case n == 0 || len(names) == 0:
		o["other"] = copied(strange[random.IntN(len(strange))])
	case n <= 2:
		delete(o, names[random.IntN(len(names))])
	case n == 3:
		return copied(strange[random.IntN(len(strange))])
	default:
		name := names[random.IntN(len(names))]
		o[name] = change(random, o[name])
	}
	return o
}

func TestExamplesFitTheirPatterns(t *testing.T) {
	d := Load()
	walked := 0
	var walk func(s *Schema)
	walk = func(s *Schema) {
		if s == nil || s.Ref != "" {
			return
		}
		if s.Pattern != "" {
			walked++
			if s.Example == nil || !d.matches(s.Pattern, fmt.Sprint(s.Example)) {
				t.Errorf("%s has the example %v", s.Pattern, s.Example)
			}
		}
		walk(s.Items)
		for _, property := range s.Properties {
			walk(property)
		}
		if s.AdditionalProperties != nil {
			walk(s.AdditionalProperties.Schema)
		}
	}
	for _, s := range d.Schemas {
		walk(s)
	}
	for i := range d.Operations {
		for j := range d.Operations[i].Parameters {
			walk(&d.Operations[i].Parameters[j].Schema)
		}
	}
	if walked < 10 {
		t.Errorf("only %d patterns were found", walked)
	}
}

func TestKeywordsAreKnown(t *testing.T) {
	_, err := compact.Of([]byte(`
paths:
  /x:
    put:
      operationId: putX
      requestBody: {content: {application/json: {schema: {type: object, oneOf: []}}}}
`))
	if err == nil || err.Error() != "requests cannot be checked by the keyword oneOf" {
		t.Errorf("a keyword that is not checked passes: %v", err)
	}
}
