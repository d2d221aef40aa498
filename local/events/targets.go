package events

import (
	"context"
	"slices"
	"strings"

	"portolan/local/wire"
)

// maxTargets is EventBridge's quota for one rule.
const maxTargets = 5

type targetsInput struct {
	Rule         string   `json:"Rule"`
	EventBusName string   `json:"EventBusName"`
	Targets      []Target `json:"Targets"`
	IDs          []string `json:"Ids"`
}

type targetsOutput struct {
	FailedEntryCount int   `json:"FailedEntryCount"`
	FailedEntries    []any `json:"FailedEntries"`
}

func (s *Server) putTargets(_ context.Context, in *targetsInput) (*targetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(ruleInput{Rule: in.Rule, EventBusName: in.EventBusName})
	if err != nil {
		return nil, err
	}
	targets := slices.Clone(r.Targets)
	for _, t := range in.Targets {
		if t.ID == "" || t.Arn == "" || !strings.HasPrefix(t.Arn, "arn:") {
			return nil, wire.Errorf("ValidationException", "Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.Arn)
		}
		at := slices.IndexFunc(targets, func(old Target) bool { return old.ID == t.ID })
		if at >= 0 {
			targets[at] = t
			continue
		}
		targets = append(targets, t)
	}
	if len(targets) > maxTargets {
		return nil, wire.Errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	}
	r.Targets = targets
	return &targetsOutput{FailedEntries: []any{}}, s.keep(r)
}

func (s *Server) removeTargets(_ context.Context, in *targetsInput) (*targetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(ruleInput{Rule: in.Rule, EventBusName: in.EventBusName})
	if err != nil {
		return nil, err
	}
	kept := []Target{}
	for _, t := range r.Targets {
		if !slices.Contains(in.IDs, t.ID) {
			kept = append(kept, t)
		}
	}
	r.Targets = kept
	return &targetsOutput{FailedEntries: []any{}}, s.keep(r)
}

type listTargetsOutput struct {
	Targets []Target `json:"Targets"`
}

func (s *Server) listTargetsByRule(_ context.Context, in *targetsInput) (*listTargetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(ruleInput{Rule: in.Rule, EventBusName: in.EventBusName})
	if err != nil {
		return nil, err
	}
	return &listTargetsOutput{Targets: append([]Target{}, r.Targets...)}, nil
}

type busView struct {
	Name string `json:"Name"`
	Arn  string `json:"Arn"`
}

func (s *Server) describeEventBus(_ context.Context, in *struct {
	Name string `json:"Name"`
}) (*busView, error) {
	return &busView{Name: "default", Arn: s.busARN()}, s.checkBus(in.Name)
}

type listBusesOutput struct {
	EventBuses []busView `json:"EventBuses"`
}

func (s *Server) listEventBuses(context.Context, *empty) (*listBusesOutput, error) {
	return &listBusesOutput{EventBuses: []busView{{Name: "default", Arn: s.busARN()}}}, nil
}

type tagsInput struct {
	ResourceARN string `json:"ResourceARN"`
	Tags        []tag  `json:"Tags"`
}

type tagsOutput struct {
	Tags []tag `json:"Tags"`
}

func (s *Server) ruleByARN(arn string) (*rule, error) {
	_, name, ok := strings.Cut(arn, ":rule/")
	r, found := s.rules[name]
	if !ok || !found {
		return nil, wire.Errorf("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", name)
	}
	return r, nil
}

func (s *Server) tagResource(_ context.Context, in *tagsInput) (*empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.ruleByARN(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		r.Tags = slices.DeleteFunc(r.Tags, func(old tag) bool { return old.Key == t.Key })
		r.Tags = append(r.Tags, t)
	}
	return &empty{}, s.keep(r)
}

func (s *Server) listTagsForResource(_ context.Context, in *tagsInput) (*tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.ruleByARN(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return &tagsOutput{Tags: append([]tag{}, r.Tags...)}, nil
}
