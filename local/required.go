package local

import (
	"encoding/json"
	"fmt"
	"strings"

	"portolan/local/access"
)

// checkMachine checks the permissions of a state machine that no call asks for
// here: functions and executions are started in process. Without them the machine
// would fail on AWS, and so it is not created.
func (l *Local) checkMachine(m machine) error {
	var definition any
	if err := json.Unmarshal([]byte(m.definition), &definition); err != nil {
		return err
	}
	requests := l.startedBy(definition)
	if m.properties["Logging"] != nil {
		for _, action := range logDelivery {
			requests = append(requests, access.Request{Action: action, Resource: "*"})
		}
	}
	return l.check(m.logicalID, requests)
}

func (l *Local) check(logicalID string, requests []access.Request) error {
	role := roleName(l.config.Stack, logicalID)
	for _, r := range requests {
		if l.Guard.Check(role, r) != access.Allowed {
			return fmt.Errorf("the policies of %s do not allow %s on %s", logicalID, r.Action, r.Resource)
		}
	}
	return nil
}

// logDelivery are what Step Functions needs for keeping a machine's logs.
// https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
var logDelivery = []string{
	"logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
	"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
}

// startedBy are the permissions for the functions and executions that a definition
// starts, at whatever depth.
func (l *Local) startedBy(definition any) []access.Request {
	var out []access.Request
	switch value := definition.(type) {
	case []any:
		for _, item := range value {
			out = append(out, l.startedBy(item)...)
		}
	case map[string]any:
		if value["Type"] == "Task" {
			out = append(out, l.startedByTask(value)...)
		}
		for _, member := range value {
			out = append(out, l.startedBy(member)...)
		}
	}
	return out
}

func (l *Local) startedByTask(task map[string]any) []access.Request {
	resource, _ := task["Resource"].(string)
	switch strings.TrimPrefix(resource, "arn:aws:states:::") {
	case "lambda:invoke":
		function, _ := path(task, "Parameters", "FunctionName").(string)
		return []access.Request{{Action: "lambda:InvokeFunction", Resource: function}}
	case "states:startExecution.sync:2":
		machine, _ := path(task, "Parameters", "StateMachineArn").(string)
		executions := strings.Replace(machine, ":stateMachine:", ":execution:", 1) + ":*"
		// Step Functions learns of the end by a rule of its own.
		rule := "arn:aws:events:" + l.config.Region + ":" + Account + ":rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
		return []access.Request{
			{Action: "states:StartExecution", Resource: machine},
			{Action: "states:DescribeExecution", Resource: executions},
			{Action: "states:StopExecution", Resource: executions},
			{Action: "events:PutTargets", Resource: rule},
			{Action: "events:PutRule", Resource: rule},
			{Action: "events:DescribeRule", Resource: rule},
		}
	}
	return nil
}

// checkStream checks that a function may give up records of a stream, which Lambda
// does under the function's role.
func (l *Local) checkStream(f function) error {
	events, _ := f.properties["Events"].(map[string]any)
	for _, event := range events {
		destination, ok := path(event, "Properties", "DestinationConfig", "OnFailure", "Destination").(string)
		if !ok {
			continue
		}
		if err := l.check(f.logicalID, []access.Request{{Action: "sqs:SendMessage", Resource: destination}}); err != nil {
			return err
		}
	}
	return nil
}
