// Package schematest goes through the fields of a schema one by one, so that a test over
// all of them also has those that are added later.
//
// It must never know what a field means.
package schematest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"portolan/shared/contract/schema"
)

// A Field is where a description says one thing. Its pointer is into the description, with
// 0 for an item of a list and NAME for a member whose name is free.
type Field struct {
	Pointer string

	// Values fit the schema, and are at least one.
	Values []any
}

// Fields are those of the schema of that name, in the order of their pointers.
func Fields(t testing.TB, name string) []Field {
	t.Helper()
	document := schema.Load()
	w := walk{TB: t, schemas: document.Schemas}
	if document.Schemas[name] == nil {
		t.Fatalf("there is no schema %s", name)
	}
	w.visit("", document.Schemas[name])
	return w.fields
}

type walk struct {
	testing.TB
	schemas map[string]*schema.Schema
	fields  []Field
}

func (w *walk) visit(pointer string, s *schema.Schema) {
	for s.Ref != "" {
		s = w.schemas[s.Ref]
	}
	switch s.Type {
	case "object":
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			w.visit(pointer+"/"+name, s.Properties[name])
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
			w.visit(pointer+"/NAME", s.AdditionalProperties.Schema)
		}
	case "array":
		w.visit(pointer+"/0", s.Items)
	default:
		w.fields = append(w.fields, Field{Pointer: pointer, Values: w.values(pointer, s)})
	}
}

// values are all of a choice, and some of what is counted or written.
func (w *walk) values(pointer string, s *schema.Schema) []any {
	switch {
	case len(s.Enum) > 0:
		return s.Enum
	case s.Type == "boolean":
		return []any{true, false}
	case s.Type == "integer" && s.Minimum != nil && s.Maximum != nil:
		return []any{*s.Minimum, *s.Minimum + 1, *s.Maximum}
	case s.Type == "string" && s.Example != nil:
		return []any{s.Example}
	case s.Type == "string" && s.Pattern == "":
		return []any{"something"}
	}
	w.Fatalf("%s has no example in openapi.yaml, or is of a kind that this test does not know", pointer)
	return nil
}

// With is a description that says another value in one field.
func With[T any](t testing.TB, description T, field Field, value any) T {
	t.Helper()
	text, err := json.Marshal(description)
	if err != nil {
		t.Fatal(err)
	}
	var members any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(set(members, strings.Split(field.Pointer, "/")[1:], value)); err != nil {
		t.Fatal(err)
	}
	var changed T
	if err := json.Unmarshal(text, &changed); err != nil {
		t.Fatalf("%s as %v: %v", field.Pointer, value, err)
	}
	return changed
}

// set is what is at a place, with another value further below.
func set(at any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if _, err := strconv.Atoi(path[0]); err == nil {
		items, _ := at.([]any)
		if len(items) == 0 {
			items = []any{nil}
		}
		items[0] = set(items[0], path[1:], value)
		return items
	}
	members, _ := at.(map[string]any)
	if members == nil {
		members = map[string]any{}
	}
	members[path[0]] = set(members[path[0]], path[1:], value)
	return members
}

// Decided fails the test for each field that decides nothing: refused says whether a
// description is refused, and effect is all that follows from one that is not. Fields of
// which something else is the proof are in elsewhere, with the proof.
func Decided[T any](t *testing.T, name string, base T, refused func(T) bool, effect func(T) string, elsewhere map[string]string) {
	t.Helper()
	if refused(base) {
		t.Fatal("the description that the fields are changed in is refused itself")
	}
	before, known := effect(base), maps.Clone(elsewhere)
	for _, field := range Fields(t, name) {
		_, proven := known[field.Pointer]
		delete(known, field.Pointer)
		decides := false
		for _, value := range field.Values {
			changed := With(t, base, field, value)
			decides = decides || refused(changed) || effect(changed) != before
		}
		if !decides && !proven {
			t.Errorf("%s is ignored in silence: use it, or refuse it with a reason", field.Pointer)
		}
		if decides && proven {
			t.Errorf("%s decides something here, and need not be an exception", field.Pointer)
		}
	}
	if len(known) > 0 {
		t.Error(fmt.Sprint("these exceptions are of no field: ", slices.Sorted(maps.Keys(known))))
	}
}
