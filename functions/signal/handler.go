// Package signal tells state machines that something they wait for has happened:
// a stack came to its end, a service's rollout went on or got stuck. The machine
// then looks for itself.
//
// It must never know what the machine does with it, or change anything of its own.
package signal

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"

	"portolan/shared/event"
	"portolan/shared/signal"
)

// Sender wakes the task that waits for a thing, if there is one.
type Sender interface {
	Send(ctx context.Context, thing string, s signal.Signal) (woken bool, err error)
}

// Handler handles events of CloudFormation and ECS.
type Handler struct {
	Sender Sender
	Log    *slog.Logger
}

// Out is what became of an event. Thing is empty when nobody could wait for it.
type Out struct {
	Thing  string `json:"thing,omitempty"`
	Woken  bool   `json:"woken"`
	Reason string `json:"reason"`
}

// Handle signals an event. It is idempotent: a token is good for once, and what
// nobody waits for is dropped.
func (h *Handler) Handle(ctx context.Context, raw json.RawMessage) (Out, error) {
	decoded, err := event.Decode(raw)
	if err != nil {
		return Out{}, err
	}
	if unknown, is := decoded.(event.Unknown); is {
		h.Log.WarnContext(ctx, "event dropped", "reason", "unknown kind",
			"source", unknown.Source, "detailType", unknown.DetailType)
		return Out{Reason: "unknown kind"}, nil
	}
	thing, what := signalOf(decoded)
	out := Out{Thing: thing, Reason: "nothing that anybody waits for"}
	if thing != "" {
		if out.Woken, err = h.Sender.Send(ctx, thing, what); err != nil {
			return Out{}, err
		}
		out.Reason = "nobody waits"
	}
	if !out.Woken {
		h.Log.DebugContext(ctx, "event dropped", "reason", out.Reason, "thing", thing)
		return out, nil
	}
	out.Reason = what.Event + " " + what.Status
	h.Log.InfoContext(ctx, "waiting task woken", "thing", thing, "event", what.Event, "status", what.Status)
	return out, nil
}

// signalOf returns the thing that an event is about, or none for an event that is
// not worth a look. A machine counts its looks, so they must not be wasted.
func signalOf(decoded any) (thing string, s signal.Signal) {
	switch e := decoded.(type) {
	case event.StackStatus:
		if e.Final() {
			return "stack/" + e.Stack, signal.Signal{Event: e.DetailType, Status: e.Status}
		}
	case event.Deployment:
		if e.Name != "SERVICE_DEPLOYMENT_IN_PROGRESS" {
			return service(e.Cluster, e.Service), signal.Signal{Event: e.DetailType, Status: e.Name}
		}
	case event.ServiceAction:
		if e.Name == "SERVICE_STEADY_STATE" || e.Type == "WARN" || e.Type == "ERROR" {
			return service(e.Cluster, e.Service), signal.Signal{Event: e.DetailType, Status: e.Name}
		}
	case event.TaskState:
		if e.Service != "" && failed(e) {
			return service(e.Cluster, e.Service), signal.Signal{Event: e.DetailType, Status: e.LastStatus}
		}
	}
	return "", signal.Signal{}
}

// failed tells a task that stopped by itself from one that ECS or somebody stopped,
// as each rollout and scaling does.
func failed(t event.TaskState) bool {
	return t.LastStatus == "STOPPED" &&
		(t.StopCode == "EssentialContainerExited" || t.StopCode == "TaskFailedToStart")
}

// service is the thing that stands for a service. ECS clusters of others lead to
// things that nobody waits for.
func service(cluster, name string) string {
	return "service/" + strings.TrimPrefix(cluster, "portolan-") + "/" + name
}
