// Package merge knows how the fields of each kind are merged, as Kubernetes's own schema
// says it: which lists are sets, by which keys the items of others are told apart, and what
// is replaced as a whole. It holds the part of client-go's schema that the kinds need, since
// to read the whole of it takes many times as long.
//
// It must never know of an object.
package merge

import (
	_ "embed"
	"encoding/json"
	"sync"

	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"portolan/local/kubernetes/kinds"
)

//go:generate go run ./generate

//go:embed schema.gen.json
var text []byte

// Converter tells the field managers of all kinds what they merge.
var Converter = sync.OnceValue(newConverter)

func newConverter() managedfields.TypeConverter {
	var types []Type
	if err := json.Unmarshal(text, &types); err != nil {
		panic("merge: schema.gen.json: " + err.Error())
	}
	p := new(typed.Parser)
	for _, t := range types {
		p.Schema.Types = append(p.Schema.Types, schema.TypeDef{Name: t.Name, Atom: t.Shape.atom()})
	}
	return managedfields.NewSchemeTypeConverter(kinds.Scheme, p)
}

// A Type is one named type, in JSON. schema's own types embed each other in a way that
// JSON cannot tell apart.
type Type struct {
	Name  string `json:"name"`
	Shape Shape  `json:"shape"`
}

// A Shape is what a value looks like: a scalar, a list or a map, or several of them.
type Shape struct {
	Scalar schema.Scalar `json:"scalar,omitempty"`
	List   *List         `json:"list,omitempty"`
	Map    *Map          `json:"map,omitempty"`
}

// A List has items of one type.
type List struct {
	Of   Ref                        `json:"of"`
	How  schema.ElementRelationship `json:"how,omitempty"`
	Keys []string                   `json:"keys,omitempty"`
}

// A Map has named fields, and others of one type.
type Map struct {
	Fields []Field                    `json:"fields,omitempty"`
	Of     Ref                        `json:"of,omitzero"`
	How    schema.ElementRelationship `json:"how,omitempty"`
	Unions []schema.Union             `json:"unions,omitempty"`
}

// A Field is one of a map's. Only defaults of keys are ever read: texts and whole numbers.
type Field struct {
	Name    string `json:"name"`
	Is      Ref    `json:"is"`
	Default any    `json:"default,omitempty"`
}

// A Ref names a type, or is its shape itself.
type Ref struct {
	Type     string                      `json:"type,omitempty"`
	Shape    *Shape                      `json:"shape,omitempty"`
	How      *schema.ElementRelationship `json:"how,omitempty"`
	Nullable bool                        `json:"nullable,omitempty"`
}

func (s Shape) atom() schema.Atom {
	var a schema.Atom
	if s.Scalar != "" {
		a.Scalar = &s.Scalar
	}
	if l := s.List; l != nil {
		a.List = &schema.List{ElementType: l.Of.ref(), ElementRelationship: l.How, Keys: l.Keys}
	}
	if m := s.Map; m != nil {
		a.Map = &schema.Map{ElementType: m.Of.ref(), ElementRelationship: m.How, Unions: m.Unions,
			Fields: make([]schema.StructField, 0, len(m.Fields))}
		for _, f := range m.Fields {
			if number, ok := f.Default.(float64); ok {
				f.Default = int(number)
			}
			a.Map.Fields = append(a.Map.Fields, schema.StructField{Name: f.Name, Type: f.Is.ref(), Default: f.Default})
		}
	}
	return a
}

func (r Ref) ref() schema.TypeRef {
	out := schema.TypeRef{ElementRelationship: r.How, Nullable: r.Nullable}
	if r.Type != "" {
		out.NamedType = &r.Type
	}
	if r.Shape != nil {
		out.Inlined = r.Shape.atom()
	}
	return out
}
