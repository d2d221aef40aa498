package kubernetes_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

const migratePath = "/apis/batch/v1/namespaces/default/jobs/migrate"

func (p *pier) job(image string) orchestrator.Job {
	return orchestrator.Job{Cluster: p.ref, Name: "migrate", Operation: "01JOB", Spec: contract.JobSpec{
		Image: "shop/" + image + ":1", Command: []string{"up", "$(HOME)"}, Memory: contract.Memory{LimitMiB: 64},
		Environment: map[string]string{"MODE": "full"}, DeadlineSeconds: 600,
	}}
}

// What a job is on the cluster, in Kubernetes's own words.
func TestAJobIsOneOfKubernetes(t *testing.T) {
	onPier(t, func(p *pier) {
		job := p.job("batch")
		job.Spec.Retries, job.Spec.Role = 2, "arn:aws:iam::111122223333:role/migrate"
		p.must(p.driver.RunJob(p.Context(), job))
		raw, err := json.Marshal(p.ask(http.MethodGet, migratePath, ""))
		p.must(err)
		for _, want := range []string{
			`"backoffLimit":2`, `"activeDeadlineSeconds":600`, `"ttlSecondsAfterFinished":604800`, `"restartPolicy":"Never"`,
			`"serviceAccountName":"job.migrate"`, `"app.kubernetes.io/name":"migrate"`, `"app.kubernetes.io/managed-by":"portolan"`,
			`"app.kubernetes.io/part-of":"shop"`, `"portolan.dev/operation":"01JOB"`, `"args":["up","$$(HOME)"]`, `"name":"migrate"`,
			`"portolan.dev/role":"arn:aws:iam::111122223333:role/migrate"`,
		} {
			if !strings.Contains(string(raw), want) {
				p.Errorf("it has no %s: %s", want, raw)
			}
		}
		roles := p.amazon.roles(p.T)
		if len(roles) != 1 || roles[0].ServiceAccount != "job.migrate" || roles[0].RoleARN != job.Spec.Role {
			p.Errorf("the roles are %+v", roles)
		}
	})
}

func TestAJobCostsFewRequests(t *testing.T) {
	onPier(t, func(p *pier) {
		job := p.job("batch")
		p.must(p.driver.RunJob(p.Context(), job))
		if requests, writes, _ := p.counted(); requests != 2 || writes != 1 {
			p.Errorf("to run it took %d requests, %d of them writes", requests, writes)
		}
		p.must(p.driver.RunJob(p.Context(), job))
		if requests, writes, _ := p.counted(); requests != 1 || writes != 0 {
			p.Errorf("to run it again took %d requests, %d of them writes", requests, writes)
		}
		_, err := p.driver.ObserveJob(p.Context(), job)
		p.must(err)
		if requests, _, _ := p.counted(); requests != 2 {
			p.Errorf("to look at it took %d requests", requests)
		}
	})
}

// A job that somebody else made, or an operation before, is left alone.
func TestAJobOfAnotherIsAConflict(t *testing.T) {
	onPier(t, func(p *pier) {
		p.ask(http.MethodPost, "/apis/batch/v1/namespaces/default/jobs", `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"migrate"},
			"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"app","image":"theirs:1"}]}}}}`)
		job := p.job("batch")
		err := p.driver.RunJob(p.Context(), job)
		if !fault.IsConflict(err) || !strings.Contains(err.Error(), "Job default/migrate is there") {
			p.Errorf("got %v", err)
		}
		if left, err := p.driver.RemoveJob(p.Context(), job); err != nil || len(left) > 0 {
			p.Errorf("left are %q, %v", left, err)
		}
		p.ask(http.MethodGet, migratePath, "")
	})
}

func TestAJobPastItsDeadlineSaysSo(t *testing.T) {
	onPier(t, func(p *pier) {
		job := p.job("batch")
		job.Spec.DeadlineSeconds, job.Spec.Placement.Constraints = 60, []contract.Constraint{
			{Attribute: "instanceType", Operator: contract.In, Values: []string{"x1.32xlarge"}}}
		p.must(p.driver.RunJob(p.Context(), job))
		time.Sleep(30 * time.Second)
		seen, err := p.driver.ObserveJob(p.Context(), job)
		if err != nil || seen.State != orchestrator.JobRunning || !strings.Contains(seen.Reason, "no node has the attributes") {
			p.Errorf("without room: %+v, %v", seen, err)
		}
		time.Sleep(time.Minute)
		seen, err = p.driver.ObserveJob(p.Context(), job)
		if err != nil || seen.State != orchestrator.JobFailed || seen.Reason != "it did not end by its deadline" || seen.EndedAt.IsZero() {
			p.Errorf("past its deadline: %+v, %v", seen, err)
		}
	})
}

// A drain waits for the task of a job to end.
func TestADrainLeavesJobsTheirTime(t *testing.T) {
	onPier(t, func(p *pier) {
		job := p.job("batch")
		p.must(p.driver.RunJob(p.Context(), job))
		time.Sleep(time.Second)
		page, err := p.driver.ListNodes(p.Context(), orchestrator.NodeQuery{Cluster: p.ref})
		p.must(err)
		i := slices.IndexFunc(page.Nodes, func(n orchestrator.Node) bool { return n.Tasks > 0 })
		if i < 0 {
			p.Fatalf("no node has the task: %+v", page.Nodes)
		}
		node := orchestrator.NodeRef{Cluster: p.ref, ID: page.Nodes[i].ID}
		p.must(p.driver.Drain(p.Context(), node))
		if status, err := p.driver.DrainStatus(p.Context(), node); err != nil || status.TasksLeft != 1 {
			p.Errorf("right after: %+v, %v", status, err)
		}
		for start := time.Now(); ; time.Sleep(5 * time.Second) {
			p.must(p.driver.Drain(p.Context(), node))
			status, err := p.driver.DrainStatus(p.Context(), node)
			p.must(err)
			if status.Drained() {
				break
			}
			if time.Since(start) > 5*time.Minute {
				p.Fatalf("it does not end: %+v", status)
			}
		}
		if seen, err := p.driver.ObserveJob(p.Context(), job); err != nil || seen.State != orchestrator.JobSucceeded || seen.Failed != 0 {
			p.Errorf("the job is %+v, %v", seen, err)
		}
	})
}

func TestAJobThatCannotRunIsRefused(t *testing.T) {
	onPier(t, func(p *pier) {
		job := p.job("batch")
		job.Name = "no.name"
		if err := p.driver.RunJob(p.Context(), job); !fault.IsInvalid(err) {
			p.Errorf("got %v", err)
		}
		job = p.job("batch")
		job.Spec.Kubernetes.Namespace = "not-there"
		err := p.driver.RunJob(p.Context(), job)
		if !fault.IsInvalid(err) || !strings.Contains(err.Error(), "there is no namespace not-there") {
			p.Errorf("got %v", err)
		}
	})
}
