// Package trail is the door for what happened past Portolan: CloudTrail's records
// of AWS calls, and the changes of tasks' states. It keeps the audit trail, knows
// which task used which role, and sees drift.
//
// It calls nothing that changes anything, keeps no credentials, and must never know
// how drift is repaired.
package trail

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"portolan/shared/contract"
	"portolan/shared/ecs/glance"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

// Store is the part of the store that the door uses.
type Store interface {
	intake.Store
	Cluster(ctx context.Context, name string) (*model.Cluster, error)
	Service(ctx context.Context, cluster, name string) (*model.Service, error)
	Release(ctx context.Context, cluster, service string, number int64) (*model.Release, error)
	Job(ctx context.Context, cluster, name string) (*model.Job, error)
	TaskRole(ctx context.Context, task string) (*contract.TaskRole, error)
	Commit(ctx context.Context, writes ...store.Write) error
}

// Services looks at services on ECS. NotFound for one that does not exist.
type Services interface {
	Observe(ctx context.Context, service orchestrator.ServiceRef) (orchestrator.Observation, error)
}

// Groups is the part of the Auto Scaling client that tells a group's size, and the group
// of an instance.
type Groups interface {
	DescribeAutoScalingInstances(
		context.Context, *autoscaling.DescribeAutoScalingInstancesInput, ...func(*autoscaling.Options),
	) (*autoscaling.DescribeAutoScalingInstancesOutput, error)
	DescribeAutoScalingGroups(
		context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options),
	) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
}

// Handler handles records of CloudTrail and changes of tasks.
type Handler struct {
	Store       Store
	Services    Services
	Definitions glance.Definitions
	Groups      Groups
	Now         func() time.Time
	NewID       func() string
	Log         *slog.Logger
}

// claimed is how long a role is kept that was assumed for an unknown task. A task's
// own events come within minutes, unless it is none of ours.
const claimed = 24 * time.Hour

// Out is what was made of an event. Operation is the repair that was asked for.
type Out struct {
	Cluster   string `json:"cluster,omitempty"`
	Service   string `json:"service,omitempty"`
	Task      string `json:"task,omitempty"`
	What      string `json:"what,omitempty"`
	Who       string `json:"who,omitempty"`
	Kept      bool   `json:"kept"`
	Drift     string `json:"drift,omitempty"`
	Operation string `json:"operation,omitempty"`
	Reason    string `json:"reason"`
}

// Handle keeps what an event tells, and answers drift. It is idempotent, and needs
// no order: what is drift is seen by looking at the real thing.
func (h *Handler) Handle(ctx context.Context, raw json.RawMessage) (Out, error) {
	decoded, err := event.Decode(raw)
	if err != nil {
		return Out{}, err
	}
	out := Out{Reason: "unknown kind"}
	switch e := decoded.(type) {
	case event.Call:
		err = intake.Settle(func() (err error) {
			out, err = h.call(ctx, e)
			return err
		})
	case event.Launch:
		err = intake.Settle(func() (err error) {
			out, err = h.launched(ctx, e)
			return err
		})
	case event.Interruption:
		err = intake.Settle(func() (err error) {
			out, err = h.interrupted(ctx, e)
			return err
		})
	case event.TaskState:
		err = intake.Settle(func() (err error) {
			out, err = h.task(ctx, e)
			return err
		})
	}
	if errors.Is(err, store.ErrSeen) {
		out = Out{Cluster: out.Cluster, Service: out.Service, Task: out.Task, What: out.What, Who: out.Who,
			Reason: "the event was handled before, or a newer one was"}
		err = nil
	}
	if err != nil {
		return Out{}, err
	}
	target := model.TargetKey(contract.Target{Cluster: out.Cluster, Service: out.Service})
	h.Log.InfoContext(ctx, "decided", "target", target, "task", out.Task, "what", out.What, "who", out.Who,
		"kept", out.Kept, "drift", out.Drift, "operation", out.Operation, "reason", out.Reason)
	return out, nil
}

// cluster returns the first of the names that is a cluster which was not retired,
// or nil. arn is that of the ECS cluster where the event tells it: another account
// or Region may have a cluster of the same name.
func (h *Handler) cluster(ctx context.Context, names []string, arn string) (*model.Cluster, error) {
	for _, name := range names {
		c, err := h.Store.Cluster(ctx, name)
		if fault.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if c.Status == contract.ClusterRetired {
			continue
		}
		if known := c.Facts.ECS; arn != "" && known != nil && known.ClusterARN != "" && known.ClusterARN != arn {
			continue
		}
		return c, nil
	}
	return nil, nil
}
