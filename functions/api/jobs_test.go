package api

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/store"
)

const (
	migratePath = "/v1/clusters/demo/jobs/migrate"
	migrate     = `{"image":"migrate:1","cpu":256,"memory":{"limitMiB":256},"command":["up"],"retries":1,"deadlineSeconds":600}`
)

// withJob is a door with a job that was asked for on a cluster that is ready.
func withJob(t *testing.T) (*door, contract.Operation) {
	t.Helper()
	d := open(t)
	d.ready()
	return d, as[contract.Operation](d.send("PUT", migratePath, migrate), http.StatusAccepted)
}

// becomes changes the record of the job.
func (d *door) becomes(change func(*model.Job)) {
	d.t.Helper()
	j, err := d.Store.Job(d.t.Context(), "demo", "migrate")
	if err != nil {
		d.t.Fatal(err)
	}
	change(j)
	d.commit(store.UpdateJob(*j))
}

func TestAJobIsAskedForOnce(t *testing.T) {
	d, o := withJob(t)
	target := contract.Target{Cluster: "demo", Job: "migrate"}
	if o.Kind != contract.KindRunJob || o.Target != target || o.Cause.Who != caller {
		t.Errorf("the operation is %+v", o)
	}
	j := as[contract.Job](d.send("GET", migratePath, ""), http.StatusOK)
	if j.Status != contract.JobPending || j.Operation != o.Id || j.Spec.Retries != 1 || j.ExitCode != nil || j.Team != "shop" {
		t.Errorf("the job is %+v", j)
	}
	if again := as[contract.Job](d.send("PUT", migratePath, migrate), http.StatusOK); !reflect.DeepEqual(again, j) {
		t.Errorf("asked for again: %+v", again)
	}
	d.send("PUT", migratePath, `{"image":"migrate:2","cpu":256,"memory":{"limitMiB":256}}`).refused(http.StatusConflict,
		"job migrate of cluster demo was described otherwise, and a job runs once; choose another name")
	queue, err := d.Store.Queue(t.Context(), model.TargetKey(target))
	if err != nil || !reflect.DeepEqual(queue.Operations, []string{o.Id}) {
		t.Errorf("queued are %v, %v", queue.Operations, err)
	}
	if page := as[contract.OperationPage](d.send("GET", "/v1/operations?cluster=demo&job=migrate", ""), http.StatusOK); len(page.Items) != 1 {
		t.Errorf("the operations are %+v", page.Items)
	}
	if page := as[contract.JobPage](d.send("GET", "/v1/clusters/demo/jobs?limit=5", ""), http.StatusOK); len(page.Items) != 1 ||
		page.Items[0].Name != "migrate" {
		t.Errorf("the jobs are %+v", page.Items)
	}
}

func TestAJobsEndIsShown(t *testing.T) {
	d, _ := withJob(t)
	d.becomes(func(j *model.Job) {
		code := 3
		j.Status, j.Reason, j.ExitCode, j.TasksFailed, j.Task = contract.JobFailed, "the job failed", &code, 2, "task-2"
		j.StartedAt, j.EndedAt = j.CreatedAt.Add(time.Second), j.CreatedAt.Add(time.Minute)
	})
	j := as[contract.Job](d.send("GET", migratePath, ""), http.StatusOK)
	if j.Status != contract.JobFailed || j.ExitCode == nil || *j.ExitCode != 3 || j.StatusReason != "the job failed" || j.TasksFailed != 2 ||
		j.EndedAt.Sub(j.StartedAt) != 59*time.Second {
		t.Errorf("the job is %+v", j)
	}
}

func TestAJobIsStopped(t *testing.T) {
	d, o := withJob(t)
	for range 2 {
		if stop := as[contract.Operation](d.send("DELETE", migratePath, ""), http.StatusAccepted); stop.Id != o.Id {
			t.Errorf("it is stopped by %+v", stop)
		}
		if j := as[contract.Job](d.send("GET", migratePath, ""), http.StatusOK); j.Status != contract.JobStopping {
			t.Errorf("the job is %+v", j)
		}
	}
	ended := decide.End(model.Operation{ID: o.Id, Kind: o.Kind, Target: o.Target, Status: contract.OperationRunning},
		contract.OperationFailedDirty, "no answer", []string{"Job demo/migrate"}, d.Now())
	j, err := d.Store.Job(t.Context(), "demo", "migrate")
	if err != nil {
		t.Fatal(err)
	}
	d.commit(append(store.EndOperation(ended), store.UpdateJob(decide.FinishJob(*j, ended)))...)
	lost := as[contract.Job](d.send("GET", migratePath, ""), http.StatusOK)
	if lost.Status != contract.JobLost || !reflect.DeepEqual(lost.Left, []string{"Job demo/migrate"}) {
		t.Errorf("the job is %+v", lost)
	}
	if more := as[contract.Operation](d.send("DELETE", migratePath, ""), http.StatusAccepted); more.Id == o.Id || more.Kind != contract.KindRunJob {
		t.Errorf("what it left is removed by %+v", more)
	}
}

func TestAJobThatHasEndedIsNotStopped(t *testing.T) {
	d, o := withJob(t)
	ended := decide.End(model.Operation{ID: o.Id, Kind: o.Kind, Target: o.Target, Status: contract.OperationRunning},
		contract.OperationSucceeded, "well", nil, d.Now())
	d.commit(store.EndOperation(ended)...)
	d.becomes(func(j *model.Job) { j.Status = contract.JobSucceeded })
	if j := as[contract.Job](d.send("DELETE", migratePath, ""), http.StatusOK); j.Status != contract.JobSucceeded {
		t.Errorf("the job is %+v", j)
	}
}

func TestJobsThatAreRefused(t *testing.T) {
	d, _ := withJob(t)
	d.send("GET", "/v1/clusters/demo/jobs/none", "").refused(http.StatusNotFound, "job none of cluster demo does not exist")
	d.send("DELETE", "/v1/clusters/demo/jobs/none", "").refused(http.StatusNotFound, "job none of cluster demo does not exist")
	for _, body := range []string{
		`{"image":"migrate:1"}`, `{"image":"migrate:1","memory":{"limitMiB":256},"replicas":2}`,
		`{"image":"migrate:1","memory":{"limitMiB":256},"retries":11}`, `{"image":"migrate:1","memory":{"limitMiB":256},"deadlineSeconds":5}`,
		`{"image":"migrate:1","memory":{"limitMiB":256},"placement":{"spread":["zone"]}}`,
		`{"image":"migrate:1","memory":{"limitMiB":256},"kubernetes":{"namespace":"shop"}}`,
		`{"image":"migrate:1","cpu":256,"memory":{"limitMiB":256},"swarm":{"networks":["backend"]}}`,
	} {
		if x := d.send("PUT", "/v1/clusters/demo/jobs/other", body); x.StatusCode != http.StatusUnprocessableEntity && x.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, x.StatusCode, x.Body)
		}
	}
	d.change("demo", func(c *model.Cluster) { c.Spec.Orchestrator = "another" })
	d.send("PUT", "/v1/clusters/demo/jobs/other", migrate).refused(http.StatusConflict,
		"cluster demo is one of another, on which no jobs are run")
}

func TestAJobOnAnAdoptedClusterNeedsTheVerb(t *testing.T) {
	d := adopted(t, contract.VerbDeploy)
	d.send("PUT", "/v1/clusters/old/jobs/migrate", migrate).refused(http.StatusConflict,
		"cluster old is adopted, and Portolan may not run there: its verbs are deploy; PATCH the cluster's verbs to allow it")
	d = adopted(t, contract.VerbRun)
	as[contract.Operation](d.send("PUT", "/v1/clusters/old/jobs/migrate", migrate), http.StatusAccepted)
}
