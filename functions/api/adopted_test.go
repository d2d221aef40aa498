package api

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

const adoption = `{"name":"old","team":"shop","orchestrator":"kubernetes","adopted":{
	"credentials":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:portolan/shop/old-AbCdEf"%s}}`

// adopted is a door with a cluster of somebody else's, on which those verbs are
// allowed.
func adopted(t *testing.T, verbs ...contract.Verb) *door {
	t.Helper()
	d := open(t)
	o := as[contract.Operation](d.send("POST", "/v1/clusters", fmt.Sprintf(adoption, "")), http.StatusAccepted)
	if o.Kind != contract.KindAdopt {
		t.Fatalf("the operation is %s", o.Kind)
	}
	d.change("old", func(c *model.Cluster) { c.Status, c.Spec.Adopted.Verbs = contract.ClusterReady, verbs })
	return d
}

// change changes the record of a cluster.
func (d *door) change(name string, change func(*model.Cluster)) {
	d.t.Helper()
	c, err := d.Store.Cluster(d.t.Context(), name)
	if err == nil {
		change(c)
		err = d.Store.Commit(d.t.Context(), store.UpdateCluster(*c))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

const web = `{"image":"web:1","cpu":256,"memory":{"limitMiB":256},"replicas":2}`

func TestAnAdoptedClusterIsOnlyLookedAtAtFirst(t *testing.T) {
	d := adopted(t)
	const refusal = "cluster old is adopted, and Portolan may not %s there: its verbs are none; PATCH the cluster's verbs to allow it"
	d.send("PUT", "/v1/clusters/old/services/web", web).refused(http.StatusConflict, fmt.Sprintf(refusal, "deploy"))
	d.send("DELETE", "/v1/clusters/old/services/web", "").refused(http.StatusConflict, fmt.Sprintf(refusal, "deploy"))
	d.send("PUT", "/v1/clusters/old/nodes/ip-10-0-1-17.ec2.internal", `{"drained":true}`).refused(http.StatusConflict, fmt.Sprintf(refusal, "drain"))
	d.send("PUT", "/v1/clusters/old/nodes/n1", `{"drained":false}`).refused(http.StatusConflict, fmt.Sprintf(refusal, "drain"))
	for _, path := range []string{"/v1/clusters/old/survey"} {
		if o := as[contract.Operation](d.send("POST", path, ""), http.StatusAccepted); o.Kind != contract.KindSurvey {
			t.Errorf("%s leads to %s", path, o.Kind)
		}
	}
	if o := as[contract.Operation](d.send("DELETE", "/v1/clusters/old", ""), http.StatusAccepted); o.Kind != contract.KindRetire {
		t.Errorf("to let go leads to %s", o.Kind)
	}
}

func TestAVerbAllowsItsOperation(t *testing.T) {
	d := adopted(t)
	c := as[contract.Cluster](d.send("PATCH", "/v1/clusters/old", `{"verbs":["deploy","drain"]}`), http.StatusOK)
	if len(c.Adopted.Verbs) != 2 {
		t.Fatalf("the verbs are %q", c.Adopted.Verbs)
	}
	if o := as[contract.Operation](d.send("PUT", "/v1/clusters/old/services/web", web), http.StatusAccepted); o.Kind != contract.KindDeploy {
		t.Errorf("a description leads to %s", o.Kind)
	}
	d.send("PUT", "/v1/clusters/old/services/web", `{"image":"web:1","memory":{"limitMiB":256},"kubernetes":{"namespace":"shop"}}`).
		refused(http.StatusUnprocessableEntity, `/kubernetes/namespace must stay "" for the service's life, not "shop"; retire the service to move it`)
	for body, kind := range map[string]contract.OperationKind{
		`{"drained":true}`: contract.KindDrain, `{"drained":false}`: contract.KindUncordon,
	} {
		if o := as[contract.Operation](d.send("PUT", "/v1/clusters/old/nodes/n1", body), http.StatusAccepted); o.Kind != kind || o.Node != "n1" {
			t.Errorf("%s leads to %s of %q", body, o.Kind, o.Node)
		}
	}
	// Only the scale is new, and to scale is another verb.
	v, err := d.Store.Service(t.Context(), "old", "web")
	if err != nil {
		t.Fatal(err)
	}
	v.ReleaseObserved, v.Status = v.Release, contract.ServiceHealthy
	if err := d.Store.Commit(t.Context(), store.UpdateService(*v)); err != nil {
		t.Fatal(err)
	}
	d.send("PUT", "/v1/clusters/old/services/web", `{"image":"web:1","cpu":256,"memory":{"limitMiB":256},"replicas":3}`).
		refused(http.StatusConflict, "cluster old is adopted, and Portolan may not scale there: its verbs are deploy, drain; "+
			"PATCH the cluster's verbs to allow it")
}

func TestWorkloadsOfTheLastSurvey(t *testing.T) {
	d := adopted(t)
	if page := as[contract.WorkloadPage](d.send("GET", "/v1/clusters/old/workloads", ""), http.StatusOK); len(page.Items) > 0 {
		t.Errorf("before the first survey: %+v", page)
	}
	for i, survey := range []string{"first", "second"} {
		for n := range 3 {
			w := orchestrator.Workload{Namespace: "default", Kind: "Deployment", Name: fmt.Sprintf("%s-%d", survey, n), Images: []string{"web:1"}, Replicas: i}
			if err := d.Store.Commit(t.Context(), store.KeepWorkload(survey, n, w, start.Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.change("old", func(c *model.Cluster) { c.Survey = "second" })
	page := as[contract.WorkloadPage](d.send("GET", "/v1/clusters/old/workloads?limit=2", ""), http.StatusOK)
	if len(page.Items) != 2 || page.Next == "" || page.Items[0].Name != "second-0" || page.Items[0].Replicas != 1 {
		t.Errorf("got %+v", page)
	}
}

func TestOnlyAnAdoptedClusterIsSurveyed(t *testing.T) {
	d := adopted(t)
	d.change("old", func(c *model.Cluster) { c.Spec.Adopted = contract.AdoptedCluster{} })
	const refusal = "cluster old is Portolan's own: what runs there are its services"
	d.send("POST", "/v1/clusters/old/survey", "").refused(http.StatusConflict, refusal)
	d.send("GET", "/v1/clusters/old/workloads", "").refused(http.StatusConflict, refusal)
	d.send("PATCH", "/v1/clusters/old", `{"verbs":[]}`).refused(http.StatusUnprocessableEntity,
		"/verbs must be left out: they are for an adopted cluster, and Portolan made this one")
}

func TestAnotherTeamsSecretIsNotTaken(t *testing.T) {
	d := open(t)
	for _, name := range []string{"portolan/pay/old-AbCdEf", "old-AbCdEf"} {
		body := fmt.Sprintf(`{"name":"old","team":"shop","orchestrator":"kubernetes","adopted":{
			"credentials":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:%s"}}`, name)
		d.send("POST", "/v1/clusters", body).refused(http.StatusUnprocessableEntity, fmt.Sprintf(
			"/adopted/credentials must be a secret of the team's own, whose name begins with portolan/shop/; %q does not", name))
	}
}

func TestAdoptionIsUnderWay(t *testing.T) {
	d := open(t)
	o := as[contract.Operation](d.send("POST", "/v1/clusters", fmt.Sprintf(adoption, `,"verbs":["deploy"]`)), http.StatusAccepted)
	if !decide.Adopted(contract.ClusterSpec{Adopted: contract.AdoptedCluster{Credentials: "x"}}) {
		t.Error("a cluster with credentials is not adopted")
	}
	d.send("PUT", "/v1/clusters/old/services/web", web).refused(http.StatusConflict,
		"cluster old is still being adopted by operation "+o.Id)
}
