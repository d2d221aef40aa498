package cloudwatch

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/wire"
)

// Config is what a Server is made of. Events and Act may be nil.
//
// Act takes an alarm's action. For a Lambda function, payload is the event that
// it gets; for an SNS topic, the message's text. It must not wait for either, and
// what it took must be safe when it returns.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	Account string
	Region  string
	Events  events.Emitter
	Act     func(ctx context.Context, actionARN string, payload []byte)
}

// A Server is CloudWatch in one Region of one account. It answers under the
// signing name monitoring.
type Server struct {
	*wire.Service
	config Config

	mu      sync.Mutex
	alarms  map[string]*alarm
	metrics map[string]metric
	changes uint64 // of states, for the keys of those on disk
}

const (
	bucket       = "cloudwatch/alarms"
	changeBucket = "cloudwatch/changes"
)

// New returns a server with the alarms on disk, and tells of the changes that the
// process before did not get to tell of.
func New(config Config) (*Server, error) {
	s := &Server{config: config, alarms: map[string]*alarm{}, metrics: map[string]metric{}}
	s.Service = &wire.Service{Name: "CloudWatch", Target: "GraniteServiceVersion20100801", Version: "2010-08-01",
		Protocol: wire.CBOR, Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		Operations: map[string]wire.Operation{
			"PutMetricAlarm":      wire.Op(s.putMetricAlarm),
			"DescribeAlarms":      wire.Op(s.describeAlarms),
			"SetAlarmState":       wire.Op(s.setAlarmState),
			"DeleteAlarms":        wire.Op(s.deleteAlarms),
			"EnableAlarmActions":  wire.Op(s.enableActions(true)),
			"DisableAlarmActions": wire.Op(s.enableActions(false)),
			"TagResource":         wire.Op(s.tagResource),
			"ListTagsForResource": wire.Op(s.listTagsForResource),
			"PutMetricData":       wire.Op(s.putMetricData),
			"ListMetrics":         wire.Op(s.listMetrics),
		}}
	err := disk.LoadJSON(config.Disk, bucket, func(name string, a *alarm) { s.alarms[name] = a })
	if err != nil {
		return nil, fmt.Errorf("loading alarms: %w", err)
	}
	if err := s.resume(); err != nil {
		return nil, fmt.Errorf("loading changes of alarms: %w", err)
	}
	return s, nil
}

// alarm is a metric alarm as it is described, with its tags.
type alarm struct {
	View alarmView `json:"view"`
	Tags []tag     `json:"tags"`
	// SetAt is when the state was set, with the milliseconds that events show.
	SetAt time.Time `json:"setAt"`
}

type tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

type dimension struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

type metric struct {
	Namespace  string      `json:"Namespace"`
	MetricName string      `json:"MetricName"`
	Dimensions []dimension `json:"Dimensions"`
}

type metricStat struct {
	Metric metric `json:"Metric"`
	Period int    `json:"Period"`
	Stat   string `json:"Stat"`
	Unit   string `json:"Unit,omitempty"`
}

type metricQuery struct {
	ID         string      `json:"Id"`
	Expression string      `json:"Expression,omitempty"`
	Label      string      `json:"Label,omitempty"`
	MetricStat *metricStat `json:"MetricStat,omitempty"`
	Period     int         `json:"Period,omitempty"`
	ReturnData *bool       `json:"ReturnData,omitempty"`
}

type alarmView struct {
	Name                    string        `json:"AlarmName"`
	Arn                     string        `json:"AlarmArn"`
	Description             string        `json:"AlarmDescription,omitempty"`
	ConfigurationUpdated    wire.Time     `json:"AlarmConfigurationUpdatedTimestamp"`
	ActionsEnabled          bool          `json:"ActionsEnabled"`
	OKActions               []string      `json:"OKActions"`
	AlarmActions            []string      `json:"AlarmActions"`
	InsufficientDataActions []string      `json:"InsufficientDataActions"`
	StateValue              string        `json:"StateValue"`
	StateReason             string        `json:"StateReason"`
	StateReasonData         string        `json:"StateReasonData,omitempty"`
	StateUpdated            wire.Time     `json:"StateUpdatedTimestamp"`
	StateTransitioned       wire.Time     `json:"StateTransitionedTimestamp"`
	MetricName              string        `json:"MetricName,omitempty"`
	Namespace               string        `json:"Namespace,omitempty"`
	Statistic               string        `json:"Statistic,omitempty"`
	ExtendedStatistic       string        `json:"ExtendedStatistic,omitempty"`
	Dimensions              []dimension   `json:"Dimensions"`
	Period                  int           `json:"Period,omitempty"`
	Unit                    string        `json:"Unit,omitempty"`
	EvaluationPeriods       int           `json:"EvaluationPeriods"`
	DatapointsToAlarm       int           `json:"DatapointsToAlarm,omitempty"`
	Threshold               *float64      `json:"Threshold,omitempty"`
	ComparisonOperator      string        `json:"ComparisonOperator"`
	TreatMissingData        string        `json:"TreatMissingData,omitempty"`
	Metrics                 []metricQuery `json:"Metrics,omitempty"`
}

type nothing struct{}

func (s *Server) arn(name string) string {
	return "arn:aws:cloudwatch:" + s.config.Region + ":" + s.config.Account + ":alarm:" + name
}

func (s *Server) keep(a *alarm) error {
	return s.config.Disk.Update(func(tx *disk.Tx) error { return tx.PutJSON(bucket, a.View.Name, a) })
}

func notFound() error {
	return &wire.Error{Code: "ResourceNotFound", QueryCode: "ResourceNotFound", Status: 404,
		Message: "The named resource does not exist."}
}

func invalid(format string, args ...any) error {
	e := wire.Errorf("ValidationError", format, args...)
	e.QueryCode = "ValidationError"
	return e
}

type putAlarmInput struct {
	alarmView
	// ActionsEnabled is true where it is not given.
	Enabled *bool `json:"ActionsEnabled"`
	Tags    []tag `json:"Tags"`
}

var operators = []string{"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
	"LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold",
	"GreaterThanUpperThreshold"}

func (in *putAlarmInput) check() error {
	switch {
	case in.Name == "" || len(in.Name) > 255:
		return invalid("1 validation error detected: Value '%s' at 'alarmName' failed to satisfy constraint: Member must "+
			"have length less than or equal to 255", in.Name)
	case !slices.Contains(operators, in.ComparisonOperator):
		return invalid("1 validation error detected: Value '%s' at 'comparisonOperator' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [%s]", in.ComparisonOperator, strings.Join(operators, ", "))
	case in.EvaluationPeriods < 1:
		return invalid("1 validation error detected: Value '%d' at 'evaluationPeriods' failed to satisfy constraint: "+
			"Member must have value greater than or equal to 1", in.EvaluationPeriods)
	case in.MetricName == "" && len(in.Metrics) == 0:
		return invalid("MetricName or Metrics must be specified.")
	case in.MetricName != "" && in.Period == 0:
		return invalid("Period must not be null")
	case in.Threshold == nil && len(in.Metrics) == 0:
		return invalid("Threshold must not be null")
	}
	return nil
}

func (s *Server) putMetricAlarm(_ context.Context, in *putAlarmInput) (*nothing, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Clock.Now()
	a := &alarm{View: in.alarmView, Tags: in.Tags, SetAt: now}
	v := &a.View
	v.Arn, v.ConfigurationUpdated = s.arn(v.Name), wire.At(now)
	v.ActionsEnabled = in.Enabled == nil || *in.Enabled
	v.OKActions, v.AlarmActions = orEmpty(v.OKActions), orEmpty(v.AlarmActions)
	v.InsufficientDataActions, v.Dimensions = orEmpty(v.InsufficientDataActions), orEmpty(v.Dimensions)
	v.StateValue, v.StateReason, v.StateReasonData = "INSUFFICIENT_DATA", "Unchecked: Initial alarm creation", ""
	v.StateUpdated, v.StateTransitioned = wire.At(now), wire.At(now)
	if old, ok := s.alarms[v.Name]; ok {
		v.StateValue, v.StateReason, v.StateReasonData = old.View.StateValue, old.View.StateReason, old.View.StateReasonData
		v.StateUpdated, v.StateTransitioned, a.SetAt = old.View.StateUpdated, old.View.StateTransitioned, old.SetAt
		a.Tags = old.Tags
	}
	s.alarms[v.Name] = a
	return &nothing{}, s.keep(a)
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

type describeInput struct {
	AlarmNames      []string `json:"AlarmNames"`
	AlarmNamePrefix string   `json:"AlarmNamePrefix"`
	AlarmTypes      []string `json:"AlarmTypes"`
	StateValue      string   `json:"StateValue"`
	ActionPrefix    string   `json:"ActionPrefix"`
	MaxRecords      int      `json:"MaxRecords"`
	NextToken       string   `json:"NextToken"`
}

type describeOutput struct {
	CompositeAlarms []nothing   `json:"CompositeAlarms"`
	MetricAlarms    []alarmView `json:"MetricAlarms"`
	NextToken       string      `json:"NextToken,omitempty"`
}

func (in *describeInput) selects(v *alarmView) bool {
	acts := in.ActionPrefix == "" || slices.ContainsFunc(slices.Concat(v.AlarmActions, v.OKActions, v.InsufficientDataActions),
		func(arn string) bool { return strings.HasPrefix(arn, in.ActionPrefix) })
	return acts && (len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, v.Name)) &&
		strings.HasPrefix(v.Name, in.AlarmNamePrefix) && (in.StateValue == "" || in.StateValue == v.StateValue) &&
		(len(in.AlarmTypes) == 0 || slices.Contains(in.AlarmTypes, "MetricAlarm"))
}

func (s *Server) describeAlarms(_ context.Context, in *describeInput) (*describeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &describeOutput{CompositeAlarms: []nothing{}, MetricAlarms: []alarmView{}}
	limit := cmp.Or(in.MaxRecords, 50)
	if limit < 1 || limit > 100 {
		return nil, invalid("MaxRecords must be between 1 and 100")
	}
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		v := &s.alarms[name].View
		if name <= in.NextToken && in.NextToken != "" || !in.selects(v) {
			continue
		}
		if len(out.MetricAlarms) == limit {
			out.NextToken = out.MetricAlarms[limit-1].Name
			break
		}
		out.MetricAlarms = append(out.MetricAlarms, *v)
	}
	return out, nil
}

type deleteInput struct {
	AlarmNames []string `json:"AlarmNames"`
}

func (s *Server) deleteAlarms(_ context.Context, in *deleteInput) (*nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range in.AlarmNames {
		if _, ok := s.alarms[name]; !ok {
			return nil, notFound()
		}
	}
	err := s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, name := range in.AlarmNames {
			if err := tx.Delete(bucket, []byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range in.AlarmNames {
		delete(s.alarms, name)
	}
	return &nothing{}, nil
}

func (s *Server) enableActions(on bool) func(context.Context, *deleteInput) (*nothing, error) {
	return func(_ context.Context, in *deleteInput) (*nothing, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, name := range in.AlarmNames {
			if a, ok := s.alarms[name]; ok {
				a.View.ActionsEnabled = on
				if err := s.keep(a); err != nil {
					return nil, err
				}
			}
		}
		return &nothing{}, nil
	}
}

type tagsInput struct {
	ResourceARN string `json:"ResourceARN"`
	Tags        []tag  `json:"Tags"`
}

type tagsOutput struct {
	Tags []tag `json:"Tags"`
}

func (s *Server) byARN(arn string) (*alarm, error) {
	_, name, _ := strings.Cut(arn, ":alarm:")
	if a, ok := s.alarms[name]; ok {
		return a, nil
	}
	return nil, &wire.Error{Code: "ResourceNotFoundException", QueryCode: "ResourceNotFoundException", Status: 404,
		Message: "The alarm " + name + " does not exist"}
}

func (s *Server) tagResource(_ context.Context, in *tagsInput) (*nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.byARN(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		a.Tags = append(slices.DeleteFunc(a.Tags, func(old tag) bool { return old.Key == t.Key }), t)
	}
	return &nothing{}, s.keep(a)
}

func (s *Server) listTagsForResource(_ context.Context, in *tagsInput) (*tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.byARN(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return &tagsOutput{Tags: orEmpty(a.Tags)}, nil
}
