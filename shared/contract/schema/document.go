package schema

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
)

//go:embed schema.gen.json
var compacted []byte

// Document is what a request is checked against. It is safe for concurrent use.
type Document struct {
	Operations []Operation        `json:"operations"`
	Schemas    map[string]*Schema `json:"schemas"`

	patterns sync.Map // string to *regexp.Regexp; compiled when first needed
}

// Operation is one operation of the API.
type Operation struct {
	ID         string      `json:"id"`
	Method     string      `json:"method"`
	Path       string      `json:"path"` // such as /v1/clusters/{cluster}
	Parameters []Parameter `json:"parameters"`
	Body       *Schema     `json:"body"` // nil when the operation takes none
}

// Parameter is a part of a request that is not in its body.
type Parameter struct {
	Name     string `json:"name"`
	In       string `json:"in"` // path, query or header
	Required bool   `json:"required"`
	Schema   Schema `json:"schema"`
}

// Schema is a JSON Schema, as far as the API's requests use it.
type Schema struct {
	Ref                  string             `json:"$ref"` // name of another schema
	Type                 string             `json:"type"`
	Enum                 []any              `json:"enum"`
	Pattern              string             `json:"pattern"`
	MinLength            int                `json:"minLength"`
	MaxLength            *int               `json:"maxLength"`
	Minimum              *int64             `json:"minimum"`
	Maximum              *int64             `json:"maximum"`
	MinItems             int                `json:"minItems"`
	MaxItems             *int               `json:"maxItems"`
	UniqueItems          bool               `json:"uniqueItems"`
	MinProperties        int                `json:"minProperties"`
	MaxProperties        *int               `json:"maxProperties"`
	Required             []string           `json:"required"`
	Properties           map[string]*Schema `json:"properties"`
	AdditionalProperties *Additional        `json:"additionalProperties"`
	Items                *Schema            `json:"items"`
	Example              any                `json:"example"`
}

// Additional says what members an object may have beside its properties: none,
// or those of a schema.
type Additional struct {
	Refused bool
	Schema  *Schema
}

// UnmarshalJSON reads a boolean or a schema.
func (a *Additional) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "true":
		return nil
	case "false":
		a.Refused = true
		return nil
	}
	return json.Unmarshal(text, &a.Schema)
}

// Load returns the document. It is read when it is first asked for, and not when
// the program starts.
var Load = sync.OnceValue(func() *Document {
	d := new(Document)
	if err := json.Unmarshal(compacted, d); err != nil {
		panic(fmt.Sprintf("the embedded form of openapi.yaml: %v", err))
	}
	return d
})

// resolve follows references.
func (d *Document) resolve(s *Schema) *Schema {
	for s.Ref != "" {
		s = d.Schemas[s.Ref]
	}
	return s
}

func (d *Document) matches(pattern, text string) bool {
	compiled, ok := d.patterns.Load(pattern)
	if !ok {
		compiled, _ = d.patterns.LoadOrStore(pattern, regexp.MustCompile(pattern))
	}
	return compiled.(*regexp.Regexp).MatchString(text)
}
