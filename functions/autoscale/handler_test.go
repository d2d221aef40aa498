package autoscale

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

const alarm = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:web-cpu-high"

// A scene is the handler on the real store, with one alarm, in virtual time.
type scene struct {
	*testing.T
	*Handler
	store     *store.Store
	state     string // of the alarm; empty when there is none
	composite bool
	call      step.Call
	ids       int
}

// DescribeAlarms implements Alarms.
func (s *scene) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput,
	_ ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	out := &cloudwatch.DescribeAlarmsOutput{}
	switch {
	case len(in.AlarmNames) != 1 || in.AlarmNames[0] != "web-cpu-high":
		return nil, fmt.Errorf("the alarms are %q", in.AlarmNames)
	case s.state == "throttled":
		return nil, context.DeadlineExceeded
	case s.state == "":
	case s.composite:
		out.CompositeAlarms = []types.CompositeAlarm{{StateValue: types.StateValue(s.state)}}
	default:
		out.MetricAlarms = []types.MetricAlarm{{StateValue: types.StateValue(s.state)}}
	}
	return out, nil
}

// play runs a test on a policy that adds two tasks between 2 and 6, or as change
// says, while its alarm is in ALARM.
func play(t *testing.T, change func(*model.Policy), act func(*scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, store: storetest.Open(t), state: "ALARM"}
		s.Handler = &Handler{Store: s.store, Alarms: s, Now: time.Now, Log: steptest.Log(),
			NewID: func() string { s.ids++; return fmt.Sprintf("id-%d", s.ids) }}
		policy := model.Policy{Cluster: "shop", Name: "out", Team: "checkout", Spec: contract.PolicySpec{
			Alarm: alarm, Service: "web", Adjustment: 2, SizeMin: 2, SizeMax: 6, CooldownSeconds: 120}}
		if change != nil {
			change(&policy)
		}
		steptest.Commit(t, s.store, store.CreateCluster(steptest.Cluster()), store.CreateService(steptest.Service()),
			store.PutPolicy(policy))
		s.call = steptest.Begin(t, s.store, "operation", contract.KindAutoscale, contract.Target{Cluster: "shop", Policy: "out"})
		s.call.Step = "LookAtAlarm"
		act(s)
	})
}

func (s *scene) look(state State) State {
	s.Helper()
	out, err := s.Handle(s.Context(), In{Call: s.call, State: state})
	if err != nil {
		s.Fatal(err)
	}
	return out
}

func (s *scene) replicas() int {
	s.Helper()
	v, err := s.store.Service(s.Context(), "shop", "web")
	if err != nil {
		s.Fatal(err)
	}
	return v.Replicas
}

func (s *scene) decisions() []model.Decision {
	s.Helper()
	all, _, err := s.store.Decisions(s.Context(), "shop", "out", store.Day(time.Now()), store.Page{Limit: 100})
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// An alarm that stays is followed up to the maximum, and each look is kept with
// its reason.
func TestAlarmIsFollowedToTheMaximum(t *testing.T) {
	play(t, nil, func(s *scene) {
		first := s.look(State{})
		if first.Action != Applied || first.CooldownSeconds != 120 || first.WaitSeconds != childWaitSeconds || s.replicas() != 4 {
			t.Fatalf("got %+v and %d tasks", first, s.replicas())
		}
		child, err := s.store.Operation(s.Context(), first.Child)
		if err != nil || child.Kind != contract.KindScale || child.Parent != "operation" || child.Generation != 2 ||
			child.Cause.Who != alarm || child.Cause.Source != "operation" {
			t.Errorf("the scaling is %+v, %v", child, err)
		}
		time.Sleep(time.Minute)
		early := s.look(first)
		if early.Action != Cooling || early.CooldownSeconds != 60 || early.Looks != 2 || s.replicas() != 4 {
			t.Errorf("within the cooldown: %+v", early)
		}
		time.Sleep(time.Minute)
		if second := s.look(early); second.Action != Applied || s.replicas() != 6 {
			t.Errorf("after the cooldown: %+v and %d tasks", second, s.replicas())
		}
		time.Sleep(2 * time.Minute)
		if last := s.look(State{}); last.Action != Done || !strings.Contains(last.Reason, "is the maximum") || s.replicas() != 6 {
			t.Errorf("at the maximum: %+v", last)
		}
		kept := s.decisions()
		if len(kept) != 4 || kept[3].From != 2 || kept[3].To != 4 || !kept[3].Applied || kept[3].Operation != first.Child ||
			kept[0].Applied || kept[0].Reason == "" || kept[0].AlarmState != "ALARM" {
			t.Errorf("kept is %+v", kept)
		}
	})
}

func TestAlarmThatIsOverEndsIt(t *testing.T) {
	for _, state := range []string{"OK", "INSUFFICIENT_DATA"} {
		play(t, nil, func(s *scene) {
			s.state = state
			if out := s.look(State{}); out.Action != Done || !strings.Contains(out.Reason, state) || s.replicas() != 2 {
				t.Errorf("got %+v", out)
			}
		})
	}
}

func TestCompositeAlarm(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.composite = true
		if out := s.look(State{}); out.Action != Applied {
			t.Errorf("got %+v", out)
		}
	})
}

// The same vocabulary scales nodes, within what the pool itself allows.
func TestNodePoolIsScaled(t *testing.T) {
	pool := func(p *model.Policy) { p.Spec.Service, p.Spec.NodePool, p.Spec.SizeMax = "", "default", 50 }
	play(t, pool, func(s *scene) {
		out := s.look(State{})
		c, err := s.store.Cluster(s.Context(), "shop")
		if err != nil || out.Action != Applied || c.NodePools[0].Size != 4 || c.Generation != 2 {
			t.Fatalf("got %+v, %+v, %v", out, c.NodePools, err)
		}
		child, err := s.store.Operation(s.Context(), out.Child)
		if err != nil || child.NodePool != "default" || child.Target != (contract.Target{Cluster: "shop"}) {
			t.Errorf("the scaling is %+v, %v", child, err)
		}
		for range 4 { // 6, 8, 10, and no further
			time.Sleep(2 * time.Minute)
			out = s.look(State{})
		}
		if out.Action != Done || !strings.Contains(out.Reason, "10 is the maximum") {
			t.Errorf("got %+v", out)
		}
	})
}

func TestNothingLeftToDecide(t *testing.T) {
	tests := map[string]struct {
		prepare func(*scene)
		reason  string
	}{
		"the policy is gone": {func(s *scene) { steptest.Commit(s.T, s.store, store.DeletePolicy("shop", "out")) },
			"the policy was deleted"},
		"the alarm is gone": {func(s *scene) { s.state = "" }, "alarm web-cpu-high does not exist"},
		"the cluster is being retired": {func(s *scene) {
			c := steptest.Cluster()
			c.Status, c.Version = contract.ClusterRetiring, 1
			steptest.Commit(s.T, s.store, store.UpdateCluster(c))
		}, "the cluster is Retiring"},
		"the service is being retired": {func(s *scene) {
			v := steptest.Service()
			v.Status, v.Version = contract.ServiceRetiring, 1
			steptest.Commit(s.T, s.store, store.UpdateService(v))
		}, "the service is Retiring"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(s *scene) {
				test.prepare(s)
				if out := s.look(State{Looks: 3}); out.Action != Done || out.Reason != test.reason || out.Looks != 4 {
					t.Errorf("got %+v", out)
				}
			})
		})
	}
	play(t, func(p *model.Policy) { p.Spec.Service = "none" }, func(s *scene) {
		if out := s.look(State{}); out.Action != Done || out.Reason != "the service does not exist" {
			t.Errorf("got %+v", out)
		}
	})
	play(t, func(p *model.Policy) { p.Spec.NodePool = "none" }, func(s *scene) {
		if out := s.look(State{}); out.Action != Done || out.Reason != "the cluster has no node pool none" {
			t.Errorf("got %+v", out)
		}
	})
}

// An operation does not follow its alarm for ever: the next one goes on.
func TestAlarmThatStaysIsHandedOn(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.look(State{})
		out := s.look(State{Looks: looksMax - 1})
		if out.Action != Done || !strings.HasSuffix(out.Reason, "goes on in another operation") {
			t.Fatalf("got %+v", out)
		}
		queue, err := s.store.Queue(s.Context(), "policy/shop/out")
		if err != nil || len(queue.Operations) != 2 {
			t.Fatalf("the queue is %+v, %v", queue, err)
		}
		var next *model.Operation
		for _, id := range queue.Operations {
			if id != "operation" {
				next, err = s.store.Operation(s.Context(), id)
			}
		}
		if err != nil || next.Kind != contract.KindAutoscale || next.Cause.Who != "ada" {
			t.Errorf("the next one is %+v, %v", next, err)
		}
	})
}

// A lost answer: the second look finds the change made, and makes no other.
func TestLookTwiceChangesOnce(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.look(State{})
		if out := s.look(State{}); out.Action != Cooling || s.replicas() != 4 {
			t.Errorf("got %+v and %d tasks", out, s.replicas())
		}
	})
}

func TestLookStandsBehindTheFence(t *testing.T) {
	play(t, nil, func(s *scene) {
		steptest.Lose(s.T, s.store, s.call)
		if _, err := s.Handle(s.Context(), In{Call: s.call}); !fault.IsHalted(err) || s.replicas() != 2 {
			t.Errorf("got %v and %d tasks", err, s.replicas())
		}
	})
}

func TestTroubleWithCloudWatchIsTriedAgain(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.state = "throttled"
		_, err := s.Handle(s.Context(), In{Call: s.call})
		if !fault.IsUnavailable(err) || !errors.Is(err, context.DeadlineExceeded) || len(s.decisions()) != 0 {
			t.Errorf("got %v", err)
		}
	})
}
