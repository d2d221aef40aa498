package api

import (
	"context"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/problem"
	"portolan/shared/store"
)

func (h *Handler) listJobs(ctx context.Context, r *request) (answer, error) {
	if _, err := h.Store.Cluster(ctx, r.parameters["cluster"]); err != nil {
		return answer{}, err
	}
	jobs, next, err := h.Store.Jobs(ctx, r.parameters["cluster"], r.page())
	if err != nil {
		return answer{}, err
	}
	return list(jobs, next, jobView)
}

func (h *Handler) getJob(ctx context.Context, r *request) (answer, error) {
	j, err := h.Store.Job(ctx, r.parameters["cluster"], r.parameters["job"])
	if err != nil {
		return answer{}, err
	}
	return ok(jobView(*j))
}

func (h *Handler) runJob(ctx context.Context, r *request) (answer, error) {
	spec, err := decode[contract.JobSpec](r)
	if err != nil {
		return answer{}, err
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		name := r.parameters["job"]
		if err := h.checkJob(name, spec, c); err != nil {
			return decision{}, err
		}
		if err := allowed(c, contract.KindRunJob); err != nil {
			return decision{}, err
		}
		current, err := h.Store.Job(ctx, c.Name(), name)
		if fault.IsNotFound(err) {
			current, err = nil, nil
		}
		if err != nil {
			return decision{}, err
		}
		change, refused := decide.RunJob(c, name, current, spec, h.Now())
		if refused != "" {
			return decision{}, fault.New(fault.Conflict, "%s", refused)
		}
		if change.Kind == "" {
			a, err := ok(jobView(change.Job))
			return decision{answer: a, operation: change.Job.Operation, reason: change.Reason}, err
		}
		o, queued, err := h.enqueue(ctx, r, wish{
			kind: change.Kind, target: r.target(), team: change.Job.Team, generation: 1, reason: change.Reason,
		})
		if err != nil {
			return decision{}, err
		}
		change.Job.Operation = o.ID
		a, err := accepted(o)
		writes := append(queued, store.ClusterTakesChanges(c.Name()), store.CreateJob(change.Job))
		return decision{answer: a, writes: writes, operation: o.ID, reason: change.Reason}, err
	})
}

// checkJob refuses what no orchestrator can do of a job, and what the cluster's cannot:
// what it cannot do of a service, it cannot do of a job.
func (h *Handler) checkJob(name string, spec contract.JobSpec, c *model.Cluster) error {
	check := h.JobChecks[c.Spec.Orchestrator]
	if check == nil {
		return fault.New(fault.Conflict, "cluster %s is one of %s, on which no jobs are run", c.Name(), c.Spec.Orchestrator)
	}
	return problem.Of(problem.Invalid, append(decide.CheckJob(spec), check(name, orchestrator.AsService(spec), c)...))
}

func (h *Handler) stopJob(ctx context.Context, r *request) (answer, error) {
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		if err := allowed(c, contract.KindRunJob); err != nil {
			return decision{}, err
		}
		j, err := h.Store.Job(ctx, c.Name(), r.parameters["job"])
		if err != nil {
			return decision{}, err
		}
		queue, err := h.Store.Queue(ctx, model.TargetKey(r.target()))
		if err != nil {
			return decision{}, err
		}
		change := decide.StopJob(*j, len(queue.Operations) > 0)
		if change.Kind == "" {
			a, err := ok(jobView(*j))
			return decision{answer: a, reason: change.Reason}, err
		}
		writes := []store.Write{store.ClusterTakesChanges(c.Name()), store.UpdateJob(change.Job)}
		if len(queue.Operations) > 0 {
			o, err := h.Store.Operation(ctx, queue.Operations[0])
			if err != nil {
				return decision{}, err
			}
			a, err := accepted(*o)
			return decision{answer: a, writes: writes, operation: o.ID, reason: change.Reason}, err
		}
		return h.accept(ctx, r, wish{
			kind: change.Kind, target: r.target(), team: j.Team, generation: 1, reason: change.Reason,
		}, writes...)
	})
}

func jobView(j model.Job) contract.Job {
	return contract.Job{
		Name: j.Name, Cluster: j.Cluster, Team: j.Team, Status: j.Status, StatusReason: j.Reason, ExitCode: j.ExitCode,
		Task: j.Task, TasksFailed: j.TasksFailed, Left: j.Left, Operation: j.Operation, Spec: j.Spec,
		CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, EndedAt: j.EndedAt,
	}
}
