package decide_test

import (
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	. "portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

func TestRunJob(t *testing.T) {
	cluster := &model.Cluster{Spec: contract.ClusterSpec{Name: "shop", Team: "storefront"}}
	spec := contract.JobSpec{Image: "migrate:1", Command: []string{}}
	made, refused := RunJob(cluster, "migrate", nil, spec, time.Unix(9, 0))
	if refused != "" || made.Kind != contract.KindRunJob || made.Job.Status != contract.JobPending || made.Job.Team != "storefront" {
		t.Errorf("a new one: %+v, %q", made, refused)
	}
	same := spec
	same.Command = nil // says the same
	if again, refused := RunJob(cluster, "migrate", &made.Job, same, time.Unix(99, 0)); refused != "" || again.Kind != "" {
		t.Errorf("the same again: %+v, %q", again, refused)
	}
	other := spec
	other.Retries = 1
	if _, refused := RunJob(cluster, "migrate", &made.Job, other, time.Unix(99, 0)); !strings.Contains(refused, "choose another name") {
		t.Errorf("another description: %q", refused)
	}
}

func TestStopJob(t *testing.T) {
	for _, test := range []struct {
		status contract.JobStatus
		left   []string
		busy   bool
		after  contract.JobStatus
		kind   contract.OperationKind
	}{
		{contract.JobPending, nil, true, contract.JobStopping, contract.KindRunJob},
		{contract.JobRunning, nil, true, contract.JobStopping, contract.KindRunJob},
		{contract.JobSucceeded, nil, false, contract.JobSucceeded, ""},
		{contract.JobStopped, nil, false, contract.JobStopped, ""},
		{contract.JobSucceeded, []string{"Job shop/migrate"}, false, contract.JobSucceeded, contract.KindRunJob},
		{contract.JobLost, []string{"job/shop/migrate"}, false, contract.JobStopping, contract.KindRunJob},
	} {
		change := StopJob(model.Job{Status: test.status, Left: test.left}, test.busy)
		if change.Job.Status != test.after || change.Kind != test.kind || change.Reason == "" {
			t.Errorf("%s with %v left: %+v", test.status, test.left, change)
		}
	}
}

func TestWatchJob(t *testing.T) {
	began := time.Unix(0, 0)
	seen := func(state orchestrator.JobState, reason string) *orchestrator.JobObservation {
		return &orchestrator.JobObservation{State: state, Reason: reason}
	}
	for name, test := range map[string]struct {
		status  contract.JobStatus
		seen    *orchestrator.JobObservation
		after   time.Duration
		verdict Verdict
		reason  string
		becomes contract.JobStatus
	}{
		"well":             {contract.JobRunning, seen(orchestrator.JobSucceeded, ""), time.Minute, Healthy, "ended well", contract.JobSucceeded},
		"well but late":    {contract.JobRunning, seen(orchestrator.JobSucceeded, ""), time.Hour, Healthy, "ended well", contract.JobSucceeded},
		"well though stop": {contract.JobStopping, seen(orchestrator.JobSucceeded, ""), time.Minute, Healthy, "ended well", contract.JobSucceeded},
		"failed":           {contract.JobRunning, seen(orchestrator.JobFailed, "code 1"), time.Minute, Failed, "code 1", contract.JobFailed},
		"no reason":        {contract.JobRunning, seen(orchestrator.JobFailed, ""), time.Minute, Failed, "no reason", contract.JobFailed},
		"stopped":          {contract.JobStopping, seen(orchestrator.JobRunning, ""), time.Minute, Failed, "team asked", contract.JobStopped},
		"stopped unseen":   {contract.JobStopping, nil, time.Minute, Failed, "team asked", contract.JobStopped},
		"gone":             {contract.JobRunning, nil, time.Minute, Failed, "nobody knows", contract.JobFailed},
		"runs":             {contract.JobRunning, seen(orchestrator.JobRunning, ""), time.Minute, Progressing, "runs", contract.JobRunning},
		"first seen":       {contract.JobPending, seen(orchestrator.JobRunning, ""), 0, Progressing, "runs", contract.JobRunning},
		"no room":          {contract.JobPending, nil, time.Minute, Progressing, "not started", contract.JobPending},
		"slow pull":        {contract.JobRunning, seen(orchestrator.JobRunning, "pull"), time.Minute, Progressing, "pull", contract.JobRunning},
		"late":             {contract.JobRunning, seen(orchestrator.JobRunning, ""), time.Hour, Failed, "by its deadline", contract.JobFailed},
		"late with reason": {contract.JobRunning, seen(orchestrator.JobRunning, "pull"), time.Hour, Failed, "deadline: pull", contract.JobFailed},
		"late and unseen":  {contract.JobPending, nil, time.Hour, Failed, "by its deadline", contract.JobFailed},
	} {
		job := model.Job{Status: test.status, StartedAt: began, Spec: contract.JobSpec{DeadlineSeconds: 600}}
		now := began.Add(test.after)
		verdict, reason := WatchJob(&job, test.seen, now)
		if verdict != test.verdict || !strings.Contains(reason, test.reason) {
			t.Errorf("%s: %s, %q", name, verdict, reason)
		}
		after := SeeJob(job, test.seen, verdict, reason, now)
		if after.Status != test.becomes || JobEnded(&after) == after.EndedAt.IsZero() {
			t.Errorf("%s: it becomes %+v", name, after)
		}
	}
}

func TestFinishJob(t *testing.T) {
	end := time.Unix(99, 0)
	for _, test := range []struct {
		status contract.JobStatus
		ended  contract.OperationStatus
		left   []string
		after  contract.JobStatus
	}{
		{contract.JobSucceeded, contract.OperationSucceeded, nil, contract.JobSucceeded},
		{contract.JobFailed, contract.OperationFailedClean, nil, contract.JobFailed},
		{contract.JobSucceeded, contract.OperationFailedDirty, []string{"Job shop/migrate"}, contract.JobSucceeded},
		{contract.JobRunning, contract.OperationFailedDirty, []string{"job/shop/migrate"}, contract.JobLost},
		{contract.JobPending, contract.OperationFailedClean, nil, contract.JobFailed},
	} {
		o := model.Operation{Status: test.ended, Reason: "why", Left: test.left, EndedAt: end}
		if got := FinishJob(model.Job{Status: test.status}, o); got.Status != test.after || len(got.Left) != len(test.left) {
			t.Errorf("%s, ended %s: %+v", test.status, test.ended, got)
		}
	}
}

// A day's job is looked at a few hundred times, and a minute's every few seconds.
func TestLooksAtAJobAreFew(t *testing.T) {
	began, looks := time.Unix(0, 0), 0
	for at := began; at.Sub(began) < 24*time.Hour; looks++ {
		next := JobLookAfter(began, at)
		if at.Sub(began) < time.Minute && next > 15*time.Second {
			t.Errorf("after %s, the next look is in %s", at.Sub(began), next)
		}
		at = at.Add(next)
	}
	if looks > 400 {
		t.Errorf("%d looks", looks)
	}
}

func TestCheckJob(t *testing.T) {
	spec := contract.JobSpec{Placement: contract.Placement{Spread: []contract.PlacementSpread{contract.Zone}},
		Kubernetes: contract.KubernetesService{ForceConflicts: true, IngressClass: "alb"}}
	if fields := CheckJob(spec); len(fields) != 3 {
		t.Errorf("got %v", fields)
	}
}
