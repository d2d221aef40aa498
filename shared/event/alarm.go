package event

import (
	"encoding/json"
	"strings"
	"time"

	"portolan/shared/fault"
)

// Alarms are the state changes of one document: one, unless SNS sent more.
type Alarms []Alarm

// Alarm is one change of a CloudWatch alarm's state, in whichever of the three
// forms it came.
type Alarm struct {
	// EventID is empty for the alarm's own Lambda action, which has none.
	EventID string
	ARN     string
	Name    string

	// State and PreviousState are ALARM, OK or INSUFFICIENT_DATA; the previous one
	// may be unknown.
	State         string
	PreviousState string
	Reason        string

	// At is when the state changed. Together with ARN and State it tells an event
	// that came again from a new one.
	At time.Time

	// Datapoints and Threshold are there for alarms on one metric or expression,
	// except in SNS's form; Triggering are ARNs, for composite alarms. All are
	// absent where CloudWatch gives no reasonData.
	Datapoints []float64
	Threshold  *float64
	Triggering []string
}

type alarmState struct {
	Value      string `json:"value"`
	Reason     string `json:"reason"`
	ReasonData string `json:"reasonData"`
	Timestamp  string `json:"timestamp"`
}

type alarmDetail struct {
	AlarmName     string     `json:"alarmName"`
	State         alarmState `json:"state"`
	PreviousState alarmState `json:"previousState"`
}

func decodeAlarmChange(h Header, detail json.RawMessage) (any, error) {
	var d alarmDetail
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	return oneAlarm(h.ID, h.resource(), d)
}

func decodeAlarmAction(e envelope) (any, error) {
	var d alarmDetail
	if err := json.Unmarshal(e.AlarmData, &d); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "reading the alarm's action")
	}
	alarms, err := oneAlarm(e.ID, e.AlarmARN, d)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "reading the alarm's action")
	}
	return alarms, nil
}

func oneAlarm(id, arn string, d alarmDetail) (any, error) {
	alarm := Alarm{
		EventID: id, ARN: arn, Name: d.AlarmName, State: d.State.Value,
		PreviousState: d.PreviousState.Value, Reason: d.State.Reason,
	}
	alarm.explain(d.State.ReasonData)
	if err := alarm.check(d.State.Timestamp); err != nil {
		return nil, err
	}
	return Alarms{alarm}, nil
}

// check puts the alarm into its one form, or says what is wrong with it.
func (a *Alarm) check(at string) error {
	var err error
	if a.At, err = parseTime(at); err != nil {
		return err
	}
	// AWS's own sample has a blank before the account. The name may hold blanks.
	parts := strings.SplitN(a.ARN, ":", 7)
	if len(parts) != 7 || parts[0] != "arn" || parts[5] != "alarm" || parts[6] == "" {
		return fault.New(fault.Invalid, "%q is no alarm's ARN", clip(a.ARN, 200))
	}
	for i := range 6 {
		parts[i] = strings.TrimSpace(parts[i])
	}
	a.ARN = clip(strings.Join(parts, ":"), 1600)
	if a.Name == "" {
		a.Name = parts[6]
	}
	a.Name, a.Reason = clip(a.Name, 255), clip(a.Reason, 1023)
	switch a.State {
	case "ALARM", "OK", "INSUFFICIENT_DATA":
	default:
		return fault.New(fault.Invalid, "%q is no state of an alarm", clip(a.State, 50))
	}
	a.PreviousState = clip(a.PreviousState, 50)
	return nil
}

// explain reads reasonData, a JSON text within JSON. It only helps people to
// understand, so what cannot be read in it is left out.
func (a *Alarm) explain(reasonData string) {
	var data struct {
		RecentDatapoints []*float64 `json:"recentDatapoints"`
		Threshold        *float64   `json:"threshold"`
		TriggeringAlarms []struct {
			ARN string `json:"arn"`
		} `json:"triggeringAlarms"`
	}
	if reasonData == "" || json.Unmarshal([]byte(reasonData), &data) != nil {
		return
	}
	a.Threshold = data.Threshold
	for _, point := range data.RecentDatapoints[:min(len(data.RecentDatapoints), 100)] {
		if point != nil {
			a.Datapoints = append(a.Datapoints, *point)
		}
	}
	for _, child := range data.TriggeringAlarms[:min(len(data.TriggeringAlarms), 100)] {
		a.Triggering = append(a.Triggering, clip(child.ARN, 1600))
	}
}

// notification is the message that CloudWatch publishes to a topic.
type notification struct {
	AlarmName       string
	AlarmArn        string
	NewStateValue   string
	NewStateReason  string
	OldStateValue   string
	StateChangeTime string
}

// decodeNotifications reads SNS's form. A document with one message that is no
// alarm's is Unknown as a whole.
func decodeNotifications(e envelope) (any, error) {
	var records []struct {
		EventSource string
		Sns         struct {
			MessageID string `json:"MessageId"`
			Message   string
		}
	}
	if err := json.Unmarshal(e.Records, &records); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "reading the notification")
	}
	if len(records) == 0 {
		return nil, fault.New(fault.Invalid, "the event has no records")
	}
	var alarms Alarms
	for _, record := range records {
		if record.EventSource != "aws:sns" {
			return Unknown{clip(record.EventSource, 100), "Records"}, nil
		}
		var n notification
		if err := json.Unmarshal([]byte(record.Sns.Message), &n); err != nil || n.NewStateValue == "" {
			return Unknown{record.EventSource, "Notification"}, nil
		}
		alarm := Alarm{
			EventID: record.Sns.MessageID, ARN: n.AlarmArn, Name: n.AlarmName,
			State: n.NewStateValue, PreviousState: n.OldStateValue, Reason: n.NewStateReason,
		}
		if err := alarm.check(n.StateChangeTime); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "reading the notification")
		}
		alarms = append(alarms, alarm)
	}
	return alarms, nil
}
