package cloudformation

import (
	"maps"
	"slices"
	"strings"
)

// A Pseudo is the values of the pseudo parameters.
type Pseudo struct {
	AccountID, Region, StackID, StackName string
	NotificationARNs                      []string
}

func (p Pseudo) values() map[string]any {
	partition, suffix := "aws", "amazonaws.com"
	switch {
	case strings.HasPrefix(p.Region, "cn-"):
		partition, suffix = "aws-cn", "amazonaws.com.cn"
	case strings.HasPrefix(p.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	topics := make([]any, 0, len(p.NotificationARNs))
	for _, arn := range p.NotificationARNs {
		topics = append(topics, arn)
	}
	return map[string]any{
		"AWS::AccountId": p.AccountID, "AWS::Region": p.Region, "AWS::StackId": p.StackID,
		"AWS::StackName": p.StackName, "AWS::Partition": partition, "AWS::URLSuffix": suffix,
		"AWS::NotificationARNs": topics, "AWS::NoValue": noValue{},
	}
}

// noValue is what AWS::NoValue resolves to; whatever holds it loses it.
type noValue struct{}

// A Scope is what the expressions of a template are resolved against.
type Scope struct {
	Parameters map[string]any // as ParameterValues returns them
	Pseudo     Pseudo
	// Zones lists the availability zones of a region. Where it is nil a region
	// has the three zones a, b and c.
	Zones func(region string) []string
	// Import is the value that another stack exports. Where it is nil there are
	// no exports.
	Import func(name string) (string, error)
	// Lookup is what Ref gives for a resource, when attribute is empty, or what
	// Fn::GetAtt gives. Where it is nil, no resource can be referred to.
	Lookup func(logicalID, attribute string) (any, error)
}

// A Resolver evaluates the expressions of one template in one scope.
type Resolver struct {
	template   *Template
	scope      Scope
	pseudo     map[string]any
	conditions map[string]bool
	visiting   map[string]bool // conditions that are being evaluated, to find circles
}

// Resolver evaluates the template's conditions and rules. Its error is a
// *TemplateError when a condition is malformed or an assertion does not hold.
func (t *Template) Resolver(scope Scope) (*Resolver, error) {
	r := &Resolver{
		template: t, scope: scope, pseudo: scope.Pseudo.values(),
		conditions: map[string]bool{}, visiting: map[string]bool{},
	}
	for _, name := range slices.Sorted(maps.Keys(t.Conditions)) {
		if _, err := r.condition(name); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Rules)) {
		if err := r.enforce(name, t.Rules[name]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// A Resolved is a resource whose condition holds, with its values in place.
type Resolved struct {
	LogicalID  string
	Type       string
	DependsOn  []string
	Properties map[string]any
	Metadata   map[string]any
	Attributes map[string]any
}

// Resolve returns the resources whose conditions hold, in alphabetical order.
// Lookup must know every resource that another one refers to.
func (t *Template) Resolve(scope Scope) ([]Resolved, error) {
	r, err := t.Resolver(scope)
	if err != nil {
		return nil, err
	}
	var resolved []Resolved
	for _, id := range t.LogicalIDs() {
		if !r.Active(id) {
			continue
		}
		declared := t.Resources[id]
		item := Resolved{LogicalID: id, Type: declared.Type, DependsOn: declared.DependsOn}
		if item.Properties, err = r.Properties(id); err != nil {
			return nil, err
		}
		if item.Metadata, err = r.object(declared.Metadata); err != nil {
			return nil, err
		}
		if item.Attributes, err = r.object(declared.Attributes); err != nil {
			return nil, err
		}
		resolved = append(resolved, item)
	}
	return resolved, nil
}

// Active tells whether a resource's condition holds.
func (r *Resolver) Active(logicalID string) bool {
	declared, ok := r.template.Resources[logicalID]
	return ok && r.holds(declared.Condition)
}

// holds tells whether a condition by that name holds; the empty one does.
func (r *Resolver) holds(name string) bool { return name == "" || r.conditions[name] }

// Properties are a resource's properties with every expression evaluated.
func (r *Resolver) Properties(logicalID string) (map[string]any, error) {
	return r.object(r.template.Resources[logicalID].Properties)
}

func (r *Resolver) object(unresolved map[string]any) (map[string]any, error) {
	resolved := make(map[string]any, len(unresolved))
	for _, key := range slices.Sorted(maps.Keys(unresolved)) {
		value, err := r.Value(unresolved[key])
		if err != nil {
			return nil, err
		}
		if value != nil {
			resolved[key] = value
		}
	}
	return resolved, nil
}

// Value evaluates one expression; nil stands for AWS::NoValue.
func (r *Resolver) Value(expression any) (any, error) {
	value, err := r.value(expression)
	if _, none := value.(noValue); none {
		return nil, err
	}
	return value, err
}

func (r *Resolver) value(expression any) (any, error) {
	switch v := expression.(type) {
	case map[string]any:
		if name, argument, ok := functionCall(v); ok {
			return r.call(name, argument)
		}
		return r.object(v)
	case []any:
		list := make([]any, 0, len(v))
		for _, item := range v {
			value, err := r.value(item)
			if err != nil {
				return nil, err
			}
			if _, none := value.(noValue); !none {
				list = append(list, value)
			}
		}
		return list, nil
	}
	return expression, nil
}

// functionCall tells whether an object is a call of an intrinsic function. A
// policy's Condition has the form of one but holds an object, and is none.
func functionCall(object map[string]any) (name string, argument any, ok bool) {
	if len(object) != 1 {
		return "", nil, false
	}
	for name, argument = range object {
		switch {
		case name == "Ref", name == "Condition":
			_, ok = argument.(string)
		default:
			ok = strings.HasPrefix(name, "Fn::")
		}
	}
	return name, argument, ok
}

// Output is one of the template's outputs, resolved.
type ResolvedOutput struct {
	Key, Value, Description, ExportName string
}

// Outputs are the outputs whose conditions hold, in alphabetical order.
func (r *Resolver) Outputs() ([]ResolvedOutput, error) {
	var outputs []ResolvedOutput
	for _, name := range slices.Sorted(maps.Keys(r.template.Outputs)) {
		declared := r.template.Outputs[name]
		if !r.holds(declared.Condition) {
			continue
		}
		value, err := r.text(declared.Value)
		if err != nil {
			return nil, err
		}
		output := ResolvedOutput{Key: name, Value: value, Description: declared.Description}
		if declared.Export != nil {
			if output.ExportName, err = r.text(declared.Export); err != nil {
				return nil, err
			}
		}
		outputs = append(outputs, output)
	}
	return outputs, nil
}

// text evaluates an expression that must give a string.
func (r *Resolver) text(expression any) (string, error) {
	value, err := r.Value(expression)
	if err != nil {
		return "", err
	}
	text, ok := scalarText(value)
	if !ok {
		return "", templateError("Template error: %s is no string", textOf(value))
	}
	return text, nil
}
