package local_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/local"
	"portolan/shared/contract"
)

// A job on a swarm is given what the swarm has under a name, and says so when it has not.
func TestJobsOnASwarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		provisioned(t, l, swarmOf(t, l, 1))
		docker := dockerAt(t, l, instances(t, l)[0], "portolan/storefront/fleet/swarm-client", "fleet.swarm.portolan.internal")
		_, err := docker.ConfigCreate(t.Context(), client.ConfigCreateOptions{Spec: swarm.ConfigSpec{
			Annotations: swarm.Annotations{Name: "schema"}, Data: []byte("version: 7")}})
		if err != nil {
			t.Fatal(err)
		}
		spec := contract.JobSpec{Image: "example.com/exit-0:1", Memory: contract.Memory{LimitMiB: 64},
			Swarm: contract.SwarmJob{Configs: []contract.SwarmFile{{Name: "schema", Path: "/etc/schema"}}}}
		job := ranJob(t, l, "migrate", spec, contract.OperationSucceeded)
		if job.Status != contract.JobSucceeded || job.ExitCode == nil || *job.ExitCode != 0 {
			t.Errorf("the job is %+v", job)
		}

		spec.Swarm.Configs[0].Name = "missing"
		job = ranJob(t, l, "again", spec, contract.OperationFailedClean)
		if job.Status != contract.JobFailed || !strings.Contains(job.StatusReason, "no config \"missing\"") {
			t.Errorf("the job is %+v", job)
		}
		var refused contract.Problem
		spec.Container = "migrate"
		if status := request(t, l, http.MethodPut, "/v1/clusters/fleet/jobs/third", spec, &refused); status != http.StatusUnprocessableEntity {
			t.Errorf("a job with a container's name: %d", status)
		}
	})
}

// ranJob runs a job, whose operation has to end so, and returns it.
func ranJob(t *testing.T, l *local.Local, name string, spec contract.JobSpec, end contract.OperationStatus) contract.Job {
	t.Helper()
	path := "/v1/clusters/fleet/jobs/" + name
	if o := put(t, l, http.MethodPut, path, spec); o.Status != end {
		t.Errorf("job %s ended %s: %s", name, o.Status, o.Reason)
	}
	var job contract.Job
	if status := request(t, l, http.MethodGet, path, nil, &job); status != http.StatusOK {
		t.Fatalf("job %s cannot be seen: %d", name, status)
	}
	return job
}
