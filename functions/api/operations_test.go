package api

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/contract/schema"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/store"
)

func TestEveryOperationIsAnswered(t *testing.T) {
	var described []string
	for _, o := range schema.Load().Operations {
		described = append(described, o.ID)
	}
	slices.Sort(described)
	if answered := slices.Sorted(maps.Keys(operations)); !slices.Equal(described, answered) {
		t.Errorf("openapi.yaml has %q\nand the function %q", described, answered)
	}
}

// deployed is a cluster with the service wildfly.
func deployed(t *testing.T) *door {
	d := open(t)
	d.ready()
	as[contract.Operation](d.send("PUT", theService, wildfly), http.StatusAccepted)
	return d
}

func TestChangeCluster(t *testing.T) {
	d := open(t)
	d.ready()
	for range 2 {
		c := as[contract.Cluster](d.send("PATCH", demo, `{"drift":"report"}`), http.StatusOK)
		if c.Drift != contract.Report || c.Generation != 1 {
			t.Errorf("the cluster is %+v", c)
		}
	}
	if got := as[contract.Cluster](d.send("GET", demo, ""), http.StatusOK); got.Drift != contract.Report {
		t.Errorf("the cluster is %+v when it is asked for", got)
	}
}

func TestScaleNodePool(t *testing.T) {
	d := open(t)
	d.ready()
	same := as[contract.NodePool](d.send("PUT", demo+"/node-pools/main", `{"size":2}`), http.StatusOK)
	if want := (contract.NodePool{Name: "main", InstanceType: "m6i.large", Size: 2, SizeObserved: 2, SizeMax: 6, KeyPair: "ops"}); same != want {
		t.Errorf("the pool is %+v", same)
	}
	o := as[contract.Operation](d.send("PUT", demo+"/node-pools/main", `{"size":4}`), http.StatusAccepted)
	if o.Kind != contract.KindScale || o.NodePool != "main" || o.Generation != 2 || o.Target != (contract.Target{Cluster: "demo"}) {
		t.Errorf("the operation is %+v", o)
	}
	// Nothing started meanwhile, so the next wish joins the operation that waits.
	joined := as[contract.Operation](d.send("PUT", demo+"/node-pools/main", `{"size":5}`), http.StatusAccepted)
	if joined.Id != o.Id || joined.Generation != 3 {
		t.Errorf("the operation is %+v", joined)
	}
	if got := as[contract.NodePool](d.send("GET", demo+"/node-pools/main", ""), http.StatusOK); got.Size != 5 {
		t.Errorf("the pool is %+v", got)
	}
	as[contract.NodePool](d.send("PUT", demo+"/node-pools/main", `{"size":5}`), http.StatusOK) // it is on its way
	d.commit(d.ended(o.Id)...)
	again := as[contract.Operation](d.send("PUT", demo+"/node-pools/main", `{"size":5}`), http.StatusAccepted)
	if again.Id == o.Id || again.Generation != 4 {
		t.Errorf("the operation is %+v", again)
	}
}

func TestPutService(t *testing.T) {
	d := deployed(t)
	for _, step := range []struct {
		name, body string
		status     int
		kind       contract.OperationKind
		release    int64
		replicas   int
	}{
		{"the same", wildfly, 200, "", 1, 2},
		{"the same with an empty list", with(wildfly, `"ports"`, `"command":[],"environment":{},"ports"`), 200, "", 1, 2},
		{"no word of replicas", with(wildfly, `"replicas":2,`, ``), 200, "", 1, 2},
		{"replicas alone", with(wildfly, `"replicas":2`, `"replicas":0`), 202, contract.KindScale, 1, 0},
		{"another image", with(wildfly, `web:1.4`, `web:1.5`), 202, contract.KindDeploy, 2, 2},
		{"back", wildfly, 202, contract.KindDeploy, 3, 2},
	} {
		t.Run(step.name, func(t *testing.T) {
			x := d.send("PUT", theService, step.body)
			if step.status == 202 {
				o := as[contract.Operation](x, 202)
				if o.Kind != step.kind || o.Kind == contract.KindDeploy && o.Release != step.release {
					t.Errorf("the operation is %+v", o)
				}
			}
			if v := d.service(); x.StatusCode != step.status || v.Release != step.release || v.Replicas != step.replicas {
				t.Errorf("status %d, and the service is %+v", x.StatusCode, v)
			}
		})
	}
	releases := as[contract.ReleasePage](d.send("GET", theService+"/releases?limit=2", ""), 200)
	if len(releases.Items) != 2 || releases.Items[0].Number != 3 || releases.Items[0].Cause.Who != caller {
		t.Errorf("the releases are %+v", releases)
	}
	rest := as[contract.ReleasePage](d.send("GET", theService+"/releases?limit=2&next="+releases.Next, ""), 200)
	if len(rest.Items) != 1 || rest.Items[0].Number != 1 || rest.Items[0].Image != "registry.example.com/shop/web:1.4" {
		t.Errorf("the oldest releases are %+v", rest)
	}
}

// The description of a release whose rollout ended dirty is rolled out again when it
// is put again.
func TestPutServiceWhoseReleaseIsNotInEffect(t *testing.T) {
	d := deployed(t)
	put := with(wildfly, `web:1.4`, `web:1.5`)
	first := as[contract.Operation](d.send("PUT", theService, put), http.StatusAccepted)
	as[contract.Service](d.send("PUT", theService, put), http.StatusOK) // its rollout is on its way

	o, err := d.Store.Operation(t.Context(), first.Id)
	if err != nil {
		t.Fatal(err)
	}
	v := d.service()
	v.Status, v.Reason = contract.ServiceUnhealthy, "nobody answers"
	ended := decide.End(*o, contract.OperationFailedDirty, v.Reason, nil, d.now)
	d.commit(append(store.EndOperation(ended), store.UpdateService(v))...)

	again := as[contract.Operation](d.send("PUT", theService, put), http.StatusAccepted)
	if again.Kind != contract.KindDeploy || again.Id == first.Id || again.Release != first.Release+1 {
		t.Errorf("the operation is %+v", again)
	}
	if v := d.service(); v.Release != again.Release || v.Status != contract.ServiceDeploying {
		t.Errorf("the service is %+v", v)
	}
}

func TestWhatWasGotCanBePut(t *testing.T) {
	d := deployed(t)
	got := d.send("GET", theService, "")
	spec := struct {
		Spec contract.ServiceSpec `json:"spec"`
	}{as[contract.Service](got, 200).Spec}
	text, err := reply(200, spec.Spec)
	if err != nil {
		t.Fatal(err)
	}
	as[contract.Service](d.send("PUT", theService, string(text.body)), http.StatusOK)
}

func TestRetireService(t *testing.T) {
	d := deployed(t)
	o := as[contract.Operation](d.send("DELETE", theService, ""), 202)
	again := as[contract.Operation](d.send("DELETE", theService, ""), 202)
	if o.Kind != contract.KindRetire || again.Id != o.Id {
		t.Errorf("the operations are %+v and %+v", o, again)
	}
	d.send("PUT", theService, wildfly).refused(409,
		"service wildfly of cluster demo is being retired by operation "+o.Id)
	d.send("PUT", demo+"/policies/high", high).refused(422,
		`/service "wildfly" is no service of cluster demo; put the service first`)

	v := d.service()
	v.Status = contract.ServiceRetired
	d.commit(append(d.ended(o.Id), store.UpdateService(v))...)
	d.send("DELETE", theService, "").refused(404, "service wildfly of cluster demo was retired")
	if list := as[contract.ServicePage](d.send("GET", demo+"/services", ""), 200); len(list.Items) != 0 {
		t.Errorf("the services are %+v", list)
	}
	revived := as[contract.Operation](d.send("PUT", theService, wildfly), 202)
	if revived.Release != 2 {
		t.Errorf("the operation is %+v", revived)
	}
}

func TestRetireCluster(t *testing.T) {
	d := deployed(t)
	o := as[contract.Operation](d.send("DELETE", demo, ""), 202)
	again := as[contract.Operation](d.send("DELETE", demo, ""), 202)
	if o.Kind != contract.KindRetire || again.Id != o.Id || again.Generation != 2 {
		t.Errorf("the operations are %+v and %+v", o, again)
	}
	for _, change := range []struct{ method, path, body string }{
		{"PATCH", demo, `{"drift":"report"}`},
		{"PUT", demo + "/node-pools/main", `{"size":3}`},
		{"PUT", demo + "/services/other", wildfly},
		{"DELETE", theService, ""},
		{"PUT", demo + "/policies/high", high},
		{"DELETE", demo + "/policies/high", ""},
		{"PUT", demo + "/bindings/main", shop},
		{"DELETE", demo + "/bindings/main", ""},
	} {
		d.send(change.method, change.path, change.body).refused(409, "cluster demo is being retired by operation "+o.Id)
	}
	d.send("POST", clusters, onEC2).refused(409, "cluster demo exists already; choose another name")

	// A retirement that ended and left something is asked for once more.
	d.end(o.Id, contract.ClusterRetiring)
	more := as[contract.Operation](d.send("DELETE", demo, ""), 202)
	if more.Id == o.Id || more.Generation != 3 {
		t.Errorf("the operation is %+v", more)
	}
	d.end(more.Id, contract.ClusterRetired)
	d.send("DELETE", demo, "").refused(404, "cluster demo was retired")
	if got := as[contract.Cluster](d.send("GET", demo, ""), 200); got.Status != contract.ClusterRetired {
		t.Errorf("the cluster is %+v", got)
	}
	if list := as[contract.ClusterPage](d.send("GET", clusters, ""), 200); len(list.Items) != 0 {
		t.Errorf("the clusters are %+v", list)
	}
	as[contract.Operation](d.send("POST", clusters, onEC2), 202) // the name is free again
}

func TestClustersThatAreNotReady(t *testing.T) {
	d := open(t)
	o := as[contract.Operation](d.send("POST", clusters, onEC2), 202)
	provisioning := "cluster demo is still being provisioned by operation " + o.Id
	d.send("PUT", theService, wildfly).refused(409, provisioning)
	d.send("PATCH", demo, `{"drift":"report"}`).refused(409, provisioning)
	d.send("DELETE", demo, "").refused(409, provisioning)

	c, err := d.Store.Cluster(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	c.Status, c.Reason = contract.ClusterFailed, "no capacity"
	d.commit(append(d.ended(o.Id), store.UpdateCluster(*c))...)
	d.send("PUT", theService, wildfly).refused(409, "cluster demo has failed (no capacity); retire it")
	as[contract.Operation](d.send("DELETE", demo, ""), 202)
}

func TestPolicies(t *testing.T) {
	d := deployed(t)
	as[contract.Policy](d.send("PUT", demo+"/policies/high", high), 200)
	as[contract.Policy](d.send("PUT", demo+"/policies/high", high), 200)
	pool := `{"alarm":"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:nodes","nodePool":"main","adjustment":-1,"sizeMin":0,"sizeMax":3}`
	as[contract.Policy](d.send("PUT", demo+"/policies/nodes", pool), 200)
	if p := as[contract.Policy](d.send("GET", demo+"/policies/nodes", ""), 200); p.Spec.NodePool != "main" {
		t.Errorf("the policy is %+v", p)
	}
	as[contract.Policy](d.send("PUT", demo+"/policies/high", with(high, `"sizeMax":6`, `"sizeMax":8`)), 200)
	list := as[contract.PolicyPage](d.send("GET", demo+"/policies", ""), 200)
	if len(list.Items) != 2 || list.Items[0].Spec.SizeMax != 8 {
		t.Errorf("the policies are %+v", list)
	}

	d.commit(store.CreateDecision(model.Decision{
		Cluster: "demo", Policy: "high", ID: "1", Time: d.now, AlarmState: "ALARM", From: 2, To: 4, Applied: true, Reason: "+2",
	}))
	for path, want := range map[string]int{"": 1, "?day=2026-11-23": 1, "?day=2026-11-22": 0} {
		page := as[contract.DecisionPage](d.send("GET", demo+"/policies/high/decisions"+path, ""), 200)
		if len(page.Items) != want {
			t.Errorf("%q has the decisions %+v", path, page)
		}
	}
	if x := d.send("DELETE", demo+"/policies/high", ""); x.StatusCode != 204 || x.Body != "" {
		t.Errorf("%d %s", x.StatusCode, x.Body)
	}
	d.send("GET", demo+"/policies/high", "").refused(404, "policy high of cluster demo does not exist")
	past := as[contract.DecisionPage](d.send("GET", demo+"/policies/high/decisions", ""), 200)
	if len(past.Items) != 1 {
		t.Errorf("a policy's decisions went with it: %+v", past)
	}
	d.send("GET", demo+"/policies/none/decisions", "").refused(404, "policy none of cluster demo does not exist")
}

func TestPoliciesOfServicesOnEachNode(t *testing.T) {
	d := open(t)
	d.ready()
	everywhere := `{"image":"shop/agent:1","memory":{"limitMiB":64},"mode":"global"}`
	as[contract.Operation](d.send("PUT", theService, everywhere), 202)
	if v := as[contract.Service](d.send("GET", theService, ""), 200); v.Spec.Replicas != nil {
		t.Errorf("the service has %d replicas", *v.Spec.Replicas)
	}
	d.send("PUT", demo+"/policies/high", high).refused(422,
		`/service "wildfly" runs one task on each node, so there is no number of tasks to change`)
}

func TestBindings(t *testing.T) {
	d := deployed(t)
	for range 2 {
		as[contract.Binding](d.send("PUT", demo+"/bindings/main", shop), 200)
	}
	as[contract.Binding](d.send("PUT", demo+"/bindings/main", `{"service":"wildfly","repository":"shop/web","tag":"v1"}`), 200)
	b := as[contract.Binding](d.send("GET", demo+"/bindings/main", ""), 200)
	if b.Spec.Repository != "shop/web" || b.Spec.Pipeline != "" {
		t.Errorf("the binding is %+v", b)
	}
	if list := as[contract.BindingPage](d.send("GET", demo+"/bindings", ""), 200); len(list.Items) != 1 {
		t.Errorf("the bindings are %+v", list)
	}
	if x := d.send("DELETE", demo+"/bindings/main", ""); x.StatusCode != 204 {
		t.Errorf("%d %s", x.StatusCode, x.Body)
	}
}

func TestAudit(t *testing.T) {
	d := deployed(t)
	role := contract.TaskRole{Task: "0b69", Cluster: "demo", Service: "wildfly", Release: 1, Role: "arn:aws:iam::123456789012:role/shop"}
	for i, service := range []string{"", "wildfly", "other"} {
		record := model.AuditRecord{
			Cluster: "demo", Service: service, EventID: fmt.Sprint(i), Time: d.now.Add(time.Duration(i) * time.Minute),
			Who: caller, What: "ecs:UpdateService", Region: "eu-central-1",
		}
		if service != "" {
			record.Task = &role
		}
		d.commit(store.CreateAudit(record))
	}
	d.commit(store.PutTaskRole(role, 1))
	all := as[contract.AuditPage](d.send("GET", "/v1/audit?cluster=demo", ""), 200)
	if len(all.Items) != 3 || all.Items[0].EventId != "2" {
		t.Errorf("the records are %+v", all)
	}
	one := as[contract.AuditPage](d.send("GET", "/v1/audit?cluster=demo&service=wildfly&day=2026-11-23", ""), 200)
	if len(one.Items) != 1 || one.Items[0].Task.Release != 1 {
		t.Errorf("the records are %+v", one)
	}
	if got := as[contract.TaskRole](d.send("GET", "/v1/audit/tasks/0b69", ""), 200); !reflect.DeepEqual(got, role) {
		t.Errorf("the task is %+v", got)
	}
}

func TestListsArePaged(t *testing.T) {
	d := open(t)
	for i := range 5 {
		as[contract.Operation](d.send("POST", clusters, with(fargate, `"far"`, fmt.Sprintf(`"far%d"`, i))), 202)
	}
	var names []string
	for path := clusters + "?limit=2"; path != ""; {
		page := as[contract.ClusterPage](d.send("GET", path, ""), 200)
		for _, c := range page.Items {
			names = append(names, c.Name)
		}
		if path = ""; page.Next != "" {
			path = clusters + "?limit=2&next=" + page.Next
		}
	}
	if want := []string{"far0", "far1", "far2", "far3", "far4"}; !slices.Equal(names, want) {
		t.Errorf("the pages have %q", names)
	}
}
