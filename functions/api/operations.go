package api

import (
	"context"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/problem"
)

func (h *Handler) getOperation(ctx context.Context, r *request) (answer, error) {
	o, err := h.Store.Operation(ctx, r.parameters["operation"])
	if err != nil {
		return answer{}, err
	}
	return ok(operationView(*o))
}

func (h *Handler) listOperations(ctx context.Context, r *request) (answer, error) {
	t := r.target()
	if fields := oneTarget(t); len(fields) > 0 {
		return answer{}, problem.Of(problem.Malformed, fields)
	}
	operations, next, err := h.Store.Operations(ctx, model.TargetKey(t), r.page())
	if err != nil {
		return answer{}, err
	}
	if len(operations) == 0 {
		// What is gone may have had operations, but a name that never was is an error.
		if err := h.exists(ctx, t); err != nil {
			return answer{}, err
		}
	}
	return list(operations, next, operationView)
}

// oneTarget says which queries are one too many: a target is a service, a policy or a job.
func oneTarget(t contract.Target) []fault.Field {
	var fields []fault.Field
	first := ""
	for _, q := range []struct{ name, value string }{{"service", t.Service}, {"policy", t.Policy}, {"job", t.Job}} {
		switch {
		case q.value == "":
		case first == "":
			first = q.name
		default:
			fields = append(fields, fault.Field{Pointer: q.name,
				Detail: "must be left out beside " + first + ": a target is one or the other"})
		}
	}
	return fields
}

func (h *Handler) exists(ctx context.Context, t contract.Target) error {
	var err error
	switch {
	case t.Service != "":
		_, err = h.Store.Service(ctx, t.Cluster, t.Service)
	case t.Policy != "":
		_, err = h.Store.Policy(ctx, t.Cluster, t.Policy)
	case t.Job != "":
		_, err = h.Store.Job(ctx, t.Cluster, t.Job)
	default:
		_, err = h.Store.Cluster(ctx, t.Cluster)
	}
	return err
}

func (h *Handler) listAudit(ctx context.Context, r *request) (answer, error) {
	day, err := h.day(r)
	if err != nil {
		return answer{}, err
	}
	records, next, err := h.Store.Audit(ctx, r.target(), day, r.page())
	if err != nil {
		return answer{}, err
	}
	if len(records) == 0 {
		if err := h.exists(ctx, r.target()); err != nil {
			return answer{}, err
		}
	}
	return list(records, next, auditView)
}

func (h *Handler) getTaskRole(ctx context.Context, r *request) (answer, error) {
	role, err := h.Store.TaskRole(ctx, r.parameters["task"])
	if err != nil {
		return answer{}, err
	}
	return ok(role)
}
