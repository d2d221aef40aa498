package decide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// JobEnded says whether a job has come to its end, and will run no more.
func JobEnded(j *model.Job) bool {
	switch j.Status {
	case contract.JobSucceeded, contract.JobFailed, contract.JobStopped:
		return true
	}
	return false
}

// CheckJob returns what is wrong with a description of a job beyond what its schema says,
// on whatever orchestrator.
func CheckJob(spec contract.JobSpec) []fault.Field {
	var b blame
	if len(spec.Placement.Spread) > 0 {
		b.add("/placement/spread", "must be left out: a job has one task at a time")
	}
	if spec.Kubernetes.ForceConflicts {
		b.add("/kubernetes/forceConflicts", "must be left out: a job is made once, and takes over nothing")
	}
	if spec.Kubernetes.IngressClass != "" {
		b.add("/kubernetes/ingressClass", "must be left out: nothing forwards requests to a job")
	}
	return b
}

// A JobChange is what a wish changes of a job. Kind is empty when there is nothing to do.
type JobChange struct {
	Job    model.Job
	Kind   contract.OperationKind
	Reason string
}

// RunJob decides what a team's description of a job leads to. A job runs once: the same
// description again changes nothing, and another one is refused with a reason. current is
// nil for a new job.
func RunJob(cluster *model.Cluster, name string, current *model.Job, spec contract.JobSpec, now time.Time) (JobChange, string) {
	if current == nil {
		job := model.Job{
			Cluster: cluster.Name(), Name: name, Team: cluster.Spec.Team, Spec: spec, Status: contract.JobPending, CreatedAt: now,
		}
		return JobChange{Job: job, Kind: contract.KindRunJob, Reason: "the job is new"}, ""
	}
	// The contract's types come from JSON, and always have one.
	one, _ := json.Marshal(current.Spec)
	other, _ := json.Marshal(spec)
	if !bytes.Equal(one, other) {
		return JobChange{}, fmt.Sprintf("job %s of cluster %s was described otherwise, and a job runs once; choose another name",
			name, cluster.Name())
	}
	return JobChange{Job: *current, Reason: fmt.Sprintf("the job was asked for already, and is %s", current.Status)}, ""
}

// StopJob decides what the wish leads to that a job run no more. One that has ended is as
// wished, unless something of it is left. busy says whether its operation is at work or
// waits to be, which then sees the wish.
func StopJob(j model.Job, busy bool) JobChange {
	switch {
	case JobEnded(&j) && len(j.Left) == 0:
		return JobChange{Job: j, Reason: fmt.Sprintf("the job has ended: it is %s", j.Status)}
	case !JobEnded(&j):
		j.Status = contract.JobStopping
	}
	change := JobChange{Job: j, Kind: contract.KindRunJob, Reason: "the job is to be stopped"}
	if busy {
		change.Reason = "its operation is at work, and stops it"
	}
	return change
}

// JobDeadline is until when a job may run that was started then.
func JobDeadline(j *model.Job) time.Time {
	return j.StartedAt.Add((orchestrator.Job{Spec: j.Spec}).Deadline())
}

// WatchJob decides about a job by one look at it; seen is nil when the orchestrator does
// not know it.
func WatchJob(j *model.Job, seen *orchestrator.JobObservation, now time.Time) (Verdict, string) {
	late := !now.Before(JobDeadline(j))
	switch {
	case seen != nil && seen.State == orchestrator.JobSucceeded:
		return Healthy, "the job ended well"
	case seen != nil && seen.State == orchestrator.JobFailed:
		return Failed, "the job failed: " + orUnknown(seen.Reason)
	case j.Status == contract.JobStopping:
		return Failed, "the job was stopped, as its team asked"
	case seen == nil && j.Status == contract.JobRunning:
		return Failed, "the orchestrator knows nothing of the job any more: somebody else removed it, and how it ended nobody knows"
	case late && seen != nil && seen.Reason != "":
		return Failed, "the job did not end by its deadline: " + seen.Reason
	case late:
		return Failed, "the job did not end by its deadline"
	case seen == nil:
		return Progressing, "the job has not started yet"
	case seen.Reason != "":
		return Progressing, seen.Reason
	}
	return Progressing, "the job runs"
}

// SeeJob is a job with what one look saw of it and the verdict of that look.
func SeeJob(j model.Job, seen *orchestrator.JobObservation, verdict Verdict, reason string, now time.Time) model.Job {
	if seen != nil {
		j.ExitCode, j.Task, j.TasksFailed = seen.ExitCode, seen.Task, seen.Failed
	}
	switch {
	case verdict == Healthy:
		j.Status, j.Reason = contract.JobSucceeded, ""
	case verdict == Failed && j.Status == contract.JobStopping:
		j.Status, j.Reason = contract.JobStopped, reason
	case verdict == Failed:
		j.Status, j.Reason = contract.JobFailed, reason
	default:
		if j.Status == contract.JobPending && seen != nil {
			j.Status = contract.JobRunning
		}
		j.Reason = ""
		if seen == nil || seen.Reason != "" {
			j.Reason = reason
		}
		return j
	}
	j.EndedAt = now
	if seen != nil && !seen.EndedAt.IsZero() {
		j.EndedAt = seen.EndedAt
	}
	return j
}

// FinishJob is what the end of an operation on a job means for it. The steps have written
// the job's own end already, if they saw it.
func FinishJob(j model.Job, o model.Operation) model.Job {
	j.Left = o.Left
	if o.Status == contract.OperationFailedDirty && !JobEnded(&j) {
		j.Status, j.Reason = contract.JobLost, o.Reason
		return j
	}
	if !JobEnded(&j) {
		j.Status, j.Reason, j.EndedAt = contract.JobFailed, o.Reason, o.EndedAt
	}
	return j
}

// JobLookAfter is how long to sleep before the next look at a job: a quarter of the time
// that it runs already, so that a short one is soon seen to have ended and a long one
// costs few looks.
func JobLookAfter(started, now time.Time) time.Duration {
	return min(max(now.Sub(started)/4, jobLookSoonest), lookLatest).Round(time.Second)
}

const jobLookSoonest = 5 * time.Second
