package events

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A rule selects events by pattern, or makes one on a schedule, for its targets.
type rule struct {
	Name        string
	ARN         string
	Description string
	Pattern     string
	Schedule    string
	State       string
	RoleARN     string
	CreatedBy   string
	Targets     []Target // in the order in which they were put
	Tags        []tag
	NextAt      time.Time // when the schedule is due

	pattern Pattern
	every   time.Duration
}

// A Target is where a rule sends events, and in what form.
type Target struct {
	ID               string            `json:"Id"`
	Arn              string            `json:"Arn"`
	RoleArn          string            `json:"RoleArn,omitempty"`
	Input            string            `json:"Input,omitempty"`
	InputPath        string            `json:"InputPath,omitempty"`
	InputTransformer *InputTransformer `json:"InputTransformer,omitempty"`
	DeadLetterConfig *DeadLetterConfig `json:"DeadLetterConfig,omitempty"`
	RetryPolicy      *RetryPolicy      `json:"RetryPolicy,omitempty"`
	SqsParameters    *SqsParameters    `json:"SqsParameters,omitempty"`
}

// An InputTransformer puts values of the event into a template.
type InputTransformer struct {
	InputPathsMap map[string]string `json:"InputPathsMap,omitempty"`
	InputTemplate string            `json:"InputTemplate"`
}

// DeadLetterConfig names the queue for what could not be delivered.
type DeadLetterConfig struct {
	Arn string `json:"Arn"`
}

// RetryPolicy bounds how often and for how long delivering is tried.
type RetryPolicy struct {
	MaximumRetryAttempts     *int32 `json:"MaximumRetryAttempts,omitempty"`
	MaximumEventAgeInSeconds *int32 `json:"MaximumEventAgeInSeconds,omitempty"`
}

// SqsParameters is for FIFO queues.
type SqsParameters struct {
	MessageGroupID string `json:"MessageGroupId,omitempty"`
}

const withManagementEvents = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

var rate = regexp.MustCompile(`^rate\((\d+) (minute|minutes|hour|hours|day|days)\)$`)

func (r *rule) compile() error {
	if r.Pattern != "" {
		p, err := ParsePattern(r.Pattern)
		if err != nil {
			return err
		}
		r.pattern = p
	}
	if r.Schedule == "" {
		return nil
	}
	parts := rate.FindStringSubmatch(r.Schedule)
	if parts == nil {
		return fmt.Errorf("Parameter ScheduleExpression is not valid.")
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n == 0 || (n == 1) == strings.HasSuffix(parts[2], "s") {
		return fmt.Errorf("Parameter ScheduleExpression is not valid.")
	}
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	r.every = time.Duration(n) * unit[strings.TrimSuffix(parts[2], "s")]
	return nil
}

func (r *rule) selects(event map[string]any) bool {
	if r.Pattern == "" || r.State == "DISABLED" {
		return false
	}
	if r.State != withManagementEvents && isReadOnlyCall(event) {
		return false
	}
	return r.pattern.matches(event)
}

// isReadOnlyCall recognises the CloudTrail records that only rules in a state of
// their own get. AssumeRole is among them, whatever its record says.
func isReadOnlyCall(event map[string]any) bool {
	if event["detail-type"] != "AWS API Call via CloudTrail" {
		return false
	}
	detail, _ := event["detail"].(map[string]any)
	return detail["readOnly"] == true || detail["eventName"] == "AssumeRole"
}

// schedule notes the rule's next time on the agenda, if it has one.
func (s *Server) schedule(r *rule) {
	key := "rule " + r.Name
	if r.every == 0 || r.State == "DISABLED" {
		s.agenda.Cancel(key)
		return
	}
	now := s.config.Clock.Now()
	if r.NextAt.IsZero() || r.NextAt.Before(now) {
		r.NextAt = now.Add(r.every)
	}
	s.agenda.At(key, r.NextAt, func() { s.tick(r.Name) })
}

func (s *Server) tick(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rules[name]
	if !ok || r.every == 0 || r.State == "DISABLED" {
		return
	}
	e := Event{Source: "aws.events", DetailType: "Scheduled Event", Resources: []string{r.ARN}, Detail: struct{}{}}
	s.complete(&e)
	e.Time = r.NextAt
	r.NextAt = r.NextAt.Add(r.every)
	s.schedule(r)
	_ = s.keep(r) // A lost due time is made anew at the next start.
	raw, err := e.encode()
	if err != nil {
		return
	}
	members, _ := decodeEvent(raw)
	_ = s.accept(s.deliveriesOf(r, e.ID, raw, members))
}

// input is the event in the form that the target asks for.
func (t Target) input(raw []byte, event map[string]any) []byte {
	switch {
	case t.Input != "":
		return []byte(t.Input)
	case t.InputPath != "":
		value, _ := lookUp(event, t.InputPath)
		found, _ := json.Marshal(value)
		return found
	case t.InputTransformer != nil:
		return t.InputTransformer.apply(raw, event)
	}
	return raw
}

var placeholder = regexp.MustCompile(`"?<[A-Za-z0-9_.-]+>"?`)

// apply fills the template's <name> placeholders. A string's quotes come from
// the template where it has them, and from the value where it has not.
func (t *InputTransformer) apply(raw []byte, event map[string]any) []byte {
	return placeholder.ReplaceAllFunc([]byte(t.InputTemplate), func(found []byte) []byte {
		name := strings.Trim(string(found), `"<>`)
		quoted := found[0] == '"' && found[len(found)-1] == '"'
		var value any
		switch path, ok := t.InputPathsMap[name]; {
		case ok:
			value, _ = lookUp(event, path)
		case name == "aws.events.event" || name == "aws.events.event.json":
			return raw
		case name == "aws.events.event.ingestion-time":
			value = event["time"]
		default:
			return found
		}
		text, isString := value.(string)
		encoded, _ := json.Marshal(value)
		switch {
		case quoted && !isString:
			encoded, _ = json.Marshal(string(encoded))
			return encoded
		case isString && !quoted && (found[0] == '"' || found[len(found)-1] == '"'):
			inner, _ := json.Marshal(text)
			return []byte(strings.Replace(string(found), "<"+name+">", strings.Trim(string(inner), `"`), 1))
		}
		return encoded
	})
}

var pathStep = regexp.MustCompile(`^\.([A-Za-z0-9_-]+)|^\[(\d+)\]|^\['([^']+)'\]`)

// lookUp follows a JSON path of names and indexes, which is all that EventBridge
// takes.
func lookUp(value any, path string) (any, bool) {
	rest, ok := strings.CutPrefix(path, "$")
	for ok && rest != "" {
		parts := pathStep.FindStringSubmatch(rest)
		if parts == nil {
			return nil, false
		}
		rest = rest[len(parts[0]):]
		if parts[2] != "" {
			list, isList := value.([]any)
			index, err := strconv.Atoi(parts[2])
			if !isList || err != nil || index >= len(list) {
				return nil, false
			}
			value = list[index]
			continue
		}
		members, isObject := value.(map[string]any)
		if !isObject {
			return nil, false
		}
		value, ok = members[parts[1]+parts[3]]
	}
	return value, ok
}

var _ Emitter = (*Server)(nil)
