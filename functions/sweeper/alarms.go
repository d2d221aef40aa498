package sweeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// alarmsMax is how many names one call of DescribeAlarms takes.
const alarmsMax = 100

// alarms asks for an autoscale operation for each policy whose alarm is in ALARM
// while nobody follows it.
func (h *Handler) alarms(ctx context.Context, clusters []model.Cluster) ([]Finding, error) {
	policies, err := h.policies(ctx, clusters)
	if err != nil {
		return nil, err
	}
	var found []Finding
	var failures []error
	for chunk := range slices.Chunk(policies, alarmsMax) {
		raised, err := h.raised(ctx, chunk)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for _, p := range chunk {
			alarm, ok := raised[p.Spec.Alarm]
			if !ok {
				continue
			}
			did, err := h.follow(ctx, p, alarm)
			if err != nil {
				failures = append(failures, fmt.Errorf("looking at policy %s of cluster %s: %w", p.Name, p.Cluster, err))
			}
			found = append(found, did...)
		}
	}
	return found, errors.Join(failures...)
}

// policies lists the policies of the clusters.
func (h *Handler) policies(ctx context.Context, clusters []model.Cluster) ([]model.Policy, error) {
	var all []model.Policy
	for _, c := range clusters {
		of, _, err := h.Store.Policies(ctx, c.Name(), store.Page{Limit: pageSize})
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	return all, nil
}

// A raised alarm is in ALARM since a time, for a reason.
type raised struct {
	since  time.Time
	reason string
}

// raised returns those of the policies' alarms that are in ALARM, by ARN.
func (h *Handler) raised(ctx context.Context, policies []model.Policy) (map[string]raised, error) {
	var names []string
	for _, p := range policies {
		if _, name, ok := strings.Cut(p.Spec.Alarm, ":alarm:"); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	out := map[string]raised{}
	if len(names) == 0 {
		return out, nil
	}
	got, err := h.Alarms.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, StateValue: types.StateValueAlarm, MaxRecords: aws.Int32(alarmsMax),
		AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return nil, fault.FromAWS(err, "looking at alarms")
	}
	for _, a := range got.MetricAlarms {
		since := cmp.Or(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
		out[aws.ToString(a.AlarmArn)] = raised{aws.ToTime(since), aws.ToString(a.StateReason)}
	}
	for _, a := range got.CompositeAlarms {
		since := cmp.Or(a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
		out[aws.ToString(a.AlarmArn)] = raised{aws.ToTime(since), aws.ToString(a.StateReason)}
	}
	return out, nil
}

// follow asks for an operation on a policy when the alarm's event was lost, or the
// one that followed it failed.
func (h *Handler) follow(ctx context.Context, p model.Policy, alarm raised) ([]Finding, error) {
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
func (h *Handler) ask(ctx context.Context, p model.Policy, alarm raised, why, mark string) (id string, err error) {
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
