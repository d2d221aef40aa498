// Package alarm is the door for CloudWatch alarms: an alarm that goes to ALARM
// asks for an autoscale operation on each policy that names it.
//
// It decides nothing about sizes: the operation looks at the alarm again, and goes
// on looking, so that an event that comes late or twice is harmless.
package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/store"
)

// Store is the part of the store that the door uses.
type Store interface {
	intake.Store
	PoliciesOfAlarm(ctx context.Context, alarm string, p store.Page) ([]model.Policy, string, error)
	Policy(ctx context.Context, cluster, name string) (*model.Policy, error)
	Cluster(ctx context.Context, name string) (*model.Cluster, error)
	Commit(ctx context.Context, writes ...store.Write) error
}

// Handler handles the changes of alarms' states, in each of their three forms.
type Handler struct {
	Store Store
	Now   func() time.Time
	NewID func() string
	Log   *slog.Logger
}

// policiesMax bounds how many policies one alarm moves.
const policiesMax = 100

// Out holds what was decided: for each policy, or for the event as a whole where
// no policy came into play.
type Out struct {
	Decisions []Decision `json:"decisions"`
}

// Decision is what was decided for one policy. Operation is the one that was asked
// for; it is empty when there is nothing to do.
type Decision struct {
	Alarm     string `json:"alarm,omitempty"`
	Policy    string `json:"policy,omitempty"`
	Operation string `json:"operation,omitempty"`
	Reason    string `json:"reason"`
}

// Handle decides about an event. It is idempotent. The policies that could not be
// handled are in the error, and the others are not handled again when the event
// comes again.
func (h *Handler) Handle(ctx context.Context, raw json.RawMessage) (Out, error) {
	decoded, err := event.Decode(raw)
	if err != nil {
		return Out{}, err
	}
	alarms, is := decoded.(event.Alarms)
	if !is {
		return h.report(ctx, Out{}, Decision{Reason: "unknown kind"}), nil
	}
	var out Out
	var failures []error
	for _, a := range alarms {
		decisions, err := h.alarm(ctx, a)
		out = h.report(ctx, out, decisions...)
		failures = append(failures, err)
	}
	return out, errors.Join(failures...)
}

func (h *Handler) alarm(ctx context.Context, a event.Alarm) ([]Decision, error) {
	if a.State != decide.AlarmInAlarm {
		return []Decision{{Alarm: a.ARN, Reason: "the alarm is " + a.State + ": nothing to do"}}, nil
	}
	policies, _, err := h.Store.PoliciesOfAlarm(ctx, a.ARN, store.Page{Limit: policiesMax})
	if err != nil {
		return nil, err
	}
	if len(policies) == 0 {
		return []Decision{{Alarm: a.ARN, Reason: "nobody bound: no policy names the alarm"}}, nil
	}
	var decisions []Decision
	var failures []error
	for _, p := range policies {
		var decision Decision
		err := intake.Settle(func() (err error) {
			decision, err = h.policy(ctx, a, p.Cluster, p.Name)
			return err
		})
		if err != nil {
			failures = append(failures, fmt.Errorf("handling policy %s of cluster %s: %w", p.Name, p.Cluster, err))
			continue
		}
		decisions = append(decisions, decision)
	}
	return decisions, errors.Join(failures...)
}

// policy asks for an operation on one policy. The index that led to it lags, so
// the policy is read again.
func (h *Handler) policy(ctx context.Context, a event.Alarm, cluster, name string) (Decision, error) {
	target := contract.Target{Cluster: cluster, Policy: name}
	decision := Decision{Alarm: a.ARN, Policy: model.TargetKey(target)}
	p, err := h.Store.Policy(ctx, cluster, name)
	if fault.IsNotFound(err) || err == nil && p.Spec.Alarm != a.ARN {
		decision.Reason = "the policy no longer names the alarm"
		return decision, nil
	}
	if err != nil {
		return decision, err
	}
	c, err := h.Store.Cluster(ctx, cluster)
	if err != nil {
		return decision, err
	}
	if c.Status != contract.ClusterReady {
		decision.Reason = fmt.Sprintf("the cluster is %s and takes no changes", c.Status)
		return decision, nil
	}
	if decision.Reason = decide.Refusal(c, contract.KindAutoscale); decision.Reason != "" {
		return decision, nil
	}
	now := h.Now()
	cause := contract.Cause{
		Source: "alarm", What: "the alarm " + a.Name + " went to " + a.State,
		Who: a.ARN, Why: a.Reason, EventId: a.EventID,
	}
	wish := decide.NewOperation(h.NewID(), contract.KindAutoscale, target, p.Team, p.Version, cause, now)
	operation, writes, err := intake.Enqueue(ctx, h.Store, wish)
	if err != nil {
		return decision, err
	}
	// The mark comes first, so that what was handled before is no Conflict.
	seen := store.Seen("alarm", mark(a, target), now.Add(intake.Remembered))
	writes = append([]store.Write{seen, store.ClusterTakesChanges(cluster)}, writes...)
	err = h.Store.Commit(ctx, writes...)
	if errors.Is(err, store.ErrSeen) {
		decision.Reason = "the event was handled before"
		return decision, nil
	}
	decision.Operation, decision.Reason = operation.ID, "the alarm is "+a.State
	return decision, err
}

// mark tells one change of an alarm's state from another, for one policy. A
// composite alarm can go from ALARM to ALARM, so the state before is no part.
func mark(a event.Alarm, target contract.Target) string {
	return strings.Join([]string{
		a.ARN, a.At.Format(time.RFC3339Nano), a.State, model.TargetKey(target),
	}, "|")
}

func (h *Handler) report(ctx context.Context, out Out, decisions ...Decision) Out {
	for _, d := range decisions {
		h.Log.InfoContext(ctx, "decided", "alarm", d.Alarm, "target", d.Policy,
			"operation", d.Operation, "reason", d.Reason)
	}
	out.Decisions = append(out.Decisions, decisions...)
	return out
}
