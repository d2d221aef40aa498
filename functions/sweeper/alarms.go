package sweeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/store"
)

const (
	// alarmsMax is how many alarms one call of DescribeAlarms returns at most.
	alarmsMax = 100

	// alarmPagesMax bounds how many of its pages one run reads.
	alarmPagesMax = 50

	// long is how long an alarm is in ALARM that is not looked at in each run any more.
	long = time.Hour

	// alarmsFew is for how many alarms in ALARM no list of clusters is read.
	alarmsFew = 10
)

// alarms asks for an autoscale operation for each policy whose alarm is in ALARM
// while nobody follows it. Those that are in ALARM for long are looked at with each
// round only: somebody follows them, or they are nobody's.
func (h *Handler) alarms(ctx context.Context, clusters listing, isRound bool) ([]Finding, error) {
	raised, err := h.raised(ctx)
	if err != nil {
		return nil, err
	}
	if !isRound {
		maps.DeleteFunc(raised, func(_ string, a raisedAlarm) bool { return h.Now().Sub(a.since) > long })
	}
	if len(raised) == 0 {
		return nil, nil
	}
	policies, err := h.policies(ctx, clusters, raised)
	if err != nil {
		return nil, err
	}
	var found []Finding
	var failures []error
	for _, p := range policies {
		did, err := h.follow(ctx, p, raised[p.Spec.Alarm])
		if err != nil {
			failures = append(failures, fmt.Errorf("looking at policy %s of cluster %s: %w", p.Name, p.Cluster, err))
		}
		found = append(found, did...)
	}
	return found, errors.Join(failures...)
}

// policies lists the policies that name one of the alarms. Most of the time few alarms are
// in ALARM, and each is looked up; where they are more than the clusters, maybe because an
// account has many that are nobody's here, the clusters are.
func (h *Handler) policies(ctx context.Context, clusters listing, alarms map[string]raisedAlarm) ([]model.Policy, error) {
	var ready []model.Cluster
	var err error
	if len(alarms) > alarmsFew {
		if ready, err = clusters.ready(); err != nil {
			return nil, err
		}
	}
	var all []model.Policy
	if len(alarms) > max(alarmsFew, len(ready)) {
		for _, c := range ready {
			of, _, err := h.Store.Policies(ctx, c.Name(), store.Page{Limit: pageSize})
			if err != nil {
				return nil, err
			}
			all = append(all, of...)
		}
	} else {
		for _, arn := range slices.Sorted(maps.Keys(alarms)) {
			of, _, err := h.Store.PoliciesOfAlarm(ctx, arn, store.Page{Limit: pageSize})
			if err != nil {
				return nil, err
			}
			all = append(all, of...)
		}
	}
	return slices.DeleteFunc(all, func(p model.Policy) bool {
		_, isRaised := alarms[p.Spec.Alarm]
		return !isRaised
	}), nil
}

// A raisedAlarm is in ALARM since a time, for a reason.
type raisedAlarm struct {
	since  time.Time
	reason string
}

// raised returns the alarms that are in ALARM, by ARN.
func (h *Handler) raised(ctx context.Context) (map[string]raisedAlarm, error) {
	out := map[string]raisedAlarm{}
	in := &cloudwatch.DescribeAlarmsInput{
		StateValue: types.StateValueAlarm, MaxRecords: aws.Int32(alarmsMax),
		AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	}
	for range alarmPagesMax {
		got, err := h.Alarms.DescribeAlarms(ctx, in)
		if err != nil {
			return nil, fault.FromAWS(err, "looking at alarms")
		}
		for _, a := range got.MetricAlarms {
			since := cmp.Or(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
			out[aws.ToString(a.AlarmArn)] = raisedAlarm{aws.ToTime(since), aws.ToString(a.StateReason)}
		}
		for _, a := range got.CompositeAlarms {
			since := cmp.Or(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
			out[aws.ToString(a.AlarmArn)] = raisedAlarm{aws.ToTime(since), aws.ToString(a.StateReason)}
		}
		if in.NextToken = got.NextToken; in.NextToken == nil {
			return out, nil
		}
	}
	h.Log.WarnContext(ctx, "there are more alarms in ALARM than one run looks at", "pages", alarmPagesMax)
	return out, nil
}

// follow asks for an operation on a policy when the alarm's event was lost, or the
// one that followed it failed.
func (h *Handler) follow(ctx context.Context, p model.Policy, alarm raisedAlarm) ([]Finding, error) {
	target := contract.Target{Cluster: p.Cluster, Policy: p.Name}
	last, err := h.newest(ctx, target)
	if err != nil {
		return nil, err
	}
	why := decide.Unfollowed(alarm.since, last, h.Now())
	if why == "" || h.Now().Sub(alarm.since) < patience {
		return nil, nil
	}
	queue, err := h.Store.Queue(ctx, model.TargetKey(target))
	if err != nil || len(queue.Operations) > 0 {
		return nil, err // the index that named the newest operation lags
	}
	cluster, err := h.Store.Cluster(ctx, p.Cluster)
	if err != nil || cluster.Status != contract.ClusterReady {
		return nil, fault.IgnoreNotFound(err)
	}
	mark := model.TargetKey(target) + "|" + alarm.since.UTC().Format(time.RFC3339Nano)
	if last != nil {
		mark += "|" + last.ID
	}
	id, err := h.ask(ctx, p, alarm, why, mark)
	if errors.Is(err, store.ErrSeen) || fault.IsConflict(err) {
		return nil, nil // somebody follows it by now, or nobody needs to
	}
	return []Finding{{What: model.TargetKey(target), Did: "operation " + id + " asked for", Why: why}}, err
}

// newest returns the newest operation on a target, or nil when there is none.
func (h *Handler) newest(ctx context.Context, target contract.Target) (*model.Operation, error) {
	all, _, err := h.Store.Operations(ctx, model.TargetKey(target), store.Page{Limit: 1})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// ask queues an autoscale operation on a policy, once for each mark.
func (h *Handler) ask(ctx context.Context, p model.Policy, alarm raisedAlarm, why, mark string) (id string, err error) {
	now := h.Now()
	target := contract.Target{Cluster: p.Cluster, Policy: p.Name}
	cause := contract.Cause{Source: "sweeper", Who: p.Spec.Alarm,
		What: "the alarm is in ALARM: " + alarm.reason, Why: why}
	wish := decide.NewOperation(h.NewID(), contract.KindAutoscale, target, p.Team, p.Version, cause, now)
	operation, writes, err := intake.Enqueue(ctx, h.Store, wish)
	if err != nil {
		return "", err
	}
	seen := store.Seen("sweeper", mark, now.Add(intake.Remembered))
	writes = append([]store.Write{seen, store.ClusterTakesChanges(p.Cluster)}, writes...)
	return operation.ID, h.Store.Commit(ctx, writes...)
}
