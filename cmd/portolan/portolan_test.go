package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/oklog/ulid/v2"

	"portolan/functions/api"
	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// A machine has an API to call and a command line.
type machine struct {
	t     *testing.T
	store *store.Store
	url   string
	in    string
	seen  func(*http.Request) // looks at each request
}

func open(t *testing.T) *machine {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "eu-central-1")
	m := &machine{t: t, store: storetest.Open(t), seen: func(*http.Request) {}}
	handler := &api.Handler{
		Store: m.store, Checks: api.Checks(), JobChecks: api.JobChecks(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: time.Now, NewID: func() string { return ulid.Make().String() },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.seen(r)
		answer, err := handler.Handle(r.Context(), eventOf(t, r))
		if err != nil {
			t.Error(err)
		}
		for name, value := range answer.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.WriteString(w, answer.Body)
	}))
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

var signature = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKIATEST/\d{8}/eu-central-1/execute-api/aws4_request, `)

// eventOf is what API Gateway makes of a request whose signature it checked.
func eventOf(t *testing.T, r *http.Request) events.APIGatewayV2HTTPRequest {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	if !signature.MatchString(r.Header.Get("Authorization")) {
		t.Errorf("Authorization is %q", r.Header.Get("Authorization"))
	}
	event := events.APIGatewayV2HTTPRequest{
		RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery, Headers: map[string]string{}, Body: string(body),
	}
	for name := range r.Header {
		event.Headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	event.RequestContext.HTTP.Method = r.Method
	event.RequestContext.RequestID = "request-1"
	event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: "arn:aws:iam::123456789012:user/jo"},
	}
	return event
}

// run types a command line, and returns what it said and its exit code.
func (m *machine) run(args ...string) (out, err string, code int) {
	m.t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{in: strings.NewReader(m.in), out: &stdout, err: &stderr, poll: time.Millisecond}
	code = run(m.t.Context(), a, append([]string{"--api", m.url}, args...))
	return stdout.String(), stderr.String(), code
}

// does is run for a command line that has to end well.
func (m *machine) does(args ...string) string {
	m.t.Helper()
	out, err, code := m.run(args...)
	if code != 0 {
		m.t.Fatalf("%v: exit code %d: %s", args, code, err)
	}
	return out
}

var create = []string{"cluster", "create", "demo", "--team", "shop", "--capacity", "EC2",
	"--instance-type", "m6i.large", "--nodes", "2", "--nodes-max", "6", "--allow", "0.0.0.0/0:80"}

// ready makes the cluster demo.
func (m *machine) ready() {
	m.t.Helper()
	var o contract.Operation
	if err := json.Unmarshal([]byte(m.does(append(create, "-o", "json")...)), &o); err != nil {
		m.t.Fatal(err)
	}
	m.end(o.Id, contract.OperationSucceeded, "", nil)
}

// end ends an operation on the cluster demo as its state machine would.
func (m *machine) end(id string, status contract.OperationStatus, reason string, left []string) {
	ctx := m.t.Context()
	o, err := m.store.Operation(ctx, id)
	if err != nil {
		m.t.Fatal(err)
	}
	writes := store.EndOperation(decide.End(*o, status, reason, left, time.Now()))
	if c, err := m.store.Cluster(ctx, "demo"); err == nil {
		c.Status = contract.ClusterReady
		writes = append(writes, store.UpdateCluster(*c))
	}
	if err := m.store.Commit(ctx, writes...); err != nil {
		m.t.Fatal(err)
	}
}

func TestStory(t *testing.T) {
	m := open(t)
	m.ready()
	for _, each := range []struct {
		line string
		want string
	}{
		{"cluster list", `demo\s+shop\s+ecs\s+Ready\s+2\s+-\s+-`},
		{"cluster set demo --drift report -o json", `"drift": "report"`},
		{"service put demo wildfly --image shop/web:1.4 --container webapp --memory 1024 --port 8080 --replicas 2 " +
			"--balance-port 8080 --host shop.example.com --path /shop/* --env LANG=C",
			`deploy\s+demo\s+wildfly\s+-\s+-\s+Pending`},
		{"service get demo wildfly -o json", `"LANG": "C"`},
		{"service get demo wildfly -o json", `"hosts": \[\s+"shop.example.com"\s+\]`},
		{"service list demo", `wildfly\s+demo\s+Deploying\s+2\s+0\s+1`},
		{"service releases demo wildfly", `1\s+Pending\s+shop/web:1.4`},
		{"policy put demo high --alarm arn:aws:cloudwatch:eu-central-1:123456789012:alarm:high --service wildfly " +
			"--adjustment 2 --min 2 --max 6", `high\s+demo\s+wildfly\s+-\s+2\s+2\s+6`},
		{"job run demo migrate --image migrate:1 --command up --cpu 256 --memory 256 --retries 1", `run-job\s+demo\s+-\s+-\s+migrate\s+Pending`},
		{"job run demo migrate --image migrate:1 --command up --cpu 256 --memory 256 --retries 1", `migrate\s+demo\s+Pending`},
		{"job list demo", `migrate`},
		{"job get demo migrate", `NAME\s+CLUSTER\s+STATUS\s+EXIT-CODE`},
		{"operation list --cluster demo --job migrate", `run-job`},
		{"job stop demo migrate", `run-job`},
		{"policy list demo", `high`},
		{"policy get demo high", `high`},
		{"policy decisions demo high", `TIME\s+ALARM`},
		{"binding put demo main --service wildfly --pipeline shop-web", `main\s+demo\s+wildfly\s+shop-web`},
		{"binding list demo", `main`},
		{"binding get demo main", `main`},
		{"operation list --cluster demo --service wildfly", `deploy`},
		{"audit list --cluster demo", `TIME\s+WHO`},
		{"node-pool get demo main", `main\s+m6i.large\s+2\s+0\s+6`},
		{"node-pool scale demo main --size 3", `scale\s+demo`},
		{"policy delete demo high", `^$`},
		{"binding delete demo main", `^$`},
		{"service retire demo wildfly", `retire\s+demo\s+wildfly`},
		{"cluster retire demo", `retire\s+demo`},
		{"cluster get demo", `Retiring`},
	} {
		if out := m.does(strings.Fields(each.line)...); !regexp.MustCompile(each.want).MatchString(out) {
			t.Errorf("%s says\n%sand nothing like %s", each.line, out, each.want)
		}
	}
}

func TestWaitFollowsTheOperationToItsEnd(t *testing.T) {
	for status, want := range map[contract.OperationStatus]struct {
		code int
		said string
	}{
		contract.OperationSucceeded:   {0, "Succeeded"},
		contract.OperationFailedClean: {1, "ended FailedClean: no capacity"},
		contract.OperationFailedDirty: {2, "ended FailedDirty: no capacity\nleft behind:\n  arn:one\n  arn:two"},
	} {
		t.Run(string(status), func(t *testing.T) {
			m := open(t)
			looks := 0
			m.seen = func(r *http.Request) {
				if looks++; looks == 4 {
					id := filepath.Base(r.URL.Path)
					m.end(id, status, "no capacity", []string{"arn:one", "arn:two"})
				}
			}
			_, err, code := m.run(append(create, "--wait")...)
			if code != want.code || !strings.Contains(err, want.said) || !strings.Contains(err, "provision Pending") {
				t.Errorf("exit code %d: %s", code, err)
			}
		})
	}
}

func TestDescriptionsFromFiles(t *testing.T) {
	m := open(t)
	m.ready()
	file := filepath.Join(t.TempDir(), "wildfly.yaml")
	yaml := "image: shop/web:1.4\nmemory: {limitMiB: 512}\nports:\n- containerPort: 8080\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	m.does("service", "put", "demo", "wildfly", "-f", file, "--memory", "1024")
	v := m.does("service", "get", "demo", "wildfly", "-o", "json")
	if !strings.Contains(v, `"limitMiB": 1024`) || !strings.Contains(v, `"containerPort": 8080`) {
		t.Error(v)
	}
	m.in = `{"image": "shop/web:1.5", "memory": {"limitMiB": 512}}`
	m.does("service", "put", "demo", "wildfly", "-f", "-")
	if out := m.does("service", "releases", "demo", "wildfly"); !strings.Contains(out, "shop/web:1.5") {
		t.Error(out)
	}
}

func TestErrorsAreLegible(t *testing.T) {
	m := open(t)
	m.ready()
	for line, want := range map[string]string{
		"cluster create Demo --team shop --orchestrator nomad": `Error: The request asks for what is not possible (422): 2 fields are wrong
  /name "Demo" does not match ^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$; "web" would
  /orchestrator "nomad" is not one of: ecs, kubernetes, swarm
`,
		"cluster get nobody":              "Error: What was named does not exist (404): cluster nobody does not exist\n",
		"service get demo ../audit":       `Error: The request cannot be read (400): service "../audit" does not match ^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$; "web" would` + "\n",
		"cluster get demo -o xml":         "Error: -o xml is not one of: table, json\n",
		"service put demo web --env LANG": "Error: --env LANG is not NAME=VALUE\n",
		"cluster create x --allow 22":     "Error: --allow 22 is not CIDR:PORT, such as 203.0.113.0/24:22\n",
		"service put demo web -f /none":   "Error: open /none: no such file or directory\n",
		"cluster frobnicate":              "Error: unknown command \"frobnicate\" for \"portolan cluster\"\n",
	} {
		if _, err, code := m.run(strings.Fields(line)...); err != want || code != 3 {
			t.Errorf("%s: exit code %d\n%s", line, code, err)
		}
	}
}

func TestARequestIsSentAgainWithItsKey(t *testing.T) {
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	m := open(t)
	m.url = server.URL
	if _, err, code := m.run("binding", "delete", "demo", "main"); code != 0 || err != "The binding is gone.\n" {
		t.Errorf("exit code %d: %s", code, err)
	}
	if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
		t.Errorf("the keys are %q", keys)
	}
}

func TestWithoutCredentials(t *testing.T) {
	m := open(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	_, err, code := m.run("cluster", "list")
	if code != 3 || !strings.Contains(err, "there are no AWS credentials to sign with") {
		t.Errorf("exit code %d: %s", code, err)
	}
}
