package swarm

import (
	"context"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/swarm"
)

// recover makes a new swarm of what is left after the majority of the managers was lost.
// The other managers that still answer are taken out of the old swarm, so that they can
// join the new one. A repeat goes on behind what was done.
func (h *Handler) recover(ctx context.Context, w *work) (State, error) {
	survivors, err := h.survivors(ctx, w)
	if err != nil {
		return State{}, err
	}
	quorum := orchestrator.Quorum{}
	for _, s := range survivors {
		if !s.Led {
			continue
		}
		if quorum, err = w.driver.Quorum(ctx, w.cluster.Ref()); err != nil {
			return State{}, err
		}
		break
	}
	plan := decide.PlanRecovery(survivors, w.managersKnown(), quorum.Managers)
	if plan.Action == decide.RecoveryNone {
		return State{Verdict: decide.Failed, Reason: plan.Reason}, nil
	}
	return State{Verdict: decide.Healthy, Reason: plan.Reason}, h.forceNew(ctx, w, plan)
}

// managersKnown is how many managers the swarm is known to have had: as many as are
// wanted, and more while their number was being changed.
func (w *work) managersKnown() int {
	known := len(w.cluster.Facts.Swarm.Managers)
	if pool := w.cluster.Pool(orchestrator.SwarmManagersPool); pool != nil {
		known = max(known, pool.Size)
	}
	return known
}

// survivors are the managers of the swarm that answer.
func (h *Handler) survivors(ctx context.Context, w *work) ([]decide.Survivor, error) {
	engines, _, err := h.engines(ctx, w)
	if err != nil {
		return nil, err
	}
	var survivors []decide.Survivor
	for _, e := range engines {
		if !e.Manager() || e.Address == "" {
			continue
		}
		info, err := w.info(ctx, e.Address)
		if fault.IsUnavailable(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Manager {
			survivors = append(survivors, decide.Survivor{Engine: e, Led: info.Swarm != ""})
		}
	}
	return survivors, nil
}

// forceNew makes the new swarm, if it is not there yet, keeps where it is, and clears away
// what is left of the old one.
func (h *Handler) forceNew(ctx context.Context, w *work, plan decide.RecoveryPlan) error {
	engine, err := w.driver.Engine(ctx, w.cluster.Ref(), plan.From.Address)
	if err != nil {
		return err
	}
	look := engine.Info
	if plan.Action == decide.RecoveryForce {
		look = func(ctx context.Context) (swarm.EngineInfo, error) {
			return engine.ForceNewCluster(ctx, host(plan.From.Address))
		}
	}
	info, err := look(ctx)
	if err != nil {
		return err
	}
	facts := *w.cluster.Facts.Swarm
	facts.Managers = []string{plan.From.Address}
	if info.Swarm != "" {
		facts.SwarmID = info.Swarm
	}
	w.cluster.Facts.Swarm = &facts
	if err := h.keep(ctx, w); err != nil {
		return err
	}
	for _, other := range plan.Others {
		if err := w.leaveOld(ctx, other); err != nil {
			return err
		}
	}
	return h.forgetOthers(ctx, w, plan.From)
}

// leaveOld takes a manager out of the swarm that is no more.
func (w *work) leaveOld(ctx context.Context, other decide.Survivor) error {
	engine, err := w.driver.Engine(ctx, w.cluster.Ref(), other.Address)
	if err != nil {
		return err
	}
	if err := engine.Leave(ctx, true); err != nil && !fault.IsUnavailable(err) {
		return err
	}
	return nil
}

// forgetOthers removes the nodes that were managers before, which are down now: their
// machines join anew.
func (h *Handler) forgetOthers(ctx context.Context, w *work, from decide.Survivor) error {
	nodes, err := w.nodes(ctx)
	if err != nil {
		return err
	}
	engines, _, err := h.engines(ctx, w)
	if err != nil {
		return err
	}
	pools := map[string]string{}
	for _, e := range engines {
		pools[e.Instance] = e.Pool
	}
	for _, node := range nodes {
		old := node.Instance != from.Instance && node.State == orchestrator.NodeDown &&
			(node.Manager || pools[node.Instance] == orchestrator.SwarmManagersPool)
		if !old {
			continue
		}
		ref := orchestrator.NodeRef{Cluster: w.cluster.Ref(), ID: node.ID}
		if err := fault.IgnoreNotFound(w.driver.Leave(ctx, ref)); err != nil {
			return err
		}
	}
	return nil
}
