package sweeper

import (
	"context"
	"errors"
	"fmt"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/drift"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// services compares services of a cluster with what is wanted, and answers drift as
// the door of CloudTrail does that is told of it.
func (l *look) services(ctx context.Context, c *model.Cluster, services []model.Service) error {
	glancer := l.Services[c.Spec.Orchestrator]
	var names []string
	for _, s := range services {
		if s.Status != contract.ServiceRetired {
			names = append(names, s.Name)
		}
	}
	if glancer == nil || len(names) == 0 {
		return nil
	}
	seen, err := glancer.Glance(ctx, c.Ref(), names)
	if err != nil {
		return err
	}
	var failed []error
	for i := range services {
		s := &services[i]
		if decide.ServiceDrift(s, observed(seen, s.Name)) == "" && s.Drift == "" {
			continue
		}
		did, err := l.drifted(ctx, glancer, contract.Target{Cluster: c.Name(), Service: s.Name})
		if err != nil {
			failed = append(failed, fmt.Errorf("looking at service %s: %w", s.Name, err))
		}
		l.found = append(l.found, did...)
	}
	return errors.Join(failed...)
}

// observed is what was seen of a service, and nil when the orchestrator does not know
// it.
func observed(seen map[string]orchestrator.Observation, name string) *orchestrator.Observation {
	if one, known := seen[name]; known {
		return &one
	}
	return nil
}

// drifted looks once more at a service that is not as it is wanted, and answers what
// it sees: what was seen before may have been on its way.
func (h *Handler) drifted(ctx context.Context, glancer orchestrator.Glancer, target contract.Target) ([]Finding, error) {
	var found []Finding
	err := intake.Settle(func() error {
		found = nil
		answer, err := h.answer(ctx, glancer, target)
		if err != nil || len(answer.Writes) == 0 {
			return err
		}
		if err := h.Store.Commit(ctx, answer.Writes...); err != nil {
			return err
		}
		did := "what is seen of its drift is kept"
		if answer.Operation != "" {
			did = "operation " + answer.Operation + " asked for"
		}
		found = []Finding{{What: model.TargetKey(target), Did: did, Why: answer.Reason}}
		return nil
	})
	return found, err
}

func (h *Handler) answer(ctx context.Context, glancer orchestrator.Glancer, target contract.Target) (drift.Answer, error) {
	c, err := h.Store.Cluster(ctx, target.Cluster)
	if err != nil {
		return drift.Answer{}, err
	}
	s, err := h.Store.Service(ctx, target.Cluster, target.Service)
	if err != nil {
		return drift.Answer{}, fault.IgnoreNotFound(err)
	}
	seen, err := glancer.Glance(ctx, c.Ref(), []string{s.Name})
	if err != nil {
		return drift.Answer{}, err
	}
	// Newest first, and then the queue: an operation that ends meanwhile is in one of
	// them.
	last, err := h.newest(ctx, target)
	if err != nil {
		return drift.Answer{}, err
	}
	busy, err := drift.Busy(ctx, h.Store, target)
	if err != nil {
		return drift.Answer{}, err
	}
	a := decide.AnswerFound(c, decide.ServiceDrift(s, observed(seen, s.Name)), s.Drift, busy, last)
	return drift.Service(ctx, h.Store, *s, a, func() model.Operation {
		cause := contract.Cause{Source: "sweeper", Who: "unknown",
			What: "the service was changed past Portolan, and no event told of it", Why: a.Drift}
		return decide.NewOperation(h.NewID(), contract.KindRepair, target, s.Team, s.Generation, cause, h.Now())
	})
}
