package cloudformation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// MaxTemplateBody is the limit in bytes of a template that is passed in a call.
const MaxTemplateBody = 51_200

// A Template is a parsed template. Its values are what JSON has: map[string]any,
// []any, string, bool, int64, float64 and nil. Intrinsic functions are in their
// long form, as maps of one key.
type Template struct {
	Description string
	Transforms  []string // such as AWS::Serverless-2016-10-31; none is run
	Globals     map[string]any
	Metadata    map[string]any
	Parameters  map[string]Parameter
	Mappings    map[string]any
	Rules       map[string]Rule
	Conditions  map[string]any
	Resources   map[string]Resource
	Outputs     map[string]Output
}

// A Parameter is what a template says of one of its parameters. The lengths and
// values are nil when the template does not limit them.
type Parameter struct {
	Type                  string
	Description           string
	Default               *string
	NoEcho                bool
	AllowedValues         []string
	AllowedPattern        string
	ConstraintDescription string
	MinLength, MaxLength  *float64
	MinValue, MaxValue    *float64

	pattern *regexp.Regexp
}

// A Rule makes assertions on parameters when its condition, if any, holds.
type Rule struct {
	Condition  any
	Assertions []Assertion
}

// An Assertion is a condition that must hold, and what to say when it does not.
type Assertion struct {
	Assert      any
	Description string
}

// A Resource is a resource as it is declared, its properties unresolved.
type Resource struct {
	Type                string
	Condition           string
	DependsOn           []string
	DeletionPolicy      string // Delete, Retain, RetainExceptOnCreate or Snapshot; empty is Delete
	UpdateReplacePolicy string
	Properties          map[string]any
	Metadata            map[string]any
	// Attributes has whatever else stands beside the properties, such as SAM's
	// Connectors or an UpdatePolicy.
	Attributes map[string]any
}

// An Output is an output as it is declared, its value unresolved.
type Output struct {
	Description string
	Condition   string
	Value       any
	Export      any // the name's expression; nil when nothing is exported
}

// LogicalIDs lists the resources in alphabetical order, those included whose
// condition will not hold.
func (t *Template) LogicalIDs() []string { return slices.Sorted(maps.Keys(t.Resources)) }

// parsed are the templates that were read last, by their bodies: the same few are read
// again for each stack, and several times for each.
var parsed struct {
	mu        sync.Mutex
	templates map[string]*Template
}

// parsedMax bounds how many templates are kept.
const parsedMax = 32

// Parse reads a template in YAML or JSON. Its error is in the words in which
// CloudFormation refuses a template, and names the place. Others may have been given
// the same template: it must not be changed.
func Parse(body []byte) (*Template, error) {
	parsed.mu.Lock()
	known := parsed.templates[string(body)]
	parsed.mu.Unlock()
	if known != nil {
		return known, nil
	}
	t, err := parse(body)
	if err != nil {
		return nil, err
	}
	parsed.mu.Lock()
	defer parsed.mu.Unlock()
	if parsed.templates == nil || len(parsed.templates) == parsedMax {
		parsed.templates = map[string]*Template{}
	}
	parsed.templates[string(body)] = t
	return t, nil
}

func parse(body []byte) (*Template, error) {
	root, err := decodeDocument(body)
	if err != nil {
		return nil, err
	}
	for _, section := range slices.Sorted(maps.Keys(root)) {
		if !slices.Contains(sections, section) {
			return nil, formatError("Invalid template property or properties [%s]", section)
		}
	}
	t := &Template{}
	for _, read := range []func(*Template, map[string]any) error{
		readHeader, readParameters, readRules, readConditions, readResources, readOutputs,
	} {
		if err := read(t, root); err != nil {
			return nil, err
		}
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

var sections = []string{
	"AWSTemplateFormatVersion", "Conditions", "Description", "Globals", "Hooks", "Mappings", "Metadata",
	"Outputs", "Parameters", "Resources", "Rules", "Transform",
}

// A TemplateError is a refusal of a template, or of values for it, in
// CloudFormation's words. Over the wire it is a ValidationError.
type TemplateError struct{ Message string }

func (e *TemplateError) Error() string { return e.Message }

func templateError(format string, args ...any) error {
	return &TemplateError{fmt.Sprintf(format, args...)}
}

func formatError(format string, args ...any) error {
	return templateError("Template format error: "+format, args...)
}

func readHeader(t *Template, root map[string]any) error {
	if version, ok := root["AWSTemplateFormatVersion"]; ok && version != "2010-09-09" {
		return formatError("Unsupported or invalid TemplateFormatVersion value: %v", version)
	}
	if description, ok := root["Description"]; ok {
		text, ok := description.(string)
		if !ok {
			return formatError("Description must be a string")
		}
		t.Description = text
	}
	var err error
	if t.Transforms, err = readTransforms(root["Transform"]); err != nil {
		return err
	}
	for name, section := range map[string]*map[string]any{
		"Globals": &t.Globals, "Metadata": &t.Metadata, "Mappings": &t.Mappings,
	} {
		if *section, err = objectAt(root, name); err != nil {
			return err
		}
	}
	return nil
}

func readTransforms(declared any) ([]string, error) {
	switch v := declared.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		names, ok := stringsOf(v)
		if ok {
			return names, nil
		}
	}
	return nil, formatError("Transform must be a name or a list of names")
}

// objectAt is the section of that name, nil when there is none.
func objectAt(parent map[string]any, name string) (map[string]any, error) {
	value, ok := parent[name]
	if !ok || value == nil {
		return nil, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, formatError("%s must be an object", name)
	}
	return object, nil
}

// eachObject calls read for each member of a section, in alphabetical order. Each
// member must be an object.
func eachObject(root map[string]any, section string, read func(name string, body map[string]any) error) error {
	members, err := objectAt(root, section)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		body, ok := members[name].(map[string]any)
		if !ok {
			return formatError("[/%s/%s] must be an object", section, name)
		}
		if err := read(name, body); err != nil {
			return err
		}
	}
	return nil
}

func readRules(t *Template, root map[string]any) error {
	return eachObject(root, "Rules", func(name string, body map[string]any) error {
		rule := Rule{Condition: body["RuleCondition"]}
		list, ok := body["Assertions"].([]any)
		if !ok || len(list) == 0 {
			return formatError("[/Rules/%s] Assertions must be a list", name)
		}
		for _, item := range list {
			assertion, ok := item.(map[string]any)
			if !ok || assertion["Assert"] == nil {
				return formatError("[/Rules/%s/Assertions] each needs an Assert", name)
			}
			description, _ := assertion["AssertDescription"].(string)
			rule.Assertions = append(rule.Assertions, Assertion{assertion["Assert"], description})
		}
		if t.Rules == nil {
			t.Rules = map[string]Rule{}
		}
		t.Rules[name] = rule
		return nil
	})
}

func readConditions(t *Template, root map[string]any) (err error) {
	t.Conditions, err = objectAt(root, "Conditions")
	return err
}

func readResources(t *Template, root map[string]any) error {
	t.Resources = map[string]Resource{}
	err := eachObject(root, "Resources", func(name string, body map[string]any) error {
		if !logicalID.MatchString(name) {
			return formatError("Resource name %s is non alphanumeric.", name)
		}
		resource, err := readResource(name, body)
		t.Resources[name] = resource
		return err
	})
	if err == nil && len(t.Resources) == 0 {
		return formatError("At least one Resources member must be defined.")
	}
	return err
}

var logicalID = regexp.MustCompile(`^[a-zA-Z0-9]{1,255}$`)

func readResource(name string, body map[string]any) (Resource, error) {
	resource := Resource{Attributes: map[string]any{}}
	place := "/Resources/" + name
	for _, key := range slices.Sorted(maps.Keys(body)) {
		value, err := body[key], error(nil)
		switch key {
		case "Type":
			resource.Type, err = textAt(place+"/Type", value)
		case "Condition":
			resource.Condition, err = textAt(place+"/Condition", value)
		case "DeletionPolicy":
			resource.DeletionPolicy, err = textAt(place+"/DeletionPolicy", value)
		case "UpdateReplacePolicy":
			resource.UpdateReplacePolicy, err = textAt(place+"/UpdateReplacePolicy", value)
		case "DependsOn":
			resource.DependsOn, err = readDependsOn(place, value)
		case "Properties":
			resource.Properties, err = objectAt(body, key)
		case "Metadata":
			resource.Metadata, err = objectAt(body, key)
		default:
			resource.Attributes[key] = value
		}
		if err != nil {
			return Resource{}, err
		}
	}
	if resource.Type == "" {
		return Resource{}, formatError("[%s] Every Resources object must contain a Type member.", place)
	}
	return resource, nil
}

func readDependsOn(place string, value any) ([]string, error) {
	if text, ok := value.(string); ok {
		return []string{text}, nil
	}
	list, _ := value.([]any)
	names, ok := stringsOf(list)
	if !ok || list == nil {
		return nil, formatError("[%s/DependsOn] must be a string or a list of strings", place)
	}
	return names, nil
}

func textAt(place string, value any) (string, error) {
	text, ok := value.(string)
	if !ok {
		return "", formatError("[%s] must be a string", place)
	}
	return text, nil
}

func readOutputs(t *Template, root map[string]any) error {
	t.Outputs = map[string]Output{}
	return eachObject(root, "Outputs", func(name string, body map[string]any) error {
		output := Output{Value: body["Value"]}
		if output.Value == nil {
			return formatError("Output %s is malformed. The Value field of every Outputs member must be specified", name)
		}
		output.Description, _ = body["Description"].(string)
		output.Condition, _ = body["Condition"].(string)
		if export, ok := body["Export"].(map[string]any); ok {
			output.Export = export["Name"]
		}
		t.Outputs[name] = output
		return nil
	})
}

// stringsOf is the list as strings, and whether all of it are.
func stringsOf(list []any) ([]string, bool) {
	texts := make([]string, 0, len(list))
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}

// brackets writes names as CloudFormation lists them: [A, B].
func brackets(names []string) string { return "[" + strings.Join(names, ", ") + "]" }
