package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const ssmValuePrefix = "AWS::SSM::Parameter::Value<"

func readParameters(t *Template, root map[string]any) error {
	t.Parameters = map[string]Parameter{}
	return eachObject(root, "Parameters", func(name string, body map[string]any) error {
		parameter, err := readParameter("/Parameters/"+name, body)
		t.Parameters[name] = parameter
		return err
	})
}

func readParameter(place string, body map[string]any) (p Parameter, err error) {
	if body["Type"] == nil {
		return p, formatError("[%s] Every Parameters object must contain a Type member.", place)
	}
	if p.Type, err = textAt(place+"/Type", body["Type"]); err != nil {
		return p, err
	}
	if !knownParameterType(p.Type) {
		return p, formatError("Unrecognized parameter type: %s", p.Type)
	}
	if value, ok := body["Default"]; ok {
		text, ok := scalarText(value)
		if !ok {
			return p, formatError("[%s/Default] Every Default member must be a string.", place)
		}
		p.Default = &text
	}
	if list, ok := body["AllowedValues"].([]any); ok {
		for _, item := range list {
			text, _ := scalarText(item)
			p.AllowedValues = append(p.AllowedValues, text)
		}
	}
	p.Description, _ = body["Description"].(string)
	p.ConstraintDescription, _ = body["ConstraintDescription"].(string)
	p.NoEcho = textOf(body["NoEcho"]) == "true"
	for key, limit := range map[string]**float64{
		"MinLength": &p.MinLength, "MaxLength": &p.MaxLength, "MinValue": &p.MinValue, "MaxValue": &p.MaxValue,
	} {
		if value, ok := body[key]; ok {
			number, err := strconv.ParseFloat(textOf(value), 64)
			if err != nil {
				return p, formatError("[%s/%s] must be a number", place, key)
			}
			*limit = &number
		}
	}
	if p.AllowedPattern, _ = body["AllowedPattern"].(string); p.AllowedPattern != "" {
		p.pattern, err = regexp.Compile("^(?:" + p.AllowedPattern + ")$")
		if err != nil {
			return p, formatError("[%s/AllowedPattern] is no regular expression: %v", place, err)
		}
	}
	return p, nil
}

func knownParameterType(name string) bool {
	if inner, ok := strings.CutPrefix(name, ssmValuePrefix); ok {
		inner, ok = strings.CutSuffix(inner, ">")
		return ok && knownParameterType(inner)
	}
	if inner, ok := strings.CutPrefix(name, "List<"); ok {
		inner, ok = strings.CutSuffix(inner, ">")
		return ok && (inner == "Number" || inner == "String" || strings.HasPrefix(inner, "AWS::"))
	}
	return name == "String" || name == "Number" || name == "CommaDelimitedList" ||
		strings.HasPrefix(name, "AWS::EC2::") || strings.HasPrefix(name, "AWS::Route53::") ||
		name == "AWS::SSM::Parameter::Name"
}

// isList tells whether the parameter's value is a list of strings.
func (p Parameter) isList() bool {
	inner := strings.TrimSuffix(strings.TrimPrefix(p.Type, ssmValuePrefix), ">")
	return inner == "CommaDelimitedList" || strings.HasPrefix(inner, "List<")
}

// A Source answers what a template asks of the world around its stack. Each field
// may be nil when the template asks nothing of its kind.
type Source struct {
	// SSMParameter is the value of a parameter of AWS Systems Manager.
	SSMParameter func(ctx context.Context, name string) (string, error)
	// Exists tells whether the value of an AWS-specific parameter type, such as
	// AWS::EC2::Subnet::Id, names something that there is.
	Exists func(ctx context.Context, parameterType, value string) (bool, error)
	// Import is the value that another stack exports under name.
	Import func(ctx context.Context, name string) (string, error)
}

// ParameterValues checks what a caller gave against what the template declares,
// fills in the defaults, and looks up the types that name something in AWS. The
// values are strings, and []any of strings for list types.
func (t *Template) ParameterValues(ctx context.Context, given map[string]string, source Source) (map[string]any, error) {
	if err := t.checkGiven(given); err != nil {
		return nil, err
	}
	values := make(map[string]any, len(t.Parameters))
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		declared := t.Parameters[name]
		text, ok := given[name]
		if !ok {
			text = *declared.Default
		}
		if err := declared.check(name, text); err != nil {
			return nil, err
		}
		text, err := declared.lookUp(ctx, name, text, source)
		if err != nil {
			return nil, err
		}
		if values[name] = text; declared.isList() {
			values[name] = splitList(text)
		}
	}
	return values, nil
}

func (t *Template) checkGiven(given map[string]string) error {
	var missing, unknown []string
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		if _, ok := given[name]; !ok && t.Parameters[name].Default == nil {
			missing = append(missing, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := t.Parameters[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return templateError("Parameters: %s do not exist in the template", brackets(unknown))
	}
	if len(missing) > 0 {
		return templateError("Parameters: %s must have values", brackets(missing))
	}
	return nil
}

func splitList(text string) []any {
	if text == "" {
		return []any{}
	}
	var list []any
	for _, item := range strings.Split(text, ",") {
		list = append(list, strings.TrimSpace(item))
	}
	return list
}

// check applies the template's limits to each item of a list, and to any other
// value as a whole.
func (p Parameter) check(name, text string) error {
	items := []any{text}
	if p.isList() {
		items = splitList(text)
	}
	for _, item := range items {
		if err := p.checkItem(name, item.(string)); err != nil {
			return err
		}
	}
	return nil
}

func (p Parameter) checkItem(name, text string) error {
	if strings.Contains(p.Type, "Number") || p.MinValue != nil || p.MaxValue != nil {
		number, err := strconv.ParseFloat(text, 64)
		if err != nil && strings.Contains(p.Type, "Number") {
			return templateError("Parameter '%s' must be a number.", name)
		}
		if p.MinValue != nil && number < *p.MinValue {
			return p.violated(name, fmt.Sprintf("must be a number not less than %v", *p.MinValue))
		}
		if p.MaxValue != nil && number > *p.MaxValue {
			return p.violated(name, fmt.Sprintf("must be a number not greater than %v", *p.MaxValue))
		}
	}
	if p.MinLength != nil && float64(len(text)) < *p.MinLength {
		return p.violated(name, fmt.Sprintf("must contain at least %v characters", *p.MinLength))
	}
	if p.MaxLength != nil && float64(len(text)) > *p.MaxLength {
		return p.violated(name, fmt.Sprintf("must contain at most %v characters", *p.MaxLength))
	}
	if p.AllowedValues != nil && !slices.Contains(p.AllowedValues, text) {
		return p.violated(name, "must be one of AllowedValues")
	}
	if p.pattern != nil && !p.pattern.MatchString(text) {
		return p.violated(name, "must match pattern "+p.AllowedPattern)
	}
	return nil
}

func (p Parameter) violated(name, what string) error {
	if p.ConstraintDescription != "" {
		return templateError("Parameter %s failed to satisfy constraint: %s", name, p.ConstraintDescription)
	}
	return templateError("Parameter '%s' %s", name, what)
}

// lookUp resolves an SSM parameter type, and checks that the value of an
// AWS-specific type exists.
func (p Parameter) lookUp(ctx context.Context, name, text string, source Source) (string, error) {
	if strings.HasPrefix(p.Type, ssmValuePrefix) {
		if source.SSMParameter == nil {
			return text, nil
		}
		value, err := source.SSMParameter(ctx, text)
		if err != nil {
			return "", templateError("Unable to fetch parameters [%s] from parameter store for this account.", text)
		}
		return value, nil
	}
	if source.Exists == nil || !strings.Contains(p.Type, "AWS::") {
		return text, nil
	}
	kind := strings.TrimSuffix(strings.TrimPrefix(p.Type, "List<"), ">")
	for _, item := range splitList(text) {
		found, err := source.Exists(ctx, kind, item.(string))
		if err != nil {
			return "", fmt.Errorf("looking up %s %s: %w", kind, item, err)
		}
		if !found {
			return "", templateError("Parameter validation failed: parameter value %s for parameter name %s does not exist",
				item, name)
		}
	}
	return text, nil
}

// scalarText writes a scalar as CloudFormation does where it wants a string, and
// tells whether value is one.
func scalarText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// textOf is scalarText, or JSON for what is no scalar.
func textOf(value any) string {
	if text, ok := scalarText(value); ok {
		return text
	}
	if value == nil {
		return ""
	}
	// What came out of a template always encodes: it has only JSON's types.
	raw, _ := json.Marshal(value)
	return string(raw)
}
