package controllers

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"portolan/local/kubernetes/store"
)

var jobKind = batchv1.SchemeGroupVersion.WithKind("Job")

// job runs the pods of a job until enough of them succeeded or too many failed.
func (c *Controllers) job(tx *store.Tx, namespace, name string) {
	before, ok := store.Get[*batchv1.Job](tx, "jobs", namespace, name)
	if !ok || before.DeletionTimestamp != nil {
		return
	}
	if jobEnded(before) {
		c.expire(tx, before)
		return
	}
	edit(tx, "jobs", before, func(j *batchv1.Job) { c.work(tx, j) })
}

func jobEnded(j *batchv1.Job) bool {
	return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}

// work takes a job one step further.
func (c *Controllers) work(tx *store.Tx, j *batchv1.Job) {
	suspended := j.Spec.Suspend != nil && *j.Spec.Suspend
	if j.Status.StartTime == nil && !suspended {
		now := c.stamp()
		j.Status.StartTime = &now
	}
	var running []*corev1.Pod
	var failed, succeeded, restarted, isReady int32
	var lastFailure time.Time
	for _, p := range owned[*corev1.Pod](tx, "pods", j) {
		switch {
		case p.Status.Phase == corev1.PodSucceeded:
			succeeded++
		case p.Status.Phase == corev1.PodFailed:
			failed++
			lastFailure = latest(lastFailure, endOf(p))
		case p.DeletionTimestamp == nil:
			running = append(running, p)
			restarted += int32(restarts(p))
			if ready(p) {
				isReady++
			}
		}
	}
	s := &j.Status
	s.Failed, s.Succeeded, s.Ready = max(s.Failed, failed), max(s.Succeeded, succeeded), &isReady
	s.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	enough := j.Spec.Completions != nil && s.Succeeded >= *j.Spec.Completions ||
		j.Spec.Completions == nil && s.Succeeded > 0 && len(running) == 0
	switch {
	case s.Failed+restarted > *j.Spec.BackoffLimit:
		c.endJob(tx, j, running, batchv1.JobFailed, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
		return
	case c.overdue(j):
		c.endJob(tx, j, running, batchv1.JobFailed, "DeadlineExceeded", "Job was active longer than specified deadline")
		return
	case enough:
		c.endJob(tx, j, running, batchv1.JobComplete, "CompletionsReached", "Reached expected number of succeeded pods")
		return
	}
	if suspended {
		for _, p := range running {
			c.remove(tx, "pods", p)
		}
		s.Active = 0
		return
	}
	s.Active = int32(len(running)) + c.startWorkers(tx, j, int32(len(running)), lastFailure)
}

// startWorkers starts what is missing, later the more often pods failed.
func (c *Controllers) startWorkers(tx *store.Tx, j *batchv1.Job, running int32, lastFailure time.Time) (started int32) {
	want := *j.Spec.Parallelism
	if j.Spec.Completions != nil {
		want = min(want, *j.Spec.Completions-j.Status.Succeeded)
	}
	if j.Status.Failed > 0 {
		if wait := lastFailure.Add(backOff(int(j.Status.Failed))).Sub(c.now()); wait > 0 {
			c.wake("job", j.Namespace, j.Name, wait)
			return 0
		}
	}
	for ; running+started < want; started++ {
		p := podOf(&j.Spec.Template, j, jobKind, tx.FreeName("pods", j.Namespace, j.Name+"-"))
		made, ok := create(tx, "pods", p)
		if !ok {
			break
		}
		c.say(tx, "jobs", j, "job-controller", "SuccessfulCreate", "Created pod: %s", made.Name)
	}
	return started
}

// overdue says whether a job's deadline has passed.
func (c *Controllers) overdue(j *batchv1.Job) bool {
	if j.Spec.ActiveDeadlineSeconds == nil || j.Status.StartTime == nil {
		return false
	}
	left := j.Status.StartTime.Add(time.Duration(*j.Spec.ActiveDeadlineSeconds) * time.Second).Sub(c.now())
	if left > 0 {
		c.wake("job", j.Namespace, j.Name, left)
	}
	return left <= 0
}

func (c *Controllers) endJob(tx *store.Tx, j *batchv1.Job, running []*corev1.Pod, of batchv1.JobConditionType, reason, message string) {
	for _, p := range running {
		c.remove(tx, "pods", p)
		if of == batchv1.JobFailed {
			j.Status.Failed++
		}
	}
	before := batchv1.JobFailureTarget
	if of == batchv1.JobComplete {
		before = batchv1.JobSuccessCriteriaMet
		now := c.stamp()
		j.Status.CompletionTime = &now
	}
	for _, kind := range []batchv1.JobConditionType{before, of} {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason,
			Message: message, LastProbeTime: c.stamp(), LastTransitionTime: c.stamp()})
	}
	j.Status.Active, j.Status.Ready = 0, pointer(int32(0))
	if of == batchv1.JobFailed {
		c.say(tx, "jobs", j, "job-controller", reason, "%s", message)
	} else {
		c.say(tx, "jobs", j, "job-controller", "Completed", "Job completed")
	}
}

// expire removes a job that ended, after the time that it asks to be kept.
func (c *Controllers) expire(tx *store.Tx, j *batchv1.Job) {
	if j.Spec.TTLSecondsAfterFinished == nil {
		return
	}
	end := j.Status.Conditions[len(j.Status.Conditions)-1].LastTransitionTime
	if left := end.Add(time.Duration(*j.Spec.TTLSecondsAfterFinished) * time.Second).Sub(c.now()); left > 0 {
		c.wake("job", j.Namespace, j.Name, left)
		return
	}
	c.remove(tx, "jobs", j)
}

// endOf is when the last of a pod's containers ended.
func endOf(p *corev1.Pod) (end time.Time) {
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Terminated != nil {
			end = latest(end, s.State.Terminated.FinishedAt.Time)
		}
	}
	return end
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
