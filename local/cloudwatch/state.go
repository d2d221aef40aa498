package cloudwatch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/wire"
)

type setStateInput struct {
	AlarmName       string `json:"AlarmName"`
	StateValue      string `json:"StateValue"`
	StateReason     string `json:"StateReason"`
	StateReasonData string `json:"StateReasonData"`
}

func (s *Server) setAlarmState(ctx context.Context, in *setStateInput) (*nothing, error) {
	if !slices.Contains([]string{"OK", "ALARM", "INSUFFICIENT_DATA"}, in.StateValue) {
		return nil, invalid("1 validation error detected: Value '%s' at 'stateValue' failed to satisfy constraint: Member "+
			"must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]", in.StateValue)
	}
	if in.StateReasonData != "" && !json.Valid([]byte(in.StateReasonData)) {
		return nil, &wire.Error{Code: "InvalidFormat", QueryCode: "InvalidFormat", Message: "StateReasonData is not valid JSON"}
	}
	change, err := s.transition(in)
	if err != nil || change == nil {
		return &nothing{}, err
	}
	s.tell(ctx, change)
	s.told(change)
	return &nothing{}, nil
}

// A change of an alarm's state, as its event tells it. It is on disk from the moment
// of the change until its event and its actions were handed over.
type change struct {
	Alarm    alarmView
	State    state
	Previous state
	At       time.Time

	key string
}

type state struct {
	Value      string `json:"value"`
	Reason     string `json:"reason"`
	ReasonData string `json:"reasonData,omitempty"`
	Timestamp  string `json:"timestamp"`
}

// stamp is the form of the times in alarm events: no colon in the zone.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

func (a *alarm) state() state {
	return state{Value: a.View.StateValue, Reason: a.View.StateReason, ReasonData: a.View.StateReasonData, Timestamp: stamp(a.SetAt)}
}

// transition sets the state. It returns nil where the value is what it was: an
// alarm tells only of changes.
func (s *Server) transition(in *setStateInput) (*change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.alarms[in.AlarmName]
	if !ok {
		return nil, notFound()
	}
	now := s.config.Clock.Now()
	previous := a.state()
	changed := previous.Value != in.StateValue
	v := &a.View
	v.StateValue, v.StateReason, v.StateReasonData = in.StateValue, in.StateReason, in.StateReasonData
	v.StateUpdated, a.SetAt = wire.At(now), now
	if changed {
		v.StateTransitioned = wire.At(now)
	}
	if !changed {
		return nil, s.keep(a)
	}
	s.changes++
	c := &change{Alarm: *v, State: a.state(), Previous: previous, At: now, key: fmt.Sprintf("%020d", s.changes)}
	return c, s.config.Disk.Update(func(tx *disk.Tx) error {
		if err := tx.PutJSON(changeBucket, c.key, c); err != nil {
			return err
		}
		return tx.PutJSON(bucket, v.Name, a)
	})
}

// resume tells of the changes that the process before kept and may not have told of.
func (s *Server) resume() error {
	var left []*change
	err := disk.LoadJSON(s.config.Disk, changeBucket, func(key string, c *change) {
		c.key = key
		left = append(left, c)
		if n, err := strconv.ParseUint(key, 10, 64); err == nil {
			s.changes = max(s.changes, n)
		}
	})
	for _, c := range left {
		s.tell(context.Background(), c)
		s.told(c)
	}
	return err
}

// told forgets a change of which the event and the actions were handed over. What the
// disk refuses to forget is told of once more after a restart.
func (s *Server) told(c *change) {
	_ = s.config.Disk.Update(func(tx *disk.Tx) error { return tx.Delete(changeBucket, []byte(c.key)) })
}

// tell emits the event and runs the alarm's actions.
func (s *Server) tell(ctx context.Context, c *change) {
	if s.config.Events != nil {
		s.config.Events.Emit(ctx, events.Event{Source: "aws.cloudwatch", DetailType: "CloudWatch Alarm State Change",
			Resources: []string{c.Alarm.Arn}, Time: c.At, Detail: map[string]any{
				"alarmName": c.Alarm.Name, "configuration": configuration(c.Alarm), "state": c.State, "previousState": c.Previous}})
	}
	if s.config.Act == nil || !c.Alarm.ActionsEnabled {
		return
	}
	actions := map[string][]string{"OK": c.Alarm.OKActions, "ALARM": c.Alarm.AlarmActions,
		"INSUFFICIENT_DATA": c.Alarm.InsufficientDataActions}
	for _, arn := range actions[c.State.Value] {
		payload := s.lambdaPayload(c)
		if strings.HasPrefix(arn, "arn:aws:sns:") {
			payload = s.snsMessage(c)
		}
		s.config.Act(ctx, arn, payload)
	}
}

// configuration is what an event has of the alarm: its metrics and its
// description, but neither threshold nor comparison.
func configuration(v alarmView) map[string]any {
	metrics := []map[string]any{}
	for _, q := range v.Metrics {
		m := map[string]any{"id": q.ID, "returnData": q.ReturnData == nil || *q.ReturnData}
		if q.Expression != "" {
			m["expression"] = q.Expression
		}
		if q.Label != "" {
			m["label"] = q.Label
		}
		if q.MetricStat != nil {
			m["metricStat"] = statOf(q.MetricStat.Metric, q.MetricStat.Period, q.MetricStat.Stat)
		}
		metrics = append(metrics, m)
	}
	if v.MetricName != "" {
		stat := cmp.Or(v.Statistic, v.ExtendedStatistic)
		metrics = append(metrics, map[string]any{"id": idOf(v.Arn), "returnData": true,
			"metricStat": statOf(metric{v.Namespace, v.MetricName, v.Dimensions}, v.Period, stat)})
	}
	c := map[string]any{"metrics": metrics}
	if v.Description != "" {
		c["description"] = v.Description
	}
	return c
}

func statOf(m metric, period int, stat string) map[string]any {
	dimensions := map[string]string{}
	for _, d := range m.Dimensions {
		dimensions[d.Name] = d.Value
	}
	return map[string]any{"period": period, "stat": stat,
		"metric": map[string]any{"namespace": m.Namespace, "name": m.MetricName, "dimensions": dimensions}}
}

func (s *Server) lambdaPayload(c *change) []byte {
	payload, _ := json.Marshal(map[string]any{
		"source": "aws.cloudwatch", "alarmArn": c.Alarm.Arn, "accountId": s.config.Account, "time": c.State.Timestamp,
		"region": s.config.Region, "alarmData": map[string]any{"alarmName": c.Alarm.Name, "state": c.State,
			"previousState": c.Previous, "configuration": configuration(c.Alarm)}})
	return payload
}

// snsMessage is the text of the message, which has its own names for things and
// no datapoints.
func (s *Server) snsMessage(c *change) []byte {
	v := c.Alarm
	dimensions := []map[string]string{}
	for _, d := range v.Dimensions {
		dimensions = append(dimensions, map[string]string{"value": d.Value, "name": d.Name})
	}
	message, _ := json.Marshal(map[string]any{
		"AlarmName": v.Name, "AlarmDescription": v.Description, "AWSAccountId": s.config.Account,
		"NewStateValue": c.State.Value, "NewStateReason": c.State.Reason, "StateChangeTime": c.State.Timestamp,
		"Region": s.config.Region, "AlarmArn": v.Arn, "OldStateValue": c.Previous.Value,
		"OKActions": v.OKActions, "AlarmActions": v.AlarmActions, "InsufficientDataActions": v.InsufficientDataActions,
		"Trigger": map[string]any{"MetricName": v.MetricName, "Namespace": v.Namespace, "StatisticType": "Statistic",
			"Statistic": strings.ToUpper(v.Statistic), "Unit": v.Unit, "Dimensions": dimensions, "Period": v.Period,
			"EvaluationPeriods": v.EvaluationPeriods, "ComparisonOperator": v.ComparisonOperator, "Threshold": v.Threshold,
			"TreatMissingData": cmp.Or(v.TreatMissingData, "missing"), "EvaluateLowSampleCountPercentile": ""},
	})
	return message
}

// idOf makes the id of an alarm's only metric, a UUID, always the same one.
func idOf(arn string) string { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(arn)).String() }
