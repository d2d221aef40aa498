package decide_test

import (
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/orchestrator"
)

var begun = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestWatchRollout(t *testing.T) {
	rollout := func(release int64, state orchestrator.RolloutState, reason string) orchestrator.Observation {
		return orchestrator.Observation{Desired: 2, Running: 1, Pending: 1,
			Rollout: orchestrator.Rollout{Release: release, State: state, Reason: reason}}
	}
	foreign := rollout(0, orchestrator.RolledOut, "")
	foreign.Foreign = "nginx:1"
	tests := []struct {
		name   string
		seen   orchestrator.Observation
		late   bool
		want   decide.Verdict
		reason string
	}{
		{"rolled out", rollout(2, orchestrator.RolledOut, ""), false, decide.Healthy, "release 2 is in effect"},
		{"rolled out, late", rollout(2, orchestrator.RolledOut, ""), true, decide.Healthy, "release 2 is in effect"},
		{"failed", rollout(2, orchestrator.Failed, "exit code 1"), false, decide.Failed, "release 2 failed: exit code 1"},
		{"failed without a reason", rollout(2, orchestrator.Failed, ""), false, decide.Failed, "gives no reason"},
		{"under way", rollout(2, orchestrator.InProgress, ""), false, decide.Progressing, "1 of 2 tasks run, 1 are starting"},
		{"under way with trouble", rollout(2, orchestrator.InProgress, "no room"), false, decide.Progressing, "no room"},
		{"under way at the deadline", rollout(2, orchestrator.InProgress, "no room"), true, decide.Failed, "by its deadline: no room"},
		{"another release failed", rollout(1, orchestrator.Failed, ""), false, decide.Progressing, "release 1 is in its place"},
		{"another release is out", rollout(1, orchestrator.RolledOut, ""), true, decide.Failed, "release 1 is in its place"},
		{"somebody else's", foreign, false, decide.Progressing, "somebody else put nginx:1 into effect"},
	}
	for _, test := range tests {
		now := begun
		if test.late {
			now = begun.Add(time.Hour)
		}
		verdict, reason := decide.WatchRollout(test.seen, 2, begun.Add(time.Hour), now)
		if verdict != test.want || !strings.Contains(reason, test.reason) {
			t.Errorf("%s: %s: %s", test.name, verdict, reason)
		}
	}
}

func TestWatchScale(t *testing.T) {
	tests := []struct {
		desired, running, pending int
		late                      bool
		want                      decide.Verdict
	}{
		{4, 4, 0, false, decide.Healthy},
		{4, 4, 0, true, decide.Healthy},
		{4, 3, 1, false, decide.Progressing},
		{4, 4, 1, false, decide.Progressing}, // one of them is being replaced
		{2, 4, 0, false, decide.Progressing}, // the wish did not arrive yet
		{4, 5, 0, false, decide.Progressing}, // one too many still runs
		{4, 3, 1, true, decide.Failed},
	}
	for _, test := range tests {
		now := begun
		if test.late {
			now = begun.Add(time.Minute)
		}
		seen := orchestrator.Observation{Desired: test.desired, Running: test.running, Pending: test.pending}
		if verdict, reason := decide.WatchScale(seen, 4, begun.Add(time.Minute), now); verdict != test.want {
			t.Errorf("%+v: %s: %s", test, verdict, reason)
		}
	}
}

func TestRolloutDeadline(t *testing.T) {
	if got := decide.RolloutDeadline(contract.ServiceSpec{}); got != decide.DefaultRolloutDeadline {
		t.Errorf("by default %s", got)
	}
	if got := decide.RolloutDeadline(contract.ServiceSpec{Rollout: contract.Rollout{DeadlineSeconds: 90}}); got != 90*time.Second {
		t.Errorf("as told %s", got)
	}
}

// A machine sleeps neither too short, which costs, nor so long that it is late.
func TestLookAfter(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{
		-time.Hour: 20 * time.Second, 0: 20 * time.Second, time.Minute: 20 * time.Second,
		15 * time.Minute: 45 * time.Second, 24 * time.Hour: 5 * time.Minute,
		100*time.Minute + 7*time.Second: 5 * time.Minute,
		10*time.Minute + 7*time.Second:  30 * time.Second,
	} {
		if got := decide.LookAfter(begun.Add(left), begun); got != want {
			t.Errorf("with %s left: %s, want %s", left, got, want)
		}
	}
}
