// Package survey looks at clusters that somebody else made, and keeps what runs
// there.
//
// It must never change anything on them.
package survey

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/step"
	"portolan/shared/store"
)

// Store is the part of the store that the step uses.
type Store interface {
	step.Store
	Commit(ctx context.Context, writes ...store.Write) error
}

// Handler handles the step SurveyCluster.
type Handler struct {
	Store Store

	// Orchestrator returns the driver for a cluster, whose calls carry the
	// operation's id as the name of their role session.
	Orchestrator func(cluster *model.Cluster, operation string) orchestrator.Orchestrator
	Now          func() time.Time
	Log          *slog.Logger
}

// In is a call with the state of the machine, which the step does not need.
type In struct {
	step.Call
}

// State is what the machines carry on: whether Portolan may do there what the
// cluster's verbs say, and what was seen, in words.
type State struct {
	Verdict decide.Verdict `json:"verdict"`
	Reason  string         `json:"reason"`
}

const (
	// keptFor is how long what was seen is shown.
	keptFor = 365 * 24 * time.Hour

	// writesMax is how many workloads are kept in one transaction, beside the fence.
	writesMax = 99

	// namedMax is how many missing rights are named.
	namedMax = 10
)

// Handle looks at the cluster and keeps what it saw. The cluster names the survey
// only once all of it is kept, so half of one is never shown.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	if in.Step != "SurveyCluster" {
		return State{}, in.Unknown("survey", "SurveyCluster")
	}
	operation, cluster, err := step.EnterCluster(ctx, h.Store, in.Call)
	if err != nil {
		return State{}, err
	}
	surveyor, ok := h.Orchestrator(cluster, operation.ID).(orchestrator.Surveyor)
	if !ok {
		return State{}, fault.New(fault.Invalid, "clusters of %s cannot be looked at like this", cluster.Spec.Orchestrator)
	}
	seen, err := surveyor.Survey(ctx, cluster.Ref(), verbs(cluster))
	if err != nil {
		return State{}, err
	}
	if err := h.keep(ctx, in, operation, cluster, seen); err != nil {
		return State{}, err
	}
	out := State{Verdict: decide.Healthy, Reason: summary(seen)}
	if len(seen.Missing) > 0 {
		out.Verdict, out.Reason = decide.Failed, lacking(seen.Missing)
	}
	h.Log.InfoContext(ctx, "cluster looked at", "operation", operation.ID, "cluster", cluster.Name(),
		"version", seen.Version, "nodes", seen.Nodes, "workloads", len(seen.Workloads)+seen.More, "missing", seen.Missing)
	return out, nil
}

// verbs are those whose rights are looked at: what may be done.
func verbs(c *model.Cluster) []contract.Verb { return c.Spec.Adopted.Verbs }

func (h *Handler) keep(ctx context.Context, in In, o *model.Operation, c *model.Cluster, seen orchestrator.Survey) error {
	id := o.ExecutionName()
	until := h.Now().Add(keptFor)
	writes := []store.Write{in.Fence()}
	for i, workload := range seen.Workloads {
		writes = append(writes, store.KeepWorkload(id, i, workload, until))
		if len(writes) > writesMax {
			if err := h.Store.Commit(ctx, writes...); err != nil {
				return err
			}
			writes = []store.Write{in.Fence()}
		}
	}
	c.Survey, c.OrchestratorVersion, c.Blockers = id, seen.Version, clipped(seen.Blockers)
	return h.Store.Commit(ctx, append(writes, store.UpdateCluster(*c))...)
}

// blockerMax is how long what is in the way of a version may be; names in a cluster are
// up to 253 characters.
const blockerMax = 600

func clipped(blockers []string) []string {
	var all []string
	for _, text := range blockers {
		if len(text) > blockerMax {
			text = strings.ToValidUTF8(text[:blockerMax], "") + "…"
		}
		all = append(all, text)
	}
	return all
}

func summary(seen orchestrator.Survey) string {
	text := fmt.Sprintf("%s with %s and %s", seen.Version, count(seen.Nodes, "node"), count(len(seen.Workloads)+seen.More, "workload"))
	if seen.More > 0 {
		text += fmt.Sprintf(", of which the first %d are kept", len(seen.Workloads))
	}
	if len(seen.Blockers) > 0 {
		text += "; for its next version: " + clipped(seen.Blockers)[0]
	}
	if more := len(seen.Blockers) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more in upgradeBlockers", more)
	}
	return text
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func lacking(missing []string) string {
	text := "the credentials may not " + strings.Join(missing[:min(len(missing), namedMax)], ", nor ")
	if more := len(missing) - namedMax; more > 0 {
		text += fmt.Sprintf(", nor %d things more", more)
	}
	return text + ": grant it, or take the verb away that needs it"
}
