package service

import (
	"context"
	"errors"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/step"
	"portolan/shared/store"
)

// removalPause is between two steps of a job's removal.
const removalPause = 10 * time.Second

// A task is what a step of a job works on.
type task struct {
	In
	job    *model.Job
	driver orchestrator.Jobs
	on     orchestrator.Job
}

// jobStep does one step of a job.
func (h *Handler) jobStep(ctx context.Context, in In) (State, error) {
	do := map[string]func(context.Context, *task) (State, error){
		"RunJob": h.runJob, "ObserveJob": h.observeJob, "RemoveJob": h.removeJob,
	}[in.Step]
	t, err := h.loadJob(ctx, in)
	if err != nil {
		return State{}, err
	}
	ctx, done := context.WithTimeout(ctx, actMax)
	defer done()
	out, err := do(ctx, t)
	if err != nil {
		return State{}, err
	}
	if out.Left == nil {
		out.Left = []string{}
	}
	h.Log.InfoContext(ctx, "step done", "step", in.Step, "operation", in.Operation, "target", in.Target,
		"verdict", out.Verdict, "reason", out.Reason)
	return out, nil
}

func (h *Handler) loadJob(ctx context.Context, in In) (*task, error) {
	target, err := in.JobTarget()
	if err != nil {
		return nil, err
	}
	t, cluster := &task{In: in, job: new(model.Job)}, new(model.Cluster)
	_, err = step.Enter(ctx, h.Store, in.Call, store.ReadCluster(target.Cluster, cluster),
		store.ReadJob(target.Cluster, target.Job, t.job))
	if err != nil {
		return nil, err
	}
	driver, runs := h.Orchestrator(cluster, in.Operation).(orchestrator.Jobs)
	if !runs {
		return nil, fault.New(fault.Invalid, "clusters of %s run no jobs", cluster.Spec.Orchestrator)
	}
	t.driver = driver
	t.on = orchestrator.Job{Cluster: cluster.Ref(), Name: t.job.Name, Spec: t.job.Spec, Operation: t.job.Operation}
	return t, nil
}

// runJob starts a job, unless it ran already: an execution that takes over from one that
// died only goes on with the watch. That it is about to be started is written before.
func (h *Handler) runJob(ctx context.Context, t *task) (State, error) {
	if decide.JobEnded(t.job) {
		return h.jobOver(t), nil
	}
	if t.job.Status == contract.JobPending {
		if t.job.StartedAt.IsZero() {
			t.job.StartedAt = h.Now()
			if err := h.writeJob(ctx, t); err != nil {
				return State{}, err
			}
		}
		if err := startJob(ctx, t); err != nil {
			return State{}, err
		}
	}
	return h.observeJob(ctx, t)
}

// startJob starts a job or its next task. That there is no room for it is what the job
// waits for until its deadline.
func startJob(ctx context.Context, t *task) error {
	err := t.driver.RunJob(ctx, t.on)
	var said *fault.Error
	if fault.IsUnavailable(err) && errors.As(err, &said) {
		t.State.Reason = said.Error()
		return nil
	}
	return err
}

// observeJob looks at a job, starts its next task where one failed, and keeps what it
// saw. The end of a job is written before anything of it is removed, so that nobody runs
// it once more because it is not there.
func (h *Handler) observeJob(ctx context.Context, t *task) (State, error) {
	if decide.JobEnded(t.job) {
		return h.jobOver(t), nil
	}
	found, err := t.driver.ObserveJob(ctx, t.on)
	seen := &found
	if fault.IsNotFound(err) {
		seen, err = nil, nil
	}
	if err != nil {
		return State{}, err
	}
	verdict, reason := decide.WatchJob(t.job, seen, h.Now())
	again := seen == nil && t.job.Status == contract.JobPending || seen != nil && seen.Again
	if verdict == decide.Progressing && again && t.Step != "RunJob" {
		t.State.Reason = ""
		if err := startJob(ctx, t); err != nil {
			return State{}, err
		}
	}
	if verdict == decide.Progressing && again && t.State.Reason != "" {
		reason = t.State.Reason
	}
	*t.job = decide.SeeJob(*t.job, seen, verdict, reason, h.Now())
	if err := h.writeJob(ctx, t); err != nil {
		return State{}, err
	}
	out := t.State
	out.Looks++
	out.Verdict, out.Reason = verdict, reason
	out.LookAfterSeconds = int(decide.JobLookAfter(t.job.StartedAt, h.Now()) / time.Second)
	return out, nil
}

// jobOver is the state of a job whose end is known.
func (h *Handler) jobOver(t *task) State {
	out := t.State
	out.Looks++
	out.Verdict, out.Reason = decide.Failed, t.job.Reason
	if t.job.Status == contract.JobSucceeded {
		out.Verdict, out.Reason = decide.Healthy, "the job ended well"
	}
	return out
}

// writeJob writes what is known of a job, as the version after the
// one that was read.
func (h *Handler) writeJob(ctx context.Context, t *task) error {
	if err := h.Store.Commit(ctx, t.Fence(), store.UpdateJob(*t.job)); err != nil {
		return err
	}
	t.job.Version++
	return nil
}

// removeJob takes the next step of removing what a job leaves on its cluster.
func (h *Handler) removeJob(ctx context.Context, t *task) (State, error) {
	left, err := t.driver.RemoveJob(ctx, t.on)
	if err != nil {
		return State{}, err
	}
	out := t.State
	out.Removals++
	out.Left, out.LookAfterSeconds = left, int(removalPause/time.Second)
	out.Removed = len(left) == 0
	return out, nil
}

// jobsMax bounds how many jobs of a cluster are stopped by one operation.
const jobsMax = 2000

// stopJobs asks that each job of a cluster stop that has not ended, and counts them.
func (h *Handler) stopJobs(ctx context.Context, in In, parent *model.Operation) (running int, err error) {
	page := store.Page{Limit: 100}
	for looked := 0; looked < jobsMax; {
		jobs, next, err := h.Store.Jobs(ctx, parent.Target.Cluster, page)
		if err != nil {
			return 0, err
		}
		for _, job := range jobs {
			if decide.JobEnded(&job) || job.Status == contract.JobLost {
				continue
			}
			running++
			if job.Status == contract.JobStopping {
				continue
			}
			job.Status = contract.JobStopping
			if err := h.Store.Commit(ctx, in.Fence(), store.UpdateJob(job)); fault.IgnoreConflict(err) != nil {
				return 0, err
			}
		}
		looked += len(jobs)
		if page.Next = next; next == "" {
			return running, nil
		}
	}
	return 0, fault.New(fault.Invalid, "cluster %s has more than %d jobs", parent.Target.Cluster, jobsMax)
}
