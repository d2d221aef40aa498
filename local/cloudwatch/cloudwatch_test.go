package cloudwatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"portolan/local/clock"
	"portolan/local/cloudwatch"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/wire"
)

type bench struct {
	*client.Client
	events  []events.Event
	actions map[string][]byte
}

func (b *bench) Emit(_ context.Context, e events.Event) { b.events = append(b.events, e) }

func start(t *testing.T, d *disk.Disk) *bench {
	t.Helper()
	b := &bench{actions: map[string][]byte{}}
	server, err := cloudwatch.New(cloudwatch.Config{Clock: clock.New(1), Disk: d, Account: "111122223333", Region: "eu-west-1",
		Events: b, Act: func(_ context.Context, arn string, payload []byte) { b.actions[arn] = payload }})
	if err != nil {
		t.Fatal(err)
	}
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{}, nil
	}))
	router.Register("monitoring", server)
	b.Client = client.NewFromConfig(aws.Config{Region: "eu-west-1", HTTPClient: router.Client(),
		BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "x"}, nil
		})})
	return b
}

const (
	function = "arn:aws:lambda:eu-west-1:111122223333:function:alarm"
	topic    = "arn:aws:sns:eu-west-1:111122223333:alarms"
)

func (b *bench) put(t *testing.T) {
	t.Helper()
	_, err := b.PutMetricAlarm(t.Context(), &client.PutMetricAlarmInput{AlarmName: aws.String("cpu-high"),
		Namespace: aws.String("AWS/ECS"), MetricName: aws.String("CPUUtilization"), Statistic: types.StatisticAverage,
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(2), Threshold: aws.Float64(70), AlarmActions: []string{function, topic},
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, AlarmDescription: aws.String("busy"),
		Dimensions: []types.Dimension{{Name: aws.String("ServiceName"), Value: aws.String("web")}}})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) set(t *testing.T, value types.StateValue) {
	t.Helper()
	_, err := b.SetAlarmState(t.Context(), &client.SetAlarmStateInput{AlarmName: aws.String("cpu-high"), StateValue: value,
		StateReason: aws.String("rehearsal"), StateReasonData: aws.String(`{"version":"1.0","recentDatapoints":[91.0],"threshold":70.0}`)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAChangeOfStateIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.put(t)
		time.Sleep(1234 * time.Millisecond)
		b.set(t, types.StateValueAlarm)
		b.set(t, types.StateValueAlarm)
		if len(b.events) != 1 {
			t.Fatalf("%d events", len(b.events))
		}
		raw, err := json.Marshal(b.events[0])
		if err != nil {
			t.Fatal(err)
		}
		var event struct {
			Source string `json:"source"`
			Type   string `json:"detail-type"`
			Detail struct {
				State struct {
					Value, Timestamp string
					ReasonData       string `json:"reasonData"`
				} `json:"state"`
				Previous struct{ Value, Reason string } `json:"previousState"`
				Config   struct {
					Metrics []struct {
						MetricStat struct {
							Metric struct {
								Name       string
								Dimensions map[string]string
							}
						} `json:"metricStat"`
					}
				} `json:"configuration"`
			} `json:"detail"`
		}
		if err := json.Unmarshal(raw, &event); err != nil {
			t.Fatal(err)
		}
		d := event.Detail
		if event.Source != "aws.cloudwatch" || event.Type != "CloudWatch Alarm State Change" || d.State.Value != "ALARM" ||
			d.State.Timestamp != "2000-01-01T00:00:01.234+0000" || d.Previous.Value != "INSUFFICIENT_DATA" ||
			d.Config.Metrics[0].MetricStat.Metric.Dimensions["ServiceName"] != "web" {
			t.Errorf("event: %s", raw)
		}
		if len(b.actions) != 2 || !json.Valid(b.actions[function]) || !json.Valid(b.actions[topic]) {
			t.Errorf("actions: %s", b.actions)
		}
		b.set(t, types.StateValueOk)
		if len(b.events) != 2 || b.events[1].Detail == nil {
			t.Errorf("%d events after OK", len(b.events))
		}
	})
}

func TestAlarmsAreDescribedAndDeleted(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	start(t, d).put(t)
	b := start(t, d)
	out, err := b.DescribeAlarms(t.Context(), &client.DescribeAlarmsInput{StateValue: types.StateValueInsufficientData})
	if err != nil || len(out.MetricAlarms) != 1 {
		t.Fatalf("alarms after a restart: %+v, %v", out, err)
	}
	a := out.MetricAlarms[0]
	if *a.Threshold != 70 || *a.EvaluationPeriods != 2 || !*a.ActionsEnabled || a.AlarmActions[0] != function {
		t.Errorf("alarm: %+v", a)
	}
	_, err = b.DeleteAlarms(t.Context(), &client.DeleteAlarmsInput{AlarmNames: []string{"cpu-high"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.SetAlarmState(t.Context(), &client.SetAlarmStateInput{AlarmName: aws.String("cpu-high"),
		StateValue: types.StateValueOk, StateReason: aws.String("x")})
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "ResourceNotFound" {
		t.Errorf("a deleted alarm: %v", err)
	}
}

func TestMetricsAreListed(t *testing.T) {
	b := start(t, nil)
	_, err := b.PutMetricData(t.Context(), &client.PutMetricDataInput{Namespace: aws.String("Portolan"),
		MetricData: []types.MetricDatum{{MetricName: aws.String("Operations"), Value: aws.Float64(1)}}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.ListMetrics(t.Context(), &client.ListMetricsInput{Namespace: aws.String("Portolan")})
	if err != nil || len(out.Metrics) != 1 || *out.Metrics[0].MetricName != "Operations" {
		t.Errorf("metrics: %+v, %v", out, err)
	}
}
