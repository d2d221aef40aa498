package merge

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/schema"

	"portolan/local/kubernetes/kinds"
)

// Of are the types that a converter knows of what the kinds are made of, by name.
func Of(c managedfields.TypeConverter) ([]Type, error) {
	found := map[string]Type{}
	for _, k := range kinds.All {
		object := k.New()
		object.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
		value, err := c.ObjectToTyped(object)
		if err != nil {
			return nil, fmt.Errorf("the type of %s: %w", k.Resource, err)
		}
		refOf(value.TypeRef(), value.Schema(), found)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Type) int { return strings.Compare(a.Name, b.Name) }), nil
}

// shapeOf is the inverse of atom; what it refers to is added to what was found.
func shapeOf(a schema.Atom, all *schema.Schema, found map[string]Type) Shape {
	var s Shape
	if a.Scalar != nil {
		s.Scalar = *a.Scalar
	}
	if l := a.List; l != nil {
		s.List = &List{Of: refOf(l.ElementType, all, found), How: l.ElementRelationship, Keys: l.Keys}
	}
	if m := a.Map; m != nil {
		s.Map = &Map{Of: refOf(m.ElementType, all, found), How: m.ElementRelationship, Unions: m.Unions}
		for _, f := range m.Fields {
			field := Field{Name: f.Name, Is: refOf(f.Type, all, found)}
			switch f.Default.(type) {
			case string, int:
				field.Default = f.Default
			}
			s.Map.Fields = append(s.Map.Fields, field)
		}
	}
	return s
}

// refOf is the inverse of ref.
func refOf(r schema.TypeRef, all *schema.Schema, found map[string]Type) Ref {
	out := Ref{How: r.ElementRelationship, Nullable: r.Nullable}
	if shape := shapeOf(r.Inlined, all, found); shape != (Shape{}) {
		out.Shape = &shape
	}
	if r.NamedType == nil {
		return out
	}
	out.Type = *r.NamedType
	if _, known := found[out.Type]; !known {
		found[out.Type] = Type{} // it may refer to itself
		named, _ := all.FindNamedType(out.Type)
		found[out.Type] = Type{Name: out.Type, Shape: shapeOf(named.Atom, all, found)}
	}
	return out
}
