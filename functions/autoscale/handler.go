// Package autoscale holds the step that follows the alarm of a scaling policy:
// one look decides, keeps the decision with its reason, and asks for the change.
//
// It must never know how a change is carried out: it writes what is wanted, and
// an operation of its own brings that about.
package autoscale

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/step"
	"portolan/shared/store"
)

// Store is the part of the store that the step uses.
type Store interface {
	step.Store
	intake.Store
	Service(ctx context.Context, cluster, name string) (*model.Service, error)
	Commit(ctx context.Context, writes ...store.Write) error
}

// Alarms looks at alarms.
type Alarms interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
}

// Handler handles the step LookAtAlarm.
type Handler struct {
	Store  Store
	Alarms Alarms
	Now    func() time.Time
	NewID  func() string
	Log    *slog.Logger
}

// In is a call with the state of the machine.
type In struct {
	step.Call
	State State `json:"state"`
}

// An Action is what the machine does next.
type Action string

// Applied waits for the child operation and then cools down, Cooling only cools
// down, and Done ends the operation.
const (
	Applied Action = "Applied"
	Cooling Action = "Cooling"
	Done    Action = "Done"
)

// State is what the machine carries from look to look.
type State struct {
	Action          Action `json:"action"`
	Child           string `json:"child"`
	WaitSeconds     int    `json:"waitSeconds"`
	CooldownSeconds int    `json:"cooldownSeconds"`
	Reason          string `json:"reason"`
	Looks           int    `json:"looks"`
}

// Limits on one operation; an alarm that stays is followed by the next.
const (
	looksMax = 100
	ageMax   = 12 * time.Hour
)

// childWaitSeconds is how long a machine waits for the end of a scaling before it
// goes on to the cooldown: the alarm is what tells whether it was enough.
const childWaitSeconds = 300

// A look is what is known at one look at an alarm.
type look struct {
	In
	operation *model.Operation
	policy    *model.Policy
	cluster   *model.Cluster
	service   *model.Service // nil when the policy scales a node pool
	pool      *model.NodePool
	state     string
}

// Handle takes one look.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	if in.Step != "LookAtAlarm" {
		return State{}, in.Unknown("autoscale", "LookAtAlarm")
	}
	l, why, err := h.load(ctx, in)
	if err != nil {
		return State{}, err
	}
	if why != "" {
		return State{Action: Done, Reason: why, Looks: in.State.Looks + 1}, nil
	}
	size, ceiling := l.size()
	decision := decide.Scale(l.policy, l.state, size, ceiling, h.Now())
	out := State{Looks: in.State.Looks + 1, Reason: decision.Reason, Action: Done,
		CooldownSeconds: int(decision.Wait.Round(time.Second) / time.Second)}
	writes := []store.Write{in.Fence()}
	switch {
	case decision.Apply:
		child, scaling, err := h.apply(ctx, l, decision)
		if err != nil {
			return State{}, err
		}
		out.Action, out.Child, out.WaitSeconds = Applied, child, childWaitSeconds
		writes = append(writes, scaling...)
	case decision.Wait > 0 && h.tooLong(l):
		next, err := h.carryOn(ctx, l)
		if err != nil {
			return State{}, err
		}
		out.Reason += "; goes on in another operation"
		writes = append(writes, next...)
	case decision.Wait > 0:
		out.Action = Cooling
	}
	writes = append(writes, store.CreateDecision(h.record(l, decision, out.Child)))
	if err := h.Store.Commit(ctx, writes...); err != nil {
		return State{}, err
	}
	h.Log.InfoContext(ctx, "decided", "operation", in.Operation, "target", in.Target, "alarm", l.state,
		"from", decision.From, "to", decision.To, "applied", decision.Apply, "reason", decision.Reason)
	return out, nil
}

// load returns what is known, or why there is nothing to decide any more.
func (h *Handler) load(ctx context.Context, in In) (l *look, why string, err error) {
	l = &look{In: in, policy: new(model.Policy), cluster: new(model.Cluster)}
	if l.operation, err = step.Enter(ctx, h.Store, in.Call); err != nil {
		return nil, "", err
	}
	target := l.operation.Target
	err = h.Store.Load(ctx, store.ReadPolicy(target.Cluster, target.Policy, l.policy), store.ReadCluster(target.Cluster, l.cluster))
	if fault.IsNotFound(err) && l.policy.Name == "" {
		return nil, "the policy was deleted", nil
	}
	if err != nil {
		return nil, "", err
	}
	if l.cluster.Status != contract.ClusterReady {
		return nil, "the cluster is " + string(l.cluster.Status), nil
	}
	if why = decide.Refusal(l.cluster, contract.KindScale); why != "" {
		return nil, why, nil
	}
	if why, err = h.loadScaled(ctx, l); why != "" || err != nil {
		return nil, why, err
	}
	l.state, why, err = h.alarmState(ctx, l.policy.Spec.Alarm)
	return l, why, err
}

// loadScaled loads what the policy scales.
func (h *Handler) loadScaled(ctx context.Context, l *look) (why string, err error) {
	if name := l.policy.Spec.NodePool; name != "" {
		if l.pool = l.cluster.Pool(name); l.pool == nil {
			return "the cluster has no node pool " + name, nil
		}
		return "", nil
	}
	l.service, err = h.Store.Service(ctx, l.policy.Cluster, l.policy.Spec.Service)
	if fault.IsNotFound(err) {
		return "the service does not exist", nil
	}
	if err != nil {
		return "", err
	}
	if l.service.Status == contract.ServiceRetiring || l.service.Status == contract.ServiceRetired {
		return "the service is " + string(l.service.Status), nil
	}
	return "", nil
}

func (l *look) size() (size, ceiling int) {
	if l.pool != nil {
		return l.pool.Size, l.pool.SizeMax
	}
	return l.service.Replicas, 0
}

// alarmState asks CloudWatch for an alarm's state.
func (h *Handler) alarmState(ctx context.Context, arn string) (state, why string, err error) {
	_, name, _ := strings.Cut(arn, ":alarm:")
	out, err := h.Alarms.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{name},
		AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return "", "", fault.FromAWS(err, "looking at alarm "+name)
	}
	for _, alarm := range out.MetricAlarms {
		return string(alarm.StateValue), "", nil
	}
	for _, alarm := range out.CompositeAlarms {
		return string(alarm.StateValue), "", nil
	}
	return "", "alarm " + name + " does not exist", nil
}

// apply changes what is wanted, and asks for an operation that brings it about.
func (h *Handler) apply(ctx context.Context, l *look, d decide.Scaling) (child string, writes []store.Write, err error) {
	now := h.Now()
	l.policy.ScaledAt = now
	target := contract.Target{Cluster: l.cluster.Name()}
	writes = []store.Write{store.PutPolicy(*l.policy)}
	var generation int64
	if l.pool != nil {
		l.pool.Size = d.To
		l.cluster.Generation++
		generation = l.cluster.Generation
		writes = append(writes, store.UpdateCluster(*l.cluster))
	} else {
		l.service.Replicas = d.To
		l.service.Generation++
		generation, target.Service = l.service.Generation, l.service.Name
		writes = append(writes, store.UpdateService(*l.service))
	}
	cause := contract.Cause{Who: l.policy.Spec.Alarm, What: "policy " + l.policy.Name, Why: d.Reason,
		Source: "operation", EventId: l.operation.ID}
	wish := decide.NewOperation(h.NewID(), contract.KindScale, target, l.policy.Team, generation, cause, now)
	wish.Parent, wish.NodePool = l.operation.ID, l.policy.Spec.NodePool
	operation, queued, err := intake.Enqueue(ctx, h.Store, wish)
	return operation.ID, append(writes, queued...), err
}

// tooLong says whether the operation has followed its alarm for long enough.
func (h *Handler) tooLong(l *look) bool {
	return l.State.Looks+1 >= looksMax || h.Now().Sub(l.operation.CreatedAt) > ageMax
}

// carryOn asks for another operation on the same policy.
func (h *Handler) carryOn(ctx context.Context, l *look) ([]store.Write, error) {
	wish := decide.NewOperation(h.NewID(), contract.KindAutoscale, l.operation.Target, l.operation.Team,
		l.operation.Generation, l.operation.Cause, h.Now())
	_, writes, err := intake.Enqueue(ctx, h.Store, wish)
	return writes, err
}

func (h *Handler) record(l *look, d decide.Scaling, child string) model.Decision {
	return model.Decision{
		Cluster: l.policy.Cluster, Policy: l.policy.Name, ID: h.NewID(), Time: h.Now(),
		AlarmState: l.state, From: d.From, To: d.To, Applied: d.Apply, Reason: d.Reason,
		Operation: child,
	}
}
