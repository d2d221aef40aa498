package swarm

import (
	"context"
	"net"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/swarm"
)

// carry is what a step between two looks hands on.
func carry(w *work, reason string) State {
	return State{Looks: w.State.Looks, Group: w.State.Group, Down: w.State.Down, Reason: reason}
}

// init makes the swarm on the one engine that was chosen for it. Which one that is stands
// in the table before it is told, behind the fence and the cluster's version: whoever
// else chooses at the same time loses, and a repeat comes to the same engine.
func (h *Handler) init(ctx context.Context, w *work) (State, error) {
	view, err := h.view(ctx, w)
	if err != nil {
		return State{}, err
	}
	plan := decide.PlanSwarm(view)
	if plan.Action != decide.SwarmInit {
		return carry(w, plan.Reason), nil
	}
	chosen := plan.Engines[0]
	facts := *w.cluster.Facts.Swarm
	if facts.Initiator != chosen.Instance {
		facts.Initiator = chosen.Instance
		w.cluster.Facts.Swarm = &facts
		if err := h.keep(ctx, w); err != nil {
			return State{}, err
		}
	}
	engine, err := w.driver.Engine(ctx, w.cluster.Ref(), chosen.Address)
	if err != nil {
		return State{}, err
	}
	info, err := engine.Init(ctx, host(chosen.Address))
	if err != nil {
		return State{}, err
	}
	if info.Swarm == "" {
		return State{}, fault.New(fault.Unavailable, "engine %s has made a swarm, and does not say which yet", chosen.Address)
	}
	made := facts
	made.SwarmID, made.Managers = info.Swarm, []string{chosen.Address}
	w.cluster.Facts.Swarm = &made
	if err := h.keep(ctx, w); err != nil {
		return State{}, err
	}
	return carry(w, "the swarm is made"), w.label(ctx, info.Node, chosen)
}

func host(address string) string {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return name
}

// label lets the swarm know which instance a node is.
func (w *work) label(ctx context.Context, node string, e decide.Engine) error {
	labels := map[string]string{swarm.LabelInstance: e.Instance, swarm.LabelPool: e.Pool}
	if e.Zone != "" {
		labels[swarm.LabelZone] = e.Zone
	}
	err := w.driver.Label(ctx, orchestrator.NodeRef{Cluster: w.cluster.Ref(), ID: node}, labels)
	if fault.IsNotFound(err) { // the managers have not heard of it yet
		return fault.Wrap(fault.Unavailable, err, "labelling node %s", node)
	}
	return err
}

// join lets engines into the swarm: one manager at most, and workers. The tokens go from
// a manager to the engines, and nowhere else.
func (h *Handler) join(ctx context.Context, w *work) (State, error) {
	view, err := h.view(ctx, w)
	if err != nil {
		return State{}, err
	}
	plan := decide.PlanSwarm(view)
	if plan.Action != decide.SwarmJoin {
		return carry(w, plan.Reason), nil
	}
	tokens, err := w.driver.Tokens(ctx, w.cluster.Ref())
	if err != nil {
		return State{}, err
	}
	var managers []string
	for _, address := range w.cluster.Facts.Swarm.Managers {
		managers = append(managers, host(address))
	}
	err = eachAtOnce(plan.Engines, func(e decide.Engine) error {
		in := swarm.JoinInput{Token: tokens.Worker, Manager: e.Manager(), Managers: managers, Advertise: host(e.Address)}
		if e.Manager() {
			in.Token = tokens.Manager
		}
		err := w.admit(ctx, e, in)
		if fault.IsUnavailable(err) {
			h.Log.WarnContext(ctx, "an engine has not joined yet", "operation", w.operation.ID, "instance", e.Instance, "error", err)
			return nil // the next look finds it where it is then
		}
		return err
	})
	return carry(w, plan.Reason), err
}

func (w *work) admit(ctx context.Context, e decide.Engine, in swarm.JoinInput) error {
	engine, err := w.driver.Engine(ctx, w.cluster.Ref(), e.Address)
	if err != nil {
		return err
	}
	info, err := engine.Join(ctx, in)
	if err != nil {
		return err
	}
	if info.Node == "" {
		return fault.New(fault.Unavailable, "engine %s is still joining the swarm", e.Address)
	}
	return w.label(ctx, info.Node, e)
}

// forget removes one node whose machine is gone. Of a manager the quorum is verified
// first, as for each that is demoted.
func (h *Handler) forget(ctx context.Context, w *work) (State, error) {
	view, err := h.view(ctx, w)
	if err != nil {
		return State{}, err
	}
	plan := decide.PlanSwarm(view)
	if plan.Action != decide.SwarmForget {
		return carry(w, plan.Reason), nil
	}
	for _, node := range plan.Nodes {
		ref := orchestrator.NodeRef{Cluster: w.cluster.Ref(), ID: node.ID}
		if err := fault.IgnoreNotFound(w.driver.Leave(ctx, ref)); err != nil {
			return State{}, err
		}
	}
	return carry(w, plan.Reason), nil
}

// rotate makes the tokens worthless that let the nodes in.
func (h *Handler) rotate(ctx context.Context, w *work) (State, error) {
	return carry(w, w.State.Reason), w.driver.RotateTokens(ctx, w.cluster.Ref())
}
