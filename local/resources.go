package local

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

func readRule(made resource) (rule, error) {
	out := rule{resource: made, state: "ENABLED"}
	pattern, err := json.Marshal(made.properties["EventPattern"])
	if err != nil {
		return out, err
	}
	if out.pattern = string(pattern); made.properties["EventPattern"] == nil {
		out.pattern = ""
	}
	out.schedule, _ = made.properties["ScheduleExpression"].(string)
	if state, ok := made.properties["State"].(string); ok {
		out.state = state
	}
	targets, _ := made.properties["Targets"].([]any)
	for _, target := range targets {
		fields, ok := target.(map[string]any)
		if !ok {
			return out, fmt.Errorf("a target is no map")
		}
		out.targets = append(out.targets, fields)
	}
	return out, nil
}

// readFunction reads a function with what SAM's Globals add to it.
func (r *reader) readFunction(id string, made resource) (function, error) {
	out := function{resource: made, logicalID: id, variables: map[string]string{}}
	globals, err := r.resolver.Value(r.template.Globals["Function"])
	if err != nil {
		return out, err
	}
	for _, properties := range []any{globals, made.properties} {
		if seconds, ok := path(properties, "Timeout").(int64); ok {
			out.timeout = time.Duration(seconds) * time.Second
		}
		variables, _ := path(properties, "Environment", "Variables").(map[string]any)
		for name, value := range variables {
			out.variables[name] = fmt.Sprint(value)
		}
	}
	out.policies, _ = made.properties["Policies"].([]any)
	events, _ := made.properties["Events"].(map[string]any)
	for _, event := range events {
		if path(event, "Type") == "DynamoDB" {
			out.streams = append(out.streams, readStream(path(event, "Properties")))
		}
	}
	return out, nil
}

func readRole(made resource) role {
	out := role{resource: made, trust: made.properties["AssumeRolePolicyDocument"]}
	policies, _ := made.properties["Policies"].([]any)
	for _, policy := range policies {
		out.policies = append(out.policies, path(policy, "PolicyDocument"))
	}
	return out
}

func readStream(properties any) streamSource {
	out := streamSource{batch: 100, retries: -1}
	if batch, ok := path(properties, "BatchSize").(int64); ok {
		out.batch = int(batch)
	}
	if retries, ok := path(properties, "MaximumRetryAttempts").(int64); ok {
		out.retries = int(retries)
	}
	filters, _ := path(properties, "FilterCriteria", "Filters").([]any)
	for _, filter := range filters {
		if pattern, ok := path(filter, "Pattern").(string); ok {
			out.filters = append(out.filters, pattern)
		}
	}
	return out
}

// readMachine reads a state machine's definition with its substitutions made.
func (r *reader) readMachine(id string, made resource) (machine, error) {
	out := machine{resource: made, logicalID: id}
	file, _ := made.properties["DefinitionUri"].(string)
	text, err := fs.ReadFile(r.files, file)
	if err != nil {
		return out, err
	}
	substitutions, _ := made.properties["DefinitionSubstitutions"].(map[string]any)
	pairs := make([]string, 0, 2*len(substitutions))
	for name, value := range substitutions {
		quoted := strconv.Quote(fmt.Sprint(value))
		pairs = append(pairs, "${"+name+"}", quoted[1:len(quoted)-1])
	}
	out.definition = strings.NewReplacer(pairs...).Replace(string(text))
	out.policies, _ = made.properties["Policies"].([]any)
	return out, nil
}

// path follows keys through nested maps; nil where one is missing.
func path(value any, keys ...string) any {
	for _, key := range keys {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[key]
	}
	return value
}
