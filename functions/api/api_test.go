package api

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

const caller = "arn:aws:sts::123456789012:assumed-role/Developer/jo"

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// A door is a handler over the real store, with a clock that stands still.
type door struct {
	*Handler
	t   *testing.T
	now time.Time
}

func open(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, now: start}
	ids := 0
	d.Handler = &Handler{
		Store: storetest.Open(t), Checks: Checks(), JobChecks: JobChecks(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now:   func() time.Time { return d.now },
		NewID: func() string { ids++; return fmt.Sprintf("01KAQ6M3V6Z4YJ9T2R8N5C%04d", ids) },
	}
	return d
}

// An exchange is a response with what it was an answer to.
type exchange struct {
	events.APIGatewayV2HTTPResponse
	t *testing.T
}

// send sends a request as API Gateway does.
func (d *door) send(method, path, body string, headers ...string) exchange {
	d.t.Helper()
	r := event(method, path, body, headers...)
	response, err := d.Handle(d.t.Context(), r)
	if err != nil {
		d.t.Fatalf("%s %s: the function failed: %v", method, path, err)
	}
	conforms(d.t, method, path, response)
	return exchange{response, d.t}
}

func event(method, path, body string, headers ...string) events.APIGatewayV2HTTPRequest {
	path, query, _ := strings.Cut(path, "?")
	r := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: path, RawQueryString: query,
		Headers: map[string]string{}, Body: body,
	}
	r.RequestContext.RequestID = "request-1"
	r.RequestContext.Stage = "$default"
	r.RequestContext.HTTP.Method = method
	r.RequestContext.HTTP.Path = path
	r.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: caller},
	}
	if body != "" {
		r.Headers["content-type"] = "application/json"
	}
	for i := 0; i < len(headers); i += 2 {
		r.Headers[headers[i]] = headers[i+1]
	}
	return r
}

// as decodes a response that has to have that status.
func as[T any](x exchange, status int) T {
	x.t.Helper()
	var out T
	if x.StatusCode != status {
		x.t.Fatalf("status %d instead of %d: %s", x.StatusCode, status, x.Body)
	}
	if err := json.Unmarshal([]byte(x.Body), &out); err != nil {
		x.t.Fatalf("%v: %s", err, x.Body)
	}
	return out
}

// refused checks a problem's status and its detail, or those of its only field.
func (x exchange) refused(status int, detail string) {
	x.t.Helper()
	p := as[contract.Problem](x, status)
	if p.Detail != detail {
		x.t.Errorf("got  %s\nwant %s\n%v", p.Detail, detail, p.Errors)
	}
	if p.Instance != "request-1" || x.Headers["Content-Type"] != "application/problem+json" {
		x.t.Errorf("instance %q, content type %q", p.Instance, x.Headers["Content-Type"])
	}
}

const (
	onEC2 = `{"name":"demo","team":"shop","orchestrator":"ecs",
		"nodePools":[{"name":"main","instanceType":"m6i.large","size":2,"sizeMax":6,"keyPair":"ops"}],
		"ecs":{"capacity":"EC2","allowedIngress":[{"cidr":"0.0.0.0/0","port":80}]}}`
	wildfly = `{"container":"webapp","image":"registry.example.com/shop/web:1.4","memory":{"limitMiB":1024},
		"ports":[{"containerPort":8080}],"replicas":2,"role":"arn:aws:iam::123456789012:role/shop",
		"loadBalancer":{"containerPort":8080,"rules":[{"hosts":["shop.example.com"],"paths":["/shop/*"]}]}}`
	high = `{"alarm":"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:high","service":"wildfly",
		"adjustment":2,"sizeMin":2,"sizeMax":6}`
	shop = `{"service":"wildfly","pipeline":"shop-web"}`
)

// ready asks for the cluster and ends its provisioning.
func (d *door) ready() {
	d.t.Helper()
	o := as[contract.Operation](d.send("POST", "/v1/clusters", onEC2), http.StatusAccepted)
	d.end(o.Id, contract.ClusterReady)
}

// end ends an operation on the cluster demo as its state machine would, and leaves
// the cluster with that status.
func (d *door) end(id string, status contract.ClusterStatus) {
	d.t.Helper()
	c, err := d.Store.Cluster(d.t.Context(), "demo")
	if err != nil {
		d.t.Fatal(err)
	}
	c.Status, c.Observed = status, c.Generation
	for i := range c.NodePools {
		c.NodePools[i].SizeObserved = c.NodePools[i].Size
	}
	d.commit(append(d.ended(id), store.UpdateCluster(*c))...)
}

func (d *door) ended(id string) []store.Write {
	d.t.Helper()
	o, err := d.Store.Operation(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return store.EndOperation(decide.End(*o, contract.OperationSucceeded, "", nil, d.now))
}

func (d *door) commit(writes ...store.Write) {
	d.t.Helper()
	if err := d.Store.Commit(d.t.Context(), writes...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *door) service() model.Service {
	d.t.Helper()
	v, err := d.Store.Service(d.t.Context(), "demo", "wildfly")
	if err != nil {
		d.t.Fatal(err)
	}
	return *v
}

var storePage = store.Page{Limit: 100}
