package service

import (
	"context"
	"fmt"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

// applyRelease puts the newest release into effect, which may be a newer one than
// the operation was asked for.
func (h *Handler) applyRelease(ctx context.Context, w *work) (State, error) {
	number := w.service.Release
	if number == 0 {
		return State{}, fault.New(fault.Invalid, "service %s has no release to put into effect", w.service.Name)
	}
	release, err := h.apply(ctx, w, number)
	if err != nil {
		return State{}, err
	}
	return h.watch(w, State{Release: number, Generation: w.service.Generation}, decide.RolloutDeadline(release.Spec)), nil
}

// observeRollout looks at the release and, once it is healthy, makes it the one
// in effect.
func (h *Handler) observeRollout(ctx context.Context, w *work) (State, error) {
	observation, err := h.observe(ctx, w)
	if fault.IsNotFound(err) {
		return h.looked(w, w.State, decide.Failed, "somebody else removed the service"), nil
	}
	if err != nil {
		return State{}, err
	}
	verdict, reason := decide.WatchRollout(observation, w.State.Release, w.State.Deadline, h.Now())
	if verdict, reason, err = h.keepScale(ctx, w, observation, verdict, reason); err != nil {
		return State{}, err
	}
	if verdict == decide.Healthy {
		if err := h.activate(ctx, w, observation); err != nil {
			return State{}, err
		}
	}
	return h.looked(w, w.State, verdict, reason), nil
}

// keepScale asks again for the tasks that are wanted when a release is healthy at
// another scale, and goes on with the watch: while an operation is at work, no drift
// is repaired but by the operation itself. Past the deadline it leaves the scale as
// it is.
func (h *Handler) keepScale(ctx context.Context, w *work, observation orchestrator.Observation,
	verdict decide.Verdict, reason string) (decide.Verdict, string, error) {
	wanted := replicas(w.service, observation)
	if verdict != decide.Healthy || observation.Desired == wanted || !h.Now().Before(w.State.Deadline) {
		return verdict, reason, nil
	}
	reason = fmt.Sprintf("%d tasks are asked for, and %d are wanted", observation.Desired, wanted)
	return decide.Progressing, reason, w.driver.Scale(ctx, w.ref(), wanted)
}

// activate writes that a release is in effect, and the one before it no more.
func (h *Handler) activate(ctx context.Context, w *work, observation orchestrator.Observation) error {
	writes := []store.Write{w.Fence()}
	before := w.service.ReleaseObserved
	service := healthy(seen(*w.service, observation), w.State.Generation)
	service.ReleaseObserved = w.State.Release
	if service.Release != w.State.Release {
		service = become(service, contract.ServiceDeploying) // a newer one waits for its turn
	}
	release, err := h.Store.Release(ctx, service.Cluster, service.Name, w.State.Release)
	if err != nil {
		return err
	}
	release.Status, release.Reason = contract.ReleaseActive, ""
	writes = append(writes, store.UpdateService(service), store.UpdateRelease(*release))
	if before > 0 && before != w.State.Release {
		last, err := h.Store.Release(ctx, service.Cluster, service.Name, before)
		if err != nil {
			return err
		}
		last.Status = contract.ReleaseSuperseded
		writes = append(writes, store.UpdateRelease(*last))
	}
	return h.Store.Commit(ctx, writes...)
}

// takeOver looks how far an execution came that died: either the release is in
// effect, or it has to be rolled back.
func (h *Handler) takeOver(ctx context.Context, w *work) (State, error) {
	number := w.operation.Release
	if number == 0 {
		number = w.service.Release
	}
	if w.service.ReleaseObserved >= number {
		return h.looked(w, State{Release: number}, decide.Healthy, fmt.Sprintf("release %d is in effect", number)), nil
	}
	release, err := h.Store.Release(ctx, w.service.Cluster, w.service.Name, number)
	if err != nil {
		return State{}, err
	}
	reason := w.operation.TakenOver
	if release.Status == contract.ReleaseRolledBack {
		reason = release.Reason
	}
	return h.looked(w, State{Release: number, Generation: w.service.Generation}, decide.Failed, reason), nil
}

// rollBack puts the release before into effect again, at the scale of now. With
// none before, the service is taken away.
func (h *Handler) rollBack(ctx context.Context, w *work) (State, error) {
	out := w.State
	out.Failure, out.FailedRelease = w.State.Reason, w.State.Release
	if out.FailedRelease == 0 {
		out.FailedRelease = w.service.Release
	}
	if out.FailedRelease == w.service.ReleaseObserved {
		return State{}, fault.New(fault.Invalid, "release %d fails and was in effect before: %s", out.FailedRelease, out.Failure)
	}
	out.Release = w.service.ReleaseObserved
	if out.Release == 0 {
		_, err := w.driver.Remove(ctx, w.ref())
		return h.watch(w, out, decide.DefaultRolloutDeadline), err
	}
	release, err := h.apply(ctx, w, out.Release)
	if err != nil {
		return State{}, err
	}
	return h.watch(w, out, decide.RolloutDeadline(release.Spec)), nil
}

// observeRollBack looks at the release before and, once it is healthy, writes that
// the failed one was rolled back.
func (h *Handler) observeRollBack(ctx context.Context, w *work) (State, error) {
	verdict, reason, observation, err := h.lookAtRollBack(ctx, w)
	if err != nil {
		return State{}, err
	}
	out := h.looked(w, w.State, verdict, reason)
	switch verdict {
	case decide.Failed:
		out.Left = []string{serviceName(w.service)}
	case decide.Healthy:
		return out, h.restore(ctx, w, observation)
	}
	return out, nil
}

func (h *Handler) lookAtRollBack(ctx context.Context, w *work) (decide.Verdict, string, orchestrator.Observation, error) {
	var none orchestrator.Observation
	if w.State.Release > 0 {
		observation, err := h.observe(ctx, w)
		if err != nil {
			return "", "", none, err
		}
		verdict, reason := decide.WatchRollout(observation, w.State.Release, w.State.Deadline, h.Now())
		verdict, reason, err = h.keepScale(ctx, w, observation, verdict, reason)
		return verdict, reason, observation, err
	}
	left, err := w.driver.Remove(ctx, w.ref())
	switch {
	case err != nil:
		return "", "", none, err
	case len(left) == 0:
		return decide.Healthy, "the service is removed", none, nil
	case !h.Now().Before(w.State.Deadline):
		return decide.Failed, fmt.Sprintf("still there: %v", left), none, nil
	}
	return decide.Progressing, fmt.Sprintf("still there: %v", left), none, nil
}

// restore writes that a failed release was rolled back. A release that is wanted
// since then stays wanted.
func (h *Handler) restore(ctx context.Context, w *work, observation orchestrator.Observation) error {
	failed, err := h.Store.Release(ctx, w.service.Cluster, w.service.Name, w.State.FailedRelease)
	if err != nil {
		return err
	}
	failed.Status, failed.Reason = contract.ReleaseRolledBack, w.State.Failure
	service := seen(*w.service, observation)
	if service.Release == failed.Number {
		service.Release = w.State.Release
		service = healthy(service, w.State.Generation)
		if w.State.Release == 0 {
			service = become(service, contract.ServiceRetired)
		}
		service.Reason = w.State.Failure
	}
	return h.Store.Commit(ctx, w.Fence(), store.UpdateService(service), store.UpdateRelease(*failed))
}

// repair puts what is wanted into effect again.
func (h *Handler) repair(ctx context.Context, w *work) (State, error) {
	number := w.service.Release
	if w.service.Status == contract.ServiceDeploying && w.service.ReleaseObserved > 0 {
		number = w.service.ReleaseObserved // the newer one has an operation of its own
	}
	release, err := h.apply(ctx, w, number)
	if err != nil {
		return State{}, err
	}
	return h.watch(w, State{Release: number, Generation: w.service.Generation}, decide.RolloutDeadline(release.Spec)), nil
}

// observeRepair looks whether a service is as wanted again.
func (h *Handler) observeRepair(ctx context.Context, w *work) (State, error) {
	observation, err := h.observe(ctx, w)
	if err != nil {
		return State{}, err
	}
	now := h.Now()
	verdict, reason := decide.WatchRollout(observation, w.State.Release, w.State.Deadline, now)
	if verdict, reason, err = h.keepScale(ctx, w, observation, verdict, reason); err != nil {
		return State{}, err
	}
	if verdict == decide.Healthy {
		verdict, reason = decide.WatchScale(observation, replicas(w.service, observation), w.State.Deadline, now)
	}
	out := h.looked(w, w.State, verdict, reason)
	switch verdict {
	case decide.Healthy:
		return out, h.write(ctx, w, healthy(seen(*w.service, observation), w.State.Generation))
	case decide.Failed:
		out.Left = []string{serviceName(w.service)}
	}
	return out, nil
}

// replicas is how many tasks a service should have: a service in global mode has
// as many as the orchestrator says, and one that something else scales as many as that
// wants.
func replicas(s *model.Service, observation orchestrator.Observation) int {
	if s.Global || observation.Scaler != "" {
		return observation.Desired
	}
	return s.Replicas
}

func serviceName(s *model.Service) string {
	return fmt.Sprintf("service %s of cluster %s", s.Name, s.Cluster)
}

func (h *Handler) write(ctx context.Context, w *work, s model.Service) error {
	return h.Store.Commit(ctx, w.Fence(), store.UpdateService(s))
}
