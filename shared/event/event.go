package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"portolan/shared/fault"
)

// SizeMax is the size in bytes of the largest document that Decode reads, which
// is that of EventBridge's and of an asynchronous invocation's.
const SizeMax = 256 << 10

// Header is what EventBridge says of each event. For the forms of an alarm that
// do not come through it, ID is empty.
type Header struct {
	ID         string
	Source     string
	DetailType string
	Account    string
	Region     string
	Time       time.Time
	Resources  []string
}

// Unknown is an event of a kind that this package has no type for. Doors count
// and drop it, for AWS adds kinds and rules can be too wide.
type Unknown struct {
	Source, DetailType string
}

// envelope is the document of EventBridge, and what tells the other forms apart.
type envelope struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Time       string          `json:"time"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`

	AlarmARN  string          `json:"alarmArn"`
	AlarmData json.RawMessage `json:"alarmData"`
	Records   json.RawMessage `json:"Records"`
}

// Decode returns an Alarms, PipelineExecution, PipelineAction, ImageAction, Call,
// StackStatus, TaskState, Deployment, ServiceAction, Launch, Interruption, or Unknown. What is none of
// these because it cannot be read is an Invalid error, and never a panic.
func Decode(raw []byte) (any, error) {
	if len(raw) > SizeMax {
		return nil, fault.New(fault.Invalid, "the event has %d bytes, %d at most are read", len(raw), SizeMax)
	}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, fault.New(fault.Invalid, "the event is no JSON object")
	}
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "reading the event")
	}
	switch {
	case present(e.AlarmData):
		return decodeAlarmAction(e)
	case present(e.Records):
		return decodeNotifications(e)
	case e.DetailType == "" || e.Source == "":
		return nil, fault.New(fault.Invalid, "the event has no source or no detail-type")
	}
	decode, known := decoders[e.DetailType]
	if !known || !strings.HasPrefix(e.Source, "aws.") {
		return Unknown{clip(e.Source, 100), clip(e.DetailType, 100)}, nil
	}
	at, err := parseTime(e.Time)
	if err != nil {
		return nil, err
	}
	if e.ID == "" || !present(e.Detail) {
		return nil, fault.New(fault.Invalid, "the %s has no id or no detail", e.DetailType)
	}
	header := Header{
		ID: clip(e.ID, 100), Source: clip(e.Source, 100), DetailType: e.DetailType,
		Account: clip(e.Account, 20), Region: clip(e.Region, 32), Time: at,
	}
	for _, resource := range e.Resources[:min(len(e.Resources), 20)] {
		header.Resources = append(header.Resources, clip(resource, 2000))
	}
	out, err := decode(header, e.Detail)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "reading the %s", e.DetailType)
	}
	return out, nil
}

// decoders are by detail-type; AWS uses no type for two services.
var decoders = map[string]func(Header, json.RawMessage) (any, error){
	"CloudWatch Alarm State Change":                decodeAlarmChange,
	"CodePipeline Pipeline Execution State Change": decodePipelineExecution,
	"CodePipeline Action Execution State Change":   decodePipelineAction,
	"ECR Image Action":                             decodeImageAction,
	"AWS API Call via CloudTrail":                  decodeCall,
	"CloudFormation Stack Status Change":           decodeStackStatus,
	"ECS Task State Change":                        decodeTaskState,
	"ECS Deployment State Change":                  decodeDeployment,
	"ECS Service Action":                           decodeServiceAction,
	"EC2 Instance Launch Successful":               decodeLaunch,
	"EC2 Spot Instance Interruption Warning":       decodeInterruption,
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// resource is the first of the event's resources, or empty.
func (h Header) resource() string {
	if len(h.Resources) == 0 {
		return ""
	}
	return h.Resources[0]
}

// parseTime reads the three spellings of a time that AWS uses: RFC 3339, the same
// with a zone of +0000, and that with blanks after the colons, as the documentation
// of Lambda alarm actions has it.
func parseTime(text string) (time.Time, error) {
	tight := strings.ReplaceAll(text, " ", "")
	for _, layout := range []string{"2006-01-02T15:04:05Z0700", time.RFC3339} {
		if at, err := time.Parse(layout, tight); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "%q is no time", clip(text, 50))
}

// optionalTime is parseTime for what may be absent; an unreadable time is as good
// as none there.
func optionalTime(text string) time.Time {
	at, err := parseTime(text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// clip shortens text to at most size bytes of whole, valid characters.
func clip(text string, size int) string {
	if len(text) > size {
		for size > 0 && !utf8.RuneStart(text[size]) {
			size--
		}
		text = text[:size]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// loose is a text that AWS sends as a string or as a number.
type loose string

// UnmarshalJSON takes a string, a number or null.
func (l *loose) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(l))
	}
	var number *json.Number
	if err := json.Unmarshal(raw, &number); err != nil {
		return err
	}
	if number != nil {
		*l = loose(*number)
	}
	return nil
}

// afterSlash splits the last part of an ARN, such as service/shop/web, at slashes
// and leaves out its type.
func afterSlash(arn, kind string) []string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return nil
	}
	names := strings.Split(parts[5], "/")
	if len(names) < 2 || names[0] != kind {
		return nil
	}
	return names[1:]
}
