package api

import (
	"net/http"
	"reflect"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// TestStory goes the way of a team: cluster, service, policy, binding.
func TestStory(t *testing.T) {
	d := open(t)
	x := d.send("POST", "/v1/clusters", onEC2)
	o := as[contract.Operation](x, http.StatusAccepted)
	if o.Kind != contract.KindProvision || o.Status != contract.OperationPending ||
		o.Cause.Who != caller || o.Cause.EventId != "request-1" || o.Cause.Source != "api" {
		t.Errorf("the operation is %+v", o)
	}
	if got := x.Headers["Location"]; got != "/v1/operations/"+o.Id {
		t.Errorf("Location is %q", got)
	}
	if got := as[contract.Operation](d.send("GET", "/v1/operations/"+o.Id, ""), http.StatusOK); !reflect.DeepEqual(got, o) {
		t.Errorf("the operation is %+v when it is asked for", got)
	}
	c := as[contract.Cluster](d.send("GET", "/v1/clusters/demo", ""), http.StatusOK)
	if want := []string{"portolan-demo-network", "portolan-demo"}; !reflect.DeepEqual(c.Stacks, want) {
		t.Errorf("the stacks are %q before there are any, not %q", c.Stacks, want)
	}
	if c.Status != contract.ClusterProvisioning || c.Drift != contract.Repair || c.NodePools[0].KeyPair != "ops" {
		t.Errorf("the cluster is %+v", c)
	}
	d.end(o.Id, contract.ClusterReady)

	deploy := as[contract.Operation](d.send("PUT", "/v1/clusters/demo/services/wildfly", wildfly), http.StatusAccepted)
	if deploy.Kind != contract.KindDeploy || deploy.Release != 1 ||
		deploy.Target != (contract.Target{Cluster: "demo", Service: "wildfly"}) {
		t.Errorf("the operation is %+v", deploy)
	}
	v := as[contract.Service](d.send("GET", "/v1/clusters/demo/services/wildfly", ""), http.StatusOK)
	if v.Replicas != 2 || *v.Spec.Replicas != 2 || v.Spec.Container != "webapp" || v.Status != contract.ServiceDeploying {
		t.Errorf("the service is %+v", v)
	}

	p := as[contract.Policy](d.send("PUT", "/v1/clusters/demo/policies/high", high), http.StatusOK)
	if p.Spec.SizeMax != 6 || p.Cluster != "demo" {
		t.Errorf("the policy is %+v", p)
	}
	looks := as[contract.OperationPage](d.send("GET", "/v1/operations?cluster=demo&policy=high", ""), http.StatusOK)
	if len(looks.Items) != 1 || looks.Items[0].Kind != contract.KindAutoscale {
		t.Errorf("a new policy leads to %+v", looks.Items)
	}

	b := as[contract.Binding](d.send("PUT", "/v1/clusters/demo/bindings/main", shop), http.StatusOK)
	bound, _, err := d.Store.BindingsOfPipeline(t.Context(), "shop-web", storePage)
	if err != nil || len(bound) != 1 || bound[0].Name != b.Name || bound[0].Team != "shop" {
		t.Errorf("the pipeline is bound by %+v, %v", bound, err)
	}
	if queue, err := d.Store.Queue(t.Context(), model.TargetKey(deploy.Target)); err != nil ||
		!reflect.DeepEqual(queue.Operations, []string{deploy.Id}) {
		t.Errorf("the service's queue is %+v, %v", queue, err)
	}
}
