package story

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"portolan/shared/contract"
)

func alarmARN(name string) string {
	return "arn:aws:cloudwatch:" + region + ":" + account + ":alarm:" + name
}

// bindAlarm makes an alarm and the policy that names it.
func (s *Stage) bindAlarm(ctx context.Context, name, metric string, spec contract.PolicySpec) error {
	_, err := cloudwatch.NewFromConfig(s.aws()).PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String("AWS/ECS"), MetricName: &metric, Statistic: types.StatisticAverage,
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(75),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	})
	if err != nil {
		return err
	}
	spec.Alarm = alarmARN(name)
	s.in("PUT %s/policies/%s: %+d between %d and %d, cooldown %d s", clusterPath, name,
		spec.Adjustment, spec.SizeMin, spec.SizeMax, spec.CooldownSeconds)
	if err := s.expect(ctx, http.StatusOK, http.MethodPut, clusterPath+"/policies/"+name, spec, nil); err != nil {
		return err
	}
	return s.settle(ctx)
}

// setAlarm changes an alarm's state, which CloudWatch tells on the bus.
func (s *Stage) setAlarm(ctx context.Context, name string, state types.StateValue) error {
	s.in("CloudWatch Alarm State Change: %s is %s", name, state)
	_, err := cloudwatch.NewFromConfig(s.aws()).SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{
		AlarmName: &name, StateValue: state, StateReason: aws.String("Threshold Crossed: told by the story"),
	})
	return err
}

// decisions waits until a policy has decided so often, and then shows and returns
// its decisions, oldest first.
func (s *Stage) decisions(ctx context.Context, policy, last string) ([]contract.Decision, error) {
	var decisions []contract.Decision
	err := s.until(ctx, "policy "+policy+" decides: "+last, func() (bool, error) {
		decisions = nil
		for _, day := range s.days() {
			var page contract.DecisionPage
			if err := s.get(ctx, clusterPath+"/policies/"+policy+"/decisions?day="+day, &page); err != nil {
				return false, err
			}
			decisions = append(decisions, page.Items...)
		}
		return len(decisions) > 0 && strings.Contains(decisions[0].Reason, last), nil
	})
	slices.Reverse(decisions)
	for _, d := range decisions {
		s.decided("%s: %d → %d, %s", policy, d.From, d.To, d.Reason)
	}
	return decisions, err
}

// expectSizes checks the changes that were applied.
func expectSizes(decisions []contract.Decision, sizes ...int) error {
	var got []int
	for _, d := range decisions {
		if d.Applied {
			got = append(got, d.To)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(sizes) {
		return fmt.Errorf("scaled to %v and not to %v", got, sizes)
	}
	return nil
}

func followAlarms(ctx context.Context, s *Stage) error {
	out := contract.PolicySpec{Service: service, Adjustment: 2, SizeMin: 2, SizeMax: 6, CooldownSeconds: 120}
	if err := s.bindAlarm(ctx, "cpu-high", "CPUUtilization", out); err != nil {
		return err
	}
	if err := s.setAlarm(ctx, "cpu-high", types.StateValueAlarm); err != nil {
		return err
	}
	decisions, err := s.decisions(ctx, "cpu-high", "is the maximum")
	if err != nil {
		return err
	}
	if err := expectSizes(decisions, 4, 6); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	if err := s.expectService(ctx, 6, 1); err != nil {
		return err
	}
	if err := s.setAlarm(ctx, "cpu-high", types.StateValueOk); err != nil {
		return err
	}
	return followScaleIn(ctx, s)
}

func followScaleIn(ctx context.Context, s *Stage) error {
	in := contract.PolicySpec{Service: service, Adjustment: -2, SizeMin: 4, SizeMax: 6, CooldownSeconds: 120}
	if err := s.bindAlarm(ctx, "cpu-low", "CPUUtilization", in); err != nil {
		return err
	}
	if err := s.setAlarm(ctx, "cpu-low", types.StateValueAlarm); err != nil {
		return err
	}
	decisions, err := s.decisions(ctx, "cpu-low", "is the minimum")
	if err != nil {
		return err
	}
	if err := expectSizes(decisions, 4); err != nil {
		return err
	}
	if err := s.setAlarm(ctx, "cpu-low", types.StateValueOk); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.expectService(ctx, 4, 1)
}

func scaleNodes(ctx context.Context, s *Stage) error {
	out := contract.PolicySpec{NodePool: "nodes", Adjustment: 1, SizeMin: 2, SizeMax: 3, CooldownSeconds: 300}
	if err := s.followNodes(ctx, "memory-high", out, 3, "is the maximum"); err != nil {
		return err
	}
	in := contract.PolicySpec{NodePool: "nodes", Adjustment: -1, SizeMin: 2, SizeMax: 3, CooldownSeconds: 300}
	if err := s.followNodes(ctx, "memory-low", in, 2, "is the minimum"); err != nil {
		return err
	}
	var pool contract.NodePool
	if err := s.get(ctx, clusterPath+"/node-pools/nodes", &pool); err != nil {
		return err
	}
	s.happened("%d nodes are left; the one that went was cordoned and drained first", pool.SizeObserved)
	if pool.SizeObserved != 2 {
		return fmt.Errorf("%d nodes are left", pool.SizeObserved)
	}
	return s.expectService(ctx, 4, 1)
}

// followNodes lets an alarm bring the node pool to a size.
func (s *Stage) followNodes(ctx context.Context, alarm string, spec contract.PolicySpec, size int, last string) error {
	if err := s.bindAlarm(ctx, alarm, "MemoryReservation", spec); err != nil {
		return err
	}
	if err := s.setAlarm(ctx, alarm, types.StateValueAlarm); err != nil {
		return err
	}
	decisions, err := s.decisions(ctx, alarm, last)
	if err != nil {
		return err
	}
	if err := expectSizes(decisions, size); err != nil {
		return err
	}
	if err := s.setAlarm(ctx, alarm, types.StateValueOk); err != nil {
		return err
	}
	var pool contract.NodePool
	err = s.until(ctx, "the pool has its size", func() (bool, error) {
		err := s.get(ctx, clusterPath+"/node-pools/nodes", &pool)
		return pool.SizeObserved == size, err
	})
	s.happened("the pool has %d nodes", pool.SizeObserved)
	return err
}
