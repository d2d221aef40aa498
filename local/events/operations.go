package events

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"portolan/local/disk"
	"portolan/local/wire"
)

func (s *Server) operations() map[string]wire.Operation {
	return map[string]wire.Operation{
		"PutRule":               wire.Op(s.putRule),
		"DescribeRule":          wire.Op(s.describeRule),
		"DeleteRule":            wire.Op(s.deleteRule),
		"ListRules":             wire.Op(s.listRules),
		"ListRuleNamesByTarget": wire.Op(s.listRuleNamesByTarget),
		"EnableRule":            wire.Op(s.setState("ENABLED")),
		"DisableRule":           wire.Op(s.setState("DISABLED")),
		"PutTargets":            wire.Op(s.putTargets),
		"RemoveTargets":         wire.Op(s.removeTargets),
		"ListTargetsByRule":     wire.Op(s.listTargetsByRule),
		"PutEvents":             wire.Op(s.putEvents),
		"TestEventPattern":      wire.Op(s.testEventPattern),
		"DescribeEventBus":      wire.Op(s.describeEventBus),
		"ListEventBuses":        wire.Op(s.listEventBuses),
		"TagResource":           wire.Op(s.tagResource),
		"ListTagsForResource":   wire.Op(s.listTagsForResource),
	}
}

type tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

type empty struct{}

var ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

type ruleView struct {
	Name               string `json:"Name"`
	Arn                string `json:"Arn"`
	EventPattern       string `json:"EventPattern,omitempty"`
	ScheduleExpression string `json:"ScheduleExpression,omitempty"`
	State              string `json:"State"`
	Description        string `json:"Description,omitempty"`
	RoleArn            string `json:"RoleArn,omitempty"`
	EventBusName       string `json:"EventBusName"`
	CreatedBy          string `json:"CreatedBy,omitempty"`
}

func (r *rule) view() ruleView {
	return ruleView{Name: r.Name, Arn: r.ARN, EventPattern: r.Pattern, ScheduleExpression: r.Schedule,
		State: r.State, Description: r.Description, RoleArn: r.RoleARN, EventBusName: "default"}
}

type ruleInput struct {
	Name         string `json:"Name"`
	Rule         string `json:"Rule"`
	EventBusName string `json:"EventBusName"`
}

// find returns the rule that the input names, on the only bus that there is.
func (s *Server) find(in ruleInput) (*rule, error) {
	name := in.Name + in.Rule
	if err := s.checkBus(in.EventBusName); err != nil {
		return nil, err
	}
	r, ok := s.rules[name]
	if !ok {
		return nil, wire.Errorf("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", name)
	}
	return r, nil
}

func (s *Server) checkBus(name string) error {
	if name == "" || name == "default" || name == s.busARN() {
		return nil
	}
	return wire.Errorf("ResourceNotFoundException", "Event bus %s does not exist.", name)
}

func (s *Server) arn(kind, name string) string {
	return "arn:aws:events:" + s.config.Region + ":" + s.config.Account + ":" + kind + "/" + name
}

func (s *Server) busARN() string { return s.arn("event-bus", "default") }

func (s *Server) keep(r *rule) error {
	return s.config.Disk.Update(func(tx *disk.Tx) error { return tx.PutJSON(ruleBucket, r.Name, r) })
}

type putRuleInput struct {
	ruleInput
	EventPattern       string `json:"EventPattern"`
	ScheduleExpression string `json:"ScheduleExpression"`
	State              string `json:"State"`
	Description        string `json:"Description"`
	RoleArn            string `json:"RoleArn"`
	Tags               []tag  `json:"Tags"`
}

type putRuleOutput struct {
	RuleArn string `json:"RuleArn"`
}

func (s *Server) putRule(ctx context.Context, in *putRuleInput) (*putRuleOutput, error) {
	if !ruleName.MatchString(in.Name) {
		return nil, wire.Errorf("ValidationException", "1 validation error detected: Value '%s' at 'name' failed to satisfy "+
			"constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+", in.Name)
	}
	if err := s.checkBus(in.EventBusName); err != nil {
		return nil, err
	}
	if in.EventPattern == "" && in.ScheduleExpression == "" {
		return nil, wire.Errorf("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	r := &rule{Name: in.Name, ARN: s.arn("rule", in.Name), Description: in.Description, Pattern: in.EventPattern,
		Schedule: in.ScheduleExpression, State: in.State, RoleARN: in.RoleArn, Tags: in.Tags}
	if r.State == "" {
		r.State = "ENABLED"
	}
	if !slices.Contains([]string{"ENABLED", "DISABLED", withManagementEvents}, r.State) {
		return nil, wire.Errorf("ValidationException", "1 validation error detected: Value '%s' at 'state' failed to "+
			"satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED, %s]", r.State, withManagementEvents)
	}
	if err := r.compile(); err != nil {
		if r.pattern.root == nil && r.Pattern != "" {
			return nil, wire.Errorf("InvalidEventPatternException", "%v", err)
		}
		return nil, wire.Errorf("ValidationException", "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.rules[in.Name]; ok {
		r.Targets = old.Targets
		if len(in.Tags) == 0 {
			r.Tags = old.Tags
		}
	}
	s.rules[r.Name] = r
	s.schedule(r)
	return &putRuleOutput{RuleArn: r.ARN}, s.keep(r)
}

func (s *Server) describeRule(_ context.Context, in *ruleInput) (*ruleView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(*in)
	if err != nil {
		return nil, err
	}
	view := r.view()
	view.CreatedBy = s.config.Account
	return &view, nil
}

func (s *Server) deleteRule(_ context.Context, in *ruleInput) (*empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rules[in.Name]
	if !ok {
		return &empty{}, s.checkBus(in.EventBusName)
	}
	if len(r.Targets) > 0 {
		return nil, wire.Errorf("ValidationException", "Rule can't be deleted since it has targets.")
	}
	delete(s.rules, in.Name)
	s.agenda.Cancel("rule " + in.Name)
	return &empty{}, s.config.Disk.Update(func(tx *disk.Tx) error { return tx.Delete(ruleBucket, []byte(in.Name)) })
}

type listInput struct {
	ruleInput
	NamePrefix string `json:"NamePrefix"`
	TargetArn  string `json:"TargetArn"`
	Limit      int    `json:"Limit"`
	NextToken  string `json:"NextToken"`
}

// page cuts one page out of names, which are sorted; a token is the last name of
// the page before.
func (in *listInput) page(names []string) (page []string, next string) {
	if in.NextToken != "" {
		at, found := slices.BinarySearch(names, in.NextToken)
		if found {
			at++
		}
		names = names[at:]
	}
	limit := in.Limit
	if limit <= 0 || limit > 100 {
		limit = 100
	}
	if len(names) <= limit {
		return names, ""
	}
	return names[:limit], names[limit-1]
}

type listRulesOutput struct {
	Rules     []ruleView `json:"Rules"`
	NextToken string     `json:"NextToken,omitempty"`
}

func (s *Server) listRules(_ context.Context, in *listInput) (*listRulesOutput, error) {
	if err := s.checkBus(in.EventBusName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.DeleteFunc(sortedKeys(s.rules), func(name string) bool { return !strings.HasPrefix(name, in.NamePrefix) })
	names, next := in.page(names)
	out := &listRulesOutput{Rules: []ruleView{}, NextToken: next}
	for _, name := range names {
		out.Rules = append(out.Rules, s.rules[name].view())
	}
	return out, nil
}

type ruleNamesOutput struct {
	RuleNames []string `json:"RuleNames"`
	NextToken string   `json:"NextToken,omitempty"`
}

func (s *Server) listRuleNamesByTarget(_ context.Context, in *listInput) (*ruleNamesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.DeleteFunc(sortedKeys(s.rules), func(name string) bool {
		return !slices.ContainsFunc(s.rules[name].Targets, func(t Target) bool { return t.Arn == in.TargetArn })
	})
	names, next := in.page(names)
	return &ruleNamesOutput{RuleNames: names, NextToken: next}, nil
}

func (s *Server) setState(state string) func(context.Context, *ruleInput) (*empty, error) {
	return func(_ context.Context, in *ruleInput) (*empty, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		r, err := s.find(*in)
		if err != nil {
			return nil, err
		}
		r.State = state
		s.schedule(r)
		return &empty{}, s.keep(r)
	}
}

type putEventsInput struct {
	Entries []putEventsEntry `json:"Entries"`
}

type putEventsEntry struct {
	Source       string     `json:"Source"`
	DetailType   string     `json:"DetailType"`
	Detail       string     `json:"Detail"`
	EventBusName string     `json:"EventBusName"`
	Resources    []string   `json:"Resources"`
	Time         *wire.Time `json:"Time"`
}

type putEventsOutput struct {
	FailedEntryCount int              `json:"FailedEntryCount"`
	Entries          []putEventResult `json:"Entries"`
}

type putEventResult struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:"ErrorCode,omitempty"`
	ErrorMessage string `json:"ErrorMessage,omitempty"`
}

// Limits of PutEvents.
const (
	maxEntries   = 10
	maxEntrySize = 256 << 10
)

func (s *Server) putEvents(_ context.Context, in *putEventsInput) (*putEventsOutput, error) {
	if len(in.Entries) == 0 || len(in.Entries) > maxEntries {
		return nil, wire.Errorf("ValidationException", "1 validation error detected: Value at 'entries' failed to satisfy "+
			"constraint: Member must have length less than or equal to 10")
	}
	size := 0
	for _, e := range in.Entries {
		size += len(e.Detail) + len(e.Source) + len(e.DetailType)
	}
	if size > maxEntrySize {
		return nil, wire.Errorf("ValidationException", "Total size of the entries in the request is over the limit.")
	}
	out := &putEventsOutput{Entries: []putEventResult{}}
	for _, e := range in.Entries {
		result, err := s.putEntry(e)
		if err != nil {
			return nil, err
		}
		if result.ErrorCode != "" {
			out.FailedEntryCount++
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

func (s *Server) putEntry(e putEventsEntry) (putEventResult, error) {
	invalid := func(message string) putEventResult {
		return putEventResult{ErrorCode: "InvalidArgument", ErrorMessage: message}
	}
	switch {
	case e.Source == "":
		return invalid("Parameter Source is not valid. Reason: Source is a required argument."), nil
	case e.DetailType == "":
		return invalid("Parameter DetailType is not valid. Reason: DetailType is a required argument."), nil
	case e.Detail == "":
		return invalid("Parameter Detail is not valid. Reason: Detail is a required argument."), nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(e.Detail), &object) != nil || object == nil {
		return putEventResult{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}, nil
	}
	if err := s.checkBus(e.EventBusName); err != nil {
		return invalid("Event bus does not exist."), nil
	}
	var at time.Time
	if e.Time != nil {
		at = e.Time.Time
	}
	id, err := s.put(Event{Source: e.Source, DetailType: e.DetailType, Resources: e.Resources, Time: at,
		Detail: json.RawMessage(e.Detail)})
	return putEventResult{EventID: id}, err
}

type testInput struct {
	EventPattern string `json:"EventPattern"`
	Event        string `json:"Event"`
}

type testOutput struct {
	Result bool `json:"Result"`
}

func (s *Server) testEventPattern(_ context.Context, in *testInput) (*testOutput, error) {
	p, err := ParsePattern(in.EventPattern)
	if err != nil {
		return nil, wire.Errorf("InvalidEventPatternException", "%v", err)
	}
	event, err := decodeEvent([]byte(in.Event))
	if err != nil {
		return nil, wire.Errorf("ValidationException", "Parameter Event is not valid. Reason: %v", err)
	}
	for _, name := range []string{"id", "account", "source", "time", "region", "resources", "detail-type"} {
		if _, ok := event[name]; !ok {
			return nil, wire.Errorf("ValidationException", "Parameter Event is not valid.")
		}
	}
	return &testOutput{Result: p.matches(event)}, nil
}
