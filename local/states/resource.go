package states

import "strings"

// A resource is what a Task's Resource names.
type resource struct {
	function string // of a Lambda function given by its ARN
	kind     string // resourceType in the history, such as lambda or aws-sdk:ecs
	service  string
	action   string // without its pattern
	pattern  string // "", sync, sync:2 or waitForTaskToken
}

const (
	patternSync  = "sync"
	patternSync2 = "sync:2"
	patternToken = "waitForTaskToken"
)

// parseResource reads the ARN. It is false for what the embedded Step Functions
// cannot call, such as activities.
func parseResource(arn string) (*resource, bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return nil, false
	}
	if parts[2] == "lambda" && strings.HasPrefix(parts[5], "function:") {
		return &resource{function: arn}, true
	}
	if parts[2] != "states" || parts[3] != "" {
		return nil, false
	}
	rest := strings.Split(parts[5], ":")
	r := &resource{kind: rest[0]}
	if rest[0] == "aws-sdk" {
		rest = rest[1:]
	}
	if len(rest) < 2 {
		return nil, false
	}
	r.service = rest[0]
	if r.kind != r.service {
		r.kind += ":" + r.service
	}
	r.action, r.pattern, _ = strings.Cut(strings.Join(rest[1:], ":"), ".")
	switch r.pattern {
	case "", patternToken, patternSync, patternSync2:
		return r, true
	}
	return nil, false
}

// name is the resource as the history has it.
func (r *resource) name() string {
	if r.pattern == "" {
		return r.action
	}
	return r.action + "." + r.pattern
}

// title is what a message about the task's result calls it.
func (r *resource) title() string {
	if r.function != "" {
		return r.function
	}
	return r.kind
}

// event is the type of the task's event, such as TaskScheduled or
// LambdaFunctionScheduled.
func (r *resource) event(what string) string {
	if r.function != "" {
		return "LambdaFunction" + what
	}
	return "Task" + what
}
