package cloudformation

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxDepth bounds how deep a template may nest, so that no template can exhaust
// the stack of what walks it.
const maxDepth = 64

// decodeDocument reads YAML, of which JSON is a part, into plain values with each
// tag such as !Ref in its long form.
func decodeDocument(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, templateError("1 validation error detected: Value '' at 'templateBody' failed to " +
			"satisfy constraint: Member must have length greater than or equal to 1")
	}
	if object, ok := decodeJSON(body); ok {
		return object, nil
	}
	var document yaml.Node
	if err := yaml.Load(body, &document); err != nil {
		return nil, formatError("%s not well-formed. (%s)", languageOf(body), oneLine(err))
	}
	root := &document
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	value, err := decodeNode(root, 0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, formatError("unsupported structure.")
	}
	return object, nil
}

// decodeJSON reads a template in JSON, which is not quite a part of YAML: it may
// be indented with tabs. Where it fails, the reading as YAML says why.
func decodeJSON(body []byte) (map[string]any, bool) {
	if languageOf(body) != "JSON" {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var object map[string]any
	if decoder.Decode(&object) != nil || decoder.More() || deeperThan(object, maxDepth) {
		return nil, false
	}
	return plainNumbers(object).(map[string]any), true
}

func deeperThan(value any, depth int) bool {
	if depth == 0 {
		return true
	}
	switch v := value.(type) {
	case map[string]any:
		for _, item := range v {
			if deeperThan(item, depth-1) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if deeperThan(item, depth-1) {
				return true
			}
		}
	}
	return false
}

// plainNumbers puts int64 and float64 in the place of each json.Number.
func plainNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = plainNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = plainNumbers(item)
		}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	}
	return value
}

func languageOf(body []byte) string {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return "JSON"
	}
	return "YAML"
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func decodeNode(n *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, formatError("line %d: nested deeper than %d", n.Line, maxDepth)
	}
	if name, ok := strings.CutPrefix(n.Tag, "!"); ok && name != "" && !strings.HasPrefix(name, "!") {
		return decodeTag(name, n, depth)
	}
	return decodePlain(n, depth)
}

func decodePlain(n *yaml.Node, depth int) (any, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return decodeScalar(n), nil
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			value, err := decodeNode(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		return decodeMapping(n, depth)
	case yaml.AliasNode:
		return nil, templateError("Template error: YAML aliases are not allowed in CloudFormation templates")
	}
	return nil, formatError("unsupported structure.")
}

func decodeMapping(n *yaml.Node, depth int) (any, error) {
	object := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return nil, formatError("line %d: a key must be a string", key.Line)
		}
		if key.Tag == "!!merge" {
			return nil, templateError("Template error: YAML aliases are not allowed in CloudFormation templates")
		}
		if _, ok := object[key.Value]; ok {
			return nil, formatError("line %d: duplicate key %q", key.Line, key.Value)
		}
		value, err := decodeNode(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
	}
	return object, nil
}

// decodeScalar keeps whatever is no number, truth or null as it is written; a
// date such as a policy's Version is a string to CloudFormation.
func decodeScalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		if b, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			return b
		}
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
	case "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		if err == nil && f-f == 0 { // Neither infinite nor not a number: JSON has none.
			return f
		}
	}
	return n.Value
}

// functions are the intrinsic functions that have a short form !Name.
var functions = map[string]string{
	"Ref": "Ref", "Condition": "Condition", "And": "Fn::And", "Base64": "Fn::Base64", "Cidr": "Fn::Cidr",
	"Contains": "Fn::Contains", "EachMemberEquals": "Fn::EachMemberEquals", "EachMemberIn": "Fn::EachMemberIn",
	"Equals": "Fn::Equals", "FindInMap": "Fn::FindInMap", "GetAZs": "Fn::GetAZs", "GetAtt": "Fn::GetAtt",
	"If": "Fn::If", "ImportValue": "Fn::ImportValue", "Join": "Fn::Join", "Length": "Fn::Length",
	"Not": "Fn::Not", "Or": "Fn::Or", "Select": "Fn::Select", "Split": "Fn::Split", "Sub": "Fn::Sub",
	"ToJsonString": "Fn::ToJsonString",
}

func decodeTag(name string, n *yaml.Node, depth int) (any, error) {
	function, ok := functions[name]
	if !ok {
		return nil, templateError("Template error: line %d: unknown tag !%s", n.Line, name)
	}
	plain := *n
	plain.Tag = ""
	if n.Kind == yaml.ScalarNode {
		plain.Tag = "!!str"
	}
	value, err := decodePlain(&plain, depth+1)
	if err != nil {
		return nil, err
	}
	// !GetAtt A.B.C names the resource up to the first dot.
	if text, ok := value.(string); ok && function == "Fn::GetAtt" {
		resource, attribute, _ := strings.Cut(text, ".")
		value = []any{resource, attribute}
	}
	return map[string]any{function: value}, nil
}
