package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// A shape is what tells one kind of letter from another.
type shape struct {
	Source     string   `json:"source"`
	DetailType string   `json:"detail-type"`
	Resources  []string `json:"resources"`
	Records    []struct {
		EventSource string `json:"EventSource"`
	} `json:"Records"`
	Stream         json.RawMessage `json:"DDBStreamBatchInfo"`
	RequestContext struct {
		FunctionArn string `json:"functionArn"`
	} `json:"requestContext"`
}

func shapeOf(body []byte) shape {
	var s shape
	if json.Unmarshal(body, &s) != nil {
		return shape{}
	}
	return s
}

// ofStream says whether a letter tells of records of the table's stream, which it
// does not hold.
func (s shape) ofStream() bool { return len(s.Stream) > 0 }

// ofAlarm says whether an alarm sent it without the event bus: by a topic, or by
// its own action.
func (s shape) ofAlarm() bool {
	topic := len(s.Records) > 0 && s.Records[0].EventSource == "aws:sns"
	return topic || s.Source == "aws.cloudwatch" && s.DetailType == ""
}

func (s shape) what() string {
	switch {
	case s.ofStream():
		return "records of the table's stream"
	case s.ofAlarm():
		return "an alarm"
	case s.DetailType == "":
		return "unknown"
	}
	return s.DetailType
}

// A redriver hands letters to functions.
type redriver struct {
	rules     *eventbridge.Client
	functions *lambda.Client
	stack     string
	function  string // where the caller names it
}

// redrive hands a letter to the functions that it is for, and returns their names.
func (r *redriver) redrive(ctx context.Context, l *letter) (string, error) {
	functions, payload, err := r.targets(ctx, l)
	if err != nil {
		return "", err
	}
	var names []string
	for _, function := range functions {
		if err := r.invoke(ctx, function, payload); err != nil {
			return "", err
		}
		names = append(names, function[strings.LastIndex(function, ":")+1:])
	}
	return strings.Join(names, ", "), nil
}

// targets finds whom a letter is for, and what to hand over.
func (r *redriver) targets(ctx context.Context, l *letter) (functions []string, payload []byte, err error) {
	s := shapeOf(l.Body)
	switch {
	case r.function != "":
		return []string{r.function}, l.Body, nil
	case s.ofStream():
		functions, err = r.ofRule(ctx, r.stack+"-sweeper")
		return functions, []byte("{}"), err
	case l.Function != "":
		return []string{l.Function}, l.Body, nil
	case s.ofAlarm():
		functions, err = r.ofRule(ctx, r.stack+"-alarm")
	case s.DetailType == "Scheduled Event" && len(s.Resources) == 1:
		functions, err = r.ofRule(ctx, s.Resources[0][strings.LastIndex(s.Resources[0], "/")+1:])
	case s.DetailType != "":
		functions, err = r.ofEvent(ctx, l.Body)
	}
	if err == nil && len(functions) == 0 {
		err = errors.New("it cannot be told which function it is for; name it with --function")
	}
	return functions, l.Body, err
}

// ofEvent are the targets of the stack's rules that take an event.
func (r *redriver) ofEvent(ctx context.Context, event []byte) ([]string, error) {
	var functions []string
	var next *string
	for {
		page, err := r.rules.ListRules(ctx, &eventbridge.ListRulesInput{NamePrefix: aws.String(r.stack + "-"), NextToken: next})
		if err != nil {
			return nil, fmt.Errorf("looking for the rules of stack %s: %w", r.stack, err)
		}
		for _, rule := range page.Rules {
			took, err := r.takes(ctx, rule, event)
			if err != nil {
				return nil, err
			}
			functions = append(functions, took...)
		}
		if next = page.NextToken; next == nil {
			return functions, nil
		}
	}
}

// takes returns the targets of a rule, if it takes an event.
func (r *redriver) takes(ctx context.Context, rule types.Rule, event []byte) ([]string, error) {
	if rule.EventPattern == nil {
		return nil, nil
	}
	out, err := r.rules.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{
		Event: aws.String(string(event)), EventPattern: rule.EventPattern,
	})
	if err != nil {
		return nil, fmt.Errorf("testing the event against rule %s: %w", aws.ToString(rule.Name), err)
	}
	if !out.Result {
		return nil, nil
	}
	return r.ofRule(ctx, aws.ToString(rule.Name))
}

func (r *redriver) ofRule(ctx context.Context, rule string) ([]string, error) {
	out, err := r.rules.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &rule})
	if err != nil {
		return nil, fmt.Errorf("looking for the targets of rule %s: %w", rule, err)
	}
	var functions []string
	for _, target := range out.Targets {
		functions = append(functions, aws.ToString(target.Arn))
	}
	return functions, nil
}

// invoke runs a function with a letter. The error of one that fails is the
// function's own.
func (r *redriver) invoke(ctx context.Context, function string, payload []byte) error {
	out, err := r.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoking %s: %w", function, err)
	}
	if out.FunctionError == nil {
		return nil
	}
	var failed struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(out.Payload, &failed) != nil {
		failed.Message = string(out.Payload)
	}
	return fmt.Errorf("%s failed again: %s: %s", function, failed.Type, failed.Message)
}
