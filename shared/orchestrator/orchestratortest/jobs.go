package orchestratortest

import (
	"slices"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// job returns a job that fits on every capacity.
func (f *fixture) job(image string, retries int) orchestrator.Job {
	spec := contract.JobSpec{
		Image: f.image(image) + ":1", Cpu: 256, Memory: contract.Memory{LimitMiB: 64}, Role: role, Retries: retries,
		DeadlineSeconds: 3600,
	}
	if !f.caps.Nodes {
		spec.Memory.LimitMiB = 512
	}
	return orchestrator.Job{Cluster: f.Cluster, Name: "migrate", Spec: spec, Operation: "01JOB"}
}

// jobs returns the driver as one of jobs. One that runs none says so.
func (f *fixture) jobs() orchestrator.Jobs {
	f.Helper()
	jobs, runs := f.Orchestrator.(orchestrator.Jobs)
	if runs != f.caps.Jobs {
		f.Fatalf("it can run jobs: %t, and says: %t", runs, f.caps.Jobs)
	}
	return jobs
}

// finish runs a job to its end, as the control plane does.
func (f *fixture) finish(job orchestrator.Job) orchestrator.JobObservation {
	f.Helper()
	jobs := f.jobs()
	if err := jobs.RunJob(f.Context(), job); err != nil {
		f.Fatalf("running the job: %v", err)
	}
	for start := time.Now(); ; time.Sleep(f.pause) {
		seen, err := jobs.ObserveJob(f.Context(), job)
		if err != nil {
			f.Fatalf("observing the job: %v", err)
		}
		if seen.Again {
			if err := jobs.RunJob(f.Context(), job); err != nil {
				f.Fatalf("running the job again: %v", err)
			}
		}
		if seen.State != orchestrator.JobRunning {
			return seen
		}
		if time.Since(start) > f.patience {
			f.Fatalf("the job does not end: %+v", seen)
		}
	}
}

// removeJob removes a job until nothing is left of it.
func (f *fixture) removeJob(job orchestrator.Job) {
	f.Helper()
	for start := time.Now(); ; time.Sleep(f.pause) {
		left, err := f.jobs().RemoveJob(f.Context(), job)
		if err != nil {
			f.Fatalf("removing the job: %v", err)
		}
		if len(left) == 0 {
			break
		}
		if time.Since(start) > f.patience {
			f.Fatalf("still left: %q", left)
		}
	}
	if left := f.Left(f.T); len(left) > 0 {
		f.Errorf("the job left %q", left)
	}
}

func testJobEndsWell(f *fixture) {
	if f.jobs() == nil {
		return
	}
	job := f.job("exit-0", 0)
	seen := f.finish(job)
	if seen.State != orchestrator.JobSucceeded || seen.ExitCode == nil || *seen.ExitCode != 0 || seen.Failed != 0 || seen.Reason != "" {
		f.Errorf("got %+v", seen)
	}
	if seen.Task == "" || seen.StartedAt.IsZero() || seen.EndedAt.IsZero() {
		f.Errorf("got %+v", seen)
	}
	// The same job again starts nothing.
	if again := f.finish(job); again.Task != seen.Task || again.State != orchestrator.JobSucceeded {
		f.Errorf("run again it was %+v", again)
	}
	f.removeJob(job)
	f.removeJob(job)
}

func testJobRunsOnce(f *fixture) {
	if f.jobs() == nil {
		return
	}
	job := f.job("exit-1", 0)
	for range 3 {
		if err := f.jobs().RunJob(f.Context(), job); err != nil {
			f.Fatal(err)
		}
	}
	seen := f.finish(job)
	if seen.State != orchestrator.JobFailed || seen.Failed != 1 || seen.ExitCode == nil || *seen.ExitCode != 1 ||
		!strings.Contains(seen.Reason, "exited with code 1") {
		f.Errorf("got %+v", seen)
	}
	f.removeJob(job)
}

func testJobIsTriedAgain(f *fixture) {
	if f.jobs() == nil {
		return
	}
	job := f.job("exit-1", 2)
	if seen := f.finish(job); seen.State != orchestrator.JobFailed || seen.Failed != 3 || seen.Again {
		f.Errorf("got %+v", seen)
	}
	f.removeJob(job)
}

func testJobThatCannotBePulledFails(f *fixture) {
	if f.jobs() == nil {
		return
	}
	job := f.job("pull-fail", 0)
	seen := f.finish(job)
	if seen.State != orchestrator.JobFailed || seen.ExitCode != nil || !strings.Contains(seen.Reason, "could not be pulled") {
		f.Errorf("got %+v", seen)
	}
	f.removeJob(job)
}

func testJobIsStopped(f *fixture) {
	if f.jobs() == nil {
		return
	}
	job := f.job("exit-0", 0)
	if err := f.jobs().RunJob(f.Context(), job); err != nil {
		f.Fatal(err)
	}
	f.removeJob(job)
	seen, err := f.jobs().ObserveJob(f.Context(), job)
	gone := fault.IsNotFound(err) || err == nil && seen.State == orchestrator.JobFailed && !seen.Again
	if !gone {
		f.Errorf("it is %+v, %v", seen, err)
	}
}

func testJobThatIsNotThere(f *fixture) {
	if f.jobs() == nil {
		return
	}
	job := f.job("exit-0", 0)
	_, err := f.jobs().ObserveJob(f.Context(), job)
	wantNotFound(f, "observing a job", err)
	f.removeJob(job)
}

// A job and a service of one name are two things.
func testJobBesideAServiceOfItsName(f *fixture) {
	if f.jobs() == nil {
		return
	}
	f.apply(f.release(1, "web", 1))
	f.awaitHealthy(1, 1)
	before := ids(f.tasks(false, 0))
	job := f.job("exit-0", 0)
	job.Name = serviceName
	if seen := f.finish(job); seen.State != orchestrator.JobSucceeded {
		f.Errorf("got %+v", seen)
	}
	if tasks := ids(f.tasks(false, 0)); !slices.Equal(tasks, before) {
		f.Errorf("the service has the tasks %q, and had %q", tasks, before)
	}
	for start := time.Now(); ; time.Sleep(f.pause) {
		left, err := f.jobs().RemoveJob(f.Context(), job)
		if err != nil || time.Since(start) > f.patience {
			f.Fatalf("left are %q, %v", left, err)
		}
		if len(left) == 0 {
			break
		}
	}
	f.awaitHealthy(1, 1)
	f.remove()
	if left := f.Left(f.T); len(left) > 0 {
		f.Errorf("left are %q", left)
	}
}
