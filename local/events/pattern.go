package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A Pattern selects events. The zero Pattern selects none.
type Pattern struct{ root *object }

// object is an AND of fields, and of one OR of objects where $or is given.
type object struct {
	names  []string // sorted, so that a refusal is always the same one
	fields map[string]field
	or     []*object
}

// A field is either the conditions on a leaf or the pattern of an object below.
type field struct {
	conditions []condition
	below      *object
}

const maxPatternDepth = 32

// ParsePattern reads an event pattern. Its error says what of it EventBridge
// would refuse.
func ParsePattern(raw string) (Pattern, error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(raw)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return Pattern{}, fmt.Errorf("Event pattern is not valid. Reason: %w", err)
	}
	if decoder.More() {
		return Pattern{}, errors.New("Event pattern is not valid. Reason: more than one value")
	}
	members, ok := value.(map[string]any)
	if !ok {
		return Pattern{}, errors.New("Event pattern is not valid. Reason: Filter is not an object")
	}
	root, err := parseObject(members, 0)
	if err != nil {
		return Pattern{}, fmt.Errorf("Event pattern is not valid. Reason: %w", err)
	}
	return Pattern{root}, nil
}

func parseObject(members map[string]any, depth int) (*object, error) {
	if len(members) == 0 {
		return nil, errors.New("Empty objects are not allowed")
	}
	if depth > maxPatternDepth {
		return nil, errors.New("nested too deep")
	}
	o := &object{fields: map[string]field{}}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if alternatives, ok := orOf(name, members[name]); ok {
			for _, alternative := range alternatives {
				below, err := parseObject(alternative, depth+1)
				if err != nil {
					return nil, err
				}
				o.or = append(o.or, below)
			}
			continue
		}
		f, err := parseField(name, members[name], depth)
		if err != nil {
			return nil, err
		}
		o.names = append(o.names, name)
		o.fields[name] = f
	}
	return o, nil
}

// orOf recognises $or with at least two objects; anything else of that name is
// an ordinary field.
func orOf(name string, value any) ([]map[string]any, bool) {
	list, ok := value.([]any)
	if name != "$or" || !ok || len(list) < 2 {
		return nil, false
	}
	alternatives := make([]map[string]any, len(list))
	for i, item := range list {
		if alternatives[i], ok = item.(map[string]any); !ok {
			return nil, false
		}
	}
	return alternatives, true
}

func parseField(name string, value any, depth int) (field, error) {
	switch v := value.(type) {
	case map[string]any:
		below, err := parseObject(v, depth+1)
		return field{below: below}, err
	case []any:
		if len(v) == 0 {
			return field{}, errors.New("Empty arrays are not allowed")
		}
		conditions := make([]condition, len(v))
		for i, item := range v {
			c, err := parseCondition(item)
			if err != nil {
				return field{}, err
			}
			conditions[i] = c
		}
		return field{conditions: conditions}, nil
	}
	return field{}, fmt.Errorf("%q must be an object or an array", name)
}

// Matches tells whether the pattern selects the event, a JSON object.
func (p Pattern) Matches(event []byte) bool { return AnyMatches([]Pattern{p}, event) }

// AnyMatches tells whether one of the patterns selects the event, a JSON object.
func AnyMatches(patterns []Pattern, event []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(event))
	decoder.UseNumber()
	var value map[string]any
	if decoder.Decode(&value) != nil {
		return false
	}
	return slices.ContainsFunc(patterns, func(p Pattern) bool { return p.matches(value) })
}

// Unknown stands for a member of an event that nobody has decoded yet.
type Unknown struct{}

// MayMatch tells whether the pattern selects the event, or might if what is Unknown of
// it were known.
func (p Pattern) MayMatch(event map[string]any) bool { return p.matches(event) }

func (p Pattern) matches(event map[string]any) bool {
	return p.root != nil && event != nil && p.root.matches(event)
}

func (o *object) matches(members map[string]any) bool {
	for _, name := range o.names {
		value, present := members[name]
		if !o.fields[name].matches(value, present) {
			return false
		}
	}
	if len(o.or) == 0 {
		return true
	}
	return slices.ContainsFunc(o.or, func(alternative *object) bool { return alternative.matches(members) })
}

func (f field) matches(value any, present bool) bool {
	if _, ok := value.(Unknown); ok {
		return true
	}
	if f.below != nil {
		return f.matchesBelow(value)
	}
	return slices.ContainsFunc(f.conditions, func(c condition) bool { return matchesAny(c, value, present) })
}

// matchesBelow looks into each object where the event has an array of them. An
// absent object is an empty one: {"exists": false} below it holds.
func (f field) matchesBelow(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return f.below.matches(v)
	case []any:
		return slices.ContainsFunc(v, f.matchesBelow)
	}
	return f.below.matches(map[string]any{})
}

// matchesAny holds where the condition holds for the value, or for one item of
// an array. Objects are never leaves.
func matchesAny(c condition, value any, present bool) bool {
	switch v := value.(type) {
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return matchesAny(c, item, true) }) ||
			len(v) == 0 && c.holds(nil, false)
	case map[string]any:
		return c.holds(nil, false)
	}
	return c.holds(value, present)
}
