package elbv2

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"portolan/local/wire"
)

// A Rule sends the requests that meet its conditions to its actions.
type Rule struct {
	ARN         string      `json:"RuleArn"`
	ListenerARN string      `json:"ListenerArn"`
	Priority    string      `json:"Priority"` // a number, or default
	Conditions  []Condition `json:"Conditions"`
	Actions     []Action    `json:"Actions"`
	IsDefault   bool        `json:"IsDefault"`
	Tags        []Tag       `json:"Tags"`
}

// A Condition is a test of a request.
type Condition struct {
	Field       string        `json:"Field"`
	Values      []string      `json:"Values"`
	HostHeader  *ValuesConfig `json:"HostHeaderConfig"`
	PathPattern *ValuesConfig `json:"PathPatternConfig"`
	Method      *ValuesConfig `json:"HttpRequestMethodConfig"`
	SourceIP    *ValuesConfig `json:"SourceIpConfig"`
	Header      *HeaderConfig `json:"HttpHeaderConfig"`
}

// A ValuesConfig is the values that a condition accepts.
type ValuesConfig struct {
	Values []string `json:"Values"`
}

// A HeaderConfig is a header and the values of it that a condition accepts.
type HeaderConfig struct {
	Name   string   `json:"HttpHeaderName"`
	Values []string `json:"Values"`
}

// maxPriority is that of a listener's last rule.
const maxPriority = 50_000

func ruleARN(listenerARN, id string) string {
	return strings.Replace(listenerARN, ":listener/", ":listener-rule/", 1) + "/" + id
}

func noRule(arns ...string) *wire.Error { return notFound("Rule", "Rules", arns...) }

func (s *Service) ruleOperations(operations map[string]wire.Operation) {
	operations["CreateRule"] = wire.Op(s.createRule)
	operations["DescribeRules"] = wire.Op(s.describeRules)
	operations["ModifyRule"] = wire.Op(s.modifyRule)
	operations["SetRulePriorities"] = wire.Op(s.setRulePriorities)
	operations["DeleteRule"] = wire.Op(s.deleteRule)
}

type createRuleInput struct {
	ListenerARN string      `json:"ListenerArn"`
	Priority    int         `json:"Priority"`
	Conditions  []Condition `json:"Conditions"`
	Actions     []Action    `json:"Actions"`
	Tags        []Tag       `json:"Tags"`
}

type rulesOutput struct {
	Rules      []Rule `json:"Rules"`
	NextMarker string `json:"NextMarker,omitempty"`
}

func (s *Service) createRule(ctx context.Context, in *createRuleInput) (*rulesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.listeners.Get(in.ListenerARN); !ok {
		return nil, noListener(in.ListenerARN)
	}
	if in.Priority < 1 || in.Priority > maxPriority {
		return nil, invalid("Priority must be between 1 and %d", maxPriority)
	}
	conditions, err := s.checkRule(in.Conditions, in.Actions)
	if err != nil {
		return nil, err
	}
	if s.priorityTaken(in.ListenerARN, strconv.Itoa(in.Priority), "") {
		return nil, priorityInUse(in.Priority)
	}
	rule := Rule{
		ARN: ruleARN(in.ListenerARN, s.config.IDs.Hex(16)), ListenerARN: in.ListenerARN,
		Priority: strconv.Itoa(in.Priority), Conditions: conditions, Actions: completed(in.Actions), Tags: in.Tags,
	}
	return &rulesOutput{Rules: []Rule{rule}}, s.rules.Put(rule)
}

func priorityInUse(priority int) *wire.Error {
	return wire.Errorf("PriorityInUse", "Priority '%d' is currently in use", priority)
}

// priorityTaken tells whether a rule of the listener's other than the one has
// the priority.
func (s *Service) priorityTaken(listenerARN, priority, besides string) bool {
	_, taken := s.rules.First(func(r Rule) bool {
		return r.ListenerARN == listenerARN && r.Priority == priority && r.ARN != besides
	})
	return taken
}

// checkRule returns the conditions with each in both of its forms, as AWS
// answers them.
func (s *Service) checkRule(conditions []Condition, actions []Action) ([]Condition, error) {
	if len(conditions) == 0 {
		return nil, invalid("A rule must have at least one condition")
	}
	complete := slices.Clone(conditions)
	for i, condition := range complete {
		var config **ValuesConfig
		switch condition.Field {
		case "host-header":
			config = &complete[i].HostHeader
		case "path-pattern":
			config = &complete[i].PathPattern
		case "http-request-method":
			config = &complete[i].Method
		case "source-ip":
			config = &complete[i].SourceIP
		case "http-header", "query-string":
			continue
		default:
			return nil, invalid("Condition field '%s' must be one of '[path-pattern, host-header, http-header, "+
				"http-request-method, query-string, source-ip]'", condition.Field)
		}
		if *config == nil {
			*config = &ValuesConfig{condition.Values}
		}
		if complete[i].Values = (*config).Values; len(complete[i].Values) == 0 {
			return nil, invalid("A condition value must be specified")
		}
	}
	return complete, s.checkActions(actions)
}

type describeRulesInput struct {
	paging
	ListenerARN string   `json:"ListenerArn"`
	ARNs        []string `json:"RuleArns"`
}

// describeRules lists by priority, the default rule last.
func (s *Service) describeRules(ctx context.Context, in *describeRulesInput) (*rulesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.listeners.Get(in.ListenerARN); in.ListenerARN != "" && !ok {
		return nil, noListener(in.ListenerARN)
	}
	if in.ListenerARN == "" && len(in.ARNs) == 0 {
		return nil, invalid("You must specify either listener rule ARNs or a listener ARN")
	}
	all := s.rules.Find(func(r Rule) bool { return in.ListenerARN == "" || r.ListenerARN == in.ListenerARN })
	arnOf := func(r Rule) string { return r.ARN }
	found, err := choose(all, arnOf, arnOf, in.ARNs, nil, noRule)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b Rule) int { return a.order() - b.order() })
	found, next, err := page(found, in.paging)
	return &rulesOutput{found, next}, err
}

func (r Rule) order() int {
	if n, err := strconv.Atoi(r.Priority); err == nil {
		return n
	}
	return maxPriority + 1
}

type ruleInput struct {
	ARN        string      `json:"RuleArn"`
	Conditions []Condition `json:"Conditions"`
	Actions    []Action    `json:"Actions"`
}

func (s *Service) modifyRule(ctx context.Context, in *ruleInput) (*rulesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rule, ok := s.rules.Get(in.ARN)
	if !ok {
		return nil, noRule(in.ARN)
	}
	if rule.IsDefault {
		return nil, wire.Errorf("OperationNotPermitted", "Default rule '%s' cannot be modified", rule.ARN)
	}
	if len(in.Conditions) == 0 {
		in.Conditions = rule.Conditions
	}
	if len(in.Actions) == 0 {
		in.Actions = rule.Actions
	}
	conditions, err := s.checkRule(in.Conditions, in.Actions)
	if err != nil {
		return nil, err
	}
	rule.Conditions, rule.Actions = conditions, completed(in.Actions)
	return &rulesOutput{Rules: []Rule{rule}}, s.rules.Put(rule)
}

type rulePriority struct {
	ARN      string `json:"RuleArn"`
	Priority int    `json:"Priority"`
}

type setPrioritiesInput struct {
	Priorities []rulePriority `json:"RulePriorities"`
}

// setRulePriorities moves all of the rules at once, so that two may change
// places.
func (s *Service) setRulePriorities(ctx context.Context, in *setPrioritiesInput) (*rulesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	moving := map[string]string{}
	for _, pair := range in.Priorities {
		if _, ok := s.rules.Get(pair.ARN); !ok {
			return nil, noRule(pair.ARN)
		}
		moving[pair.ARN] = strconv.Itoa(pair.Priority)
	}
	out := &rulesOutput{}
	for _, pair := range in.Priorities {
		rule, _ := s.rules.Get(pair.ARN)
		_, taken := s.rules.First(func(other Rule) bool {
			priority, moves := moving[other.ARN]
			if !moves {
				priority = other.Priority
			}
			return other.ListenerARN == rule.ListenerARN && other.ARN != rule.ARN && priority == moving[rule.ARN]
		})
		if taken {
			return nil, priorityInUse(pair.Priority)
		}
		rule.Priority = moving[rule.ARN]
		out.Rules = append(out.Rules, rule)
	}
	for _, rule := range out.Rules {
		if err := s.rules.Put(rule); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) deleteRule(ctx context.Context, in *ruleInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rule, ok := s.rules.Get(in.ARN)
	if !ok {
		return nil, noRule(in.ARN)
	}
	if rule.IsDefault {
		return nil, wire.Errorf("OperationNotPermitted", "Default rule '%s' cannot be deleted", rule.ARN)
	}
	return nothing, s.rules.Remove(rule.ARN)
}
