package service

import (
	"context"
	"time"

	"portolan/shared/decide"
	"portolan/shared/orchestrator"
)

const (
	// listenMax is how long one call listens to an orchestrator; the function's
	// time-out is longer. What is wanted may change meanwhile, and is looked at then.
	listenMax = 5 * time.Minute

	// breath is the pause between two calls that listen.
	breath = time.Second
)

// watch starts the watch over something that may take so long.
func (h *Handler) watch(w *work, s State, allowed time.Duration) State {
	s.Deadline, s.Looks, s.Verdict = h.Now().Add(allowed), 0, decide.Progressing
	s.LookAfterSeconds = h.lookAfter(w, s)
	return s
}

// looked counts a look and keeps what it led to.
func (h *Handler) looked(w *work, s State, verdict decide.Verdict, reason string) State {
	s.Looks++
	s.Verdict, s.Reason = verdict, reason
	s.LookAfterSeconds = h.lookAfter(w, s)
	return s
}

// lookAfter is how long the machine waits for an event before the next look. It
// waits for none where the look itself listens.
func (h *Handler) lookAfter(w *work, s State) int {
	wait := decide.LookAfter(s.Deadline, h.Now())
	if _, listens := w.driver.(orchestrator.Watcher); listens {
		wait = breath
	}
	return int(wait / time.Second)
}

// observe looks at the service; where the orchestrator sends no events, it listens
// until the rollout has ended or the time is up.
func (h *Handler) observe(ctx context.Context, w *work) (orchestrator.Observation, error) {
	watcher, listens := w.driver.(orchestrator.Watcher)
	if !listens {
		return w.driver.Observe(ctx, w.ref())
	}
	until := h.Now().Add(listenMax)
	if w.State.Deadline.Before(until) {
		until = w.State.Deadline
	}
	return watcher.Watch(ctx, w.ref(), until)
}
