// Package service holds the steps that change and watch services: putting a
// release into effect, rolling it back, scaling, repairing and removing; and those that
// run jobs to their end.
//
// It must never know which orchestrator a service or a job runs on.
package service

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/step"
	"portolan/shared/store"
)

// Store is the part of the store that the steps use.
type Store interface {
	step.Store
	intake.Store
	Services(ctx context.Context, cluster string, p store.Page) ([]model.Service, string, error)
	Release(ctx context.Context, cluster, service string, number int64) (*model.Release, error)
	Jobs(ctx context.Context, cluster string, p store.Page) ([]model.Job, string, error)
	Commit(ctx context.Context, writes ...store.Write) error
}

// Handler handles the steps of services.
type Handler struct {
	Store Store

	// Orchestrator returns the driver for a cluster, whose calls carry the
	// operation's id as the name of their role session.
	Orchestrator func(cluster *model.Cluster, operation string) orchestrator.Services
	Now          func() time.Time
	NewID        func() string
	Log          *slog.Logger
}

// In is a call with the state of the machine.
type In struct {
	step.Call
	State State `json:"state"`
}

// State is what the machines carry from step to step.
type State struct {
	// Release is the one being put into effect, and FailedRelease the one that is
	// being rolled back because of Failure.
	Release       int64  `json:"release"`
	FailedRelease int64  `json:"failedRelease"`
	Failure       string `json:"failure"`

	// Generation is the generation of the service that is being put into effect.
	Generation int64     `json:"generation"`
	Deadline   time.Time `json:"deadline"`

	Verdict decide.Verdict `json:"verdict"`
	Reason  string         `json:"reason"`
	Left    []string       `json:"left"`

	LookAfterSeconds int `json:"lookAfterSeconds"`
	Looks            int `json:"looks"`

	// Removals counts the steps of a job's removal, and Removed says that nothing is left.
	Removals int  `json:"removals"`
	Removed  bool `json:"removed"`
}

// A work is what a step works on.
type work struct {
	In
	operation *model.Operation
	cluster   *model.Cluster
	service   *model.Service
	driver    orchestrator.Services
}

func (w *work) ref() orchestrator.ServiceRef {
	return w.service.Ref(w.cluster)
}

// actMax bounds the steps that act; only those that look may listen for longer.
const actMax = 50 * time.Second

// Handle does one step.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	switch in.Step {
	case "RetireServices":
		return h.retireServices(ctx, in)
	case "RunJob", "ObserveJob", "RemoveJob":
		return h.jobStep(ctx, in)
	}
	steps := map[string]func(context.Context, *work) (State, error){
		"ApplyRelease":    h.applyRelease,
		"TakeOver":        h.takeOver,
		"ObserveRollout":  h.observeRollout,
		"RollBack":        h.rollBack,
		"ObserveRollBack": h.observeRollBack,
		"ScaleService":    h.scale,
		"ObserveScale":    h.observeScale,
		"RepairService":   h.repair,
		"ObserveRepair":   h.observeRepair,
		"RemoveService":   h.remove,
	}
	do, ok := steps[in.Step]
	if !ok {
		return State{}, in.Unknown("service", append(slices.Collect(maps.Keys(steps)), "RetireServices", "RunJob", "ObserveJob", "RemoveJob")...)
	}
	w, err := h.load(ctx, in)
	if err != nil {
		return State{}, err
	}
	if !strings.HasPrefix(in.Step, "Observe") {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, actMax)
		defer done()
	}
	out, err := do(ctx, w)
	if err != nil {
		return State{}, err
	}
	if out.Left == nil {
		out.Left = []string{}
	}
	h.Log.InfoContext(ctx, "step done", "step", in.Step, "operation", in.Operation, "target", in.Target,
		"release", out.Release, "verdict", out.Verdict, "reason", out.Reason)
	return out, nil
}

func (h *Handler) load(ctx context.Context, in In) (*work, error) {
	target, err := in.ServiceTarget()
	if err != nil {
		return nil, err
	}
	w := &work{In: in, cluster: new(model.Cluster), service: new(model.Service)}
	w.operation, err = step.Enter(ctx, h.Store, in.Call, store.ReadCluster(target.Cluster, w.cluster),
		store.ReadService(target.Cluster, target.Service, w.service))
	if err != nil {
		return nil, err
	}
	w.driver = h.Orchestrator(w.cluster, in.Operation)
	return w, nil
}

// apply puts a release into effect at the scale of now.
func (h *Handler) apply(ctx context.Context, w *work, number int64) (*model.Release, error) {
	release, err := h.Store.Release(ctx, w.service.Cluster, w.service.Name, number)
	if err != nil {
		return nil, err
	}
	return release, w.driver.Apply(ctx, orchestrator.Release{
		Service: w.ref(), Number: number, Spec: release.Spec, Image: release.Image, Commit: release.Commit,
		Replicas: w.service.Replicas, Operation: w.In.Operation, New: w.service.ReleaseObserved == 0,
	})
}

// seen writes what a look saw of a service into its record.
func seen(s model.Service, observation orchestrator.Observation) model.Service {
	s.ReplicasObserved = observation.Running
	if observation.InEffect > 0 {
		s.ReleaseObserved = observation.InEffect
	}
	return s
}

// healthy is the record of a service that is as it is wanted.
func healthy(s model.Service, generation int64) model.Service {
	s = become(s, contract.ServiceHealthy)
	s.Reason, s.Drift = "", ""
	s.Observed = max(s.Observed, generation)
	return s
}

// become gives a service a status, unless it is to be retired: an operation that was
// asked for before must not hide that.
func become(s model.Service, status contract.ServiceStatus) model.Service {
	if s.Status != contract.ServiceRetiring {
		s.Status = status
	}
	return s
}
