// Package compact turns openapi.yaml into the compact JSON that requests are
// checked against. It runs when code is generated, and in tests.
//
// It must never be linked into what is deployed: reading YAML is not work for a
// cold start.
package compact

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"
)

// methods are the keys of a path item that are operations.
var methods = []string{"get", "put", "post", "delete", "patch", "head", "options", "trace"}

// told are the keywords of a schema that say something about a request's value,
// or that an answer to a wrong one quotes. The others describe or only name.
var told = []string{
	"$ref", "type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
	"minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "required",
	"properties", "additionalProperties", "items", "example",
}

// silent are the keywords that a checker need not know.
var silent = []string{
	"default", "description", "format", "x-enum-varnames", "x-go-type-skip-optional-pointer",
}

type object = map[string]any

// Of returns the operations of an OpenAPI document with their parameters, and
// the schemas that their requests use. A keyword that neither the checker knows
// nor is known to say nothing is an error, so none is dropped in silence.
func Of(openapi []byte) ([]byte, error) {
	var document object
	if err := yaml.Unmarshal(openapi, &document); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	c := compactor{document: document, schemas: object{}}
	operations := []object{}
	paths := child(document, "paths")
	for _, path := range sorted(paths) {
		item := child(paths, path)
		for _, method := range methods {
			if operation := child(item, method); operation != nil {
				operations = append(operations, c.operation(method, path, item, operation))
			}
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	return json.Marshal(object{"operations": operations, "schemas": c.schemas})
}

type compactor struct {
	document object
	schemas  object // those used so far
	err      error  // the first
}

func (c *compactor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *compactor) operation(method, path string, item, operation object) object {
	out := object{"id": operation["operationId"], "method": strings.ToUpper(method), "path": path}
	parameters := []any{}
	shared, _ := item["parameters"].([]any)
	own, _ := operation["parameters"].([]any)
	for _, each := range append(shared[:len(shared):len(shared)], own...) {
		p := c.resolve(each.(object))
		parameter := object{"name": p["name"], "in": p["in"], "schema": c.schema(child(p, "schema"))}
		if p["required"] == true {
			parameter["required"] = true
		}
		parameters = append(parameters, parameter)
	}
	if len(parameters) > 0 {
		out["parameters"] = parameters
	}
	if body := child(operation, "requestBody"); body != nil {
		out["body"] = c.schema(child(child(child(body, "content"), "application/json"), "schema"))
	}
	return out
}

// resolve follows a reference to a component.
func (c *compactor) resolve(o object) object {
	ref, ok := o["$ref"].(string)
	if !ok {
		return o
	}
	found := c.document
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		found = child(found, name)
	}
	if found == nil {
		c.fail("%s names nothing", ref)
	}
	return found
}

// schema returns a schema with the told keywords only, and its references turned
// into the names of schemas.
func (c *compactor) schema(s object) object {
	out := object{}
	for _, keyword := range sorted(s) {
		value := s[keyword]
		switch {
		case keyword == "$ref":
			out["$ref"] = c.reference(s)
		case keyword == "properties":
			properties := object{}
			for name, property := range value.(object) {
				properties[name] = c.schema(property.(object))
			}
			out[keyword] = properties
		case keyword == "items", keyword == "additionalProperties":
			out[keyword] = value
			if nested, ok := value.(object); ok {
				out[keyword] = c.schema(nested)
			}
		case in(told, keyword):
			out[keyword] = value
		case !in(silent, keyword):
			c.fail("requests cannot be checked by the keyword %s", keyword)
		}
	}
	if out["pattern"] == nil {
		delete(out, "example") // only a wrong pattern needs one to be understood
	}
	return out
}

func (c *compactor) reference(s object) string {
	ref := s["$ref"].(string)
	name := ref[strings.LastIndex(ref, "/")+1:]
	if _, done := c.schemas[name]; !done {
		c.schemas[name] = object{} // breaks a cycle
		c.schemas[name] = c.schema(c.resolve(s))
	}
	return name
}

func child(o object, name string) object {
	found, _ := o[name].(object)
	return found
}

func sorted(o object) []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func in(list []string, name string) bool {
	for _, each := range list {
		if each == name {
			return true
		}
	}
	return false
}
