package jsonpath

import (
	"fmt"

	"portolan/local/states/value"
)

// Set returns doc with v written at the path, which must be a reference path.
// Members that are missing on the way are made; what is on the way and can hold
// none is an error, and so is an index that the array does not have.
func (p *Path) Set(doc, v any) (any, error) { return set(doc, p.steps, v) }

func set(at any, steps []step, v any) (any, error) {
	if len(steps) == 0 {
		return v, nil
	}
	s := &steps[0]
	if s.kind == element {
		a, ok := at.([]any)
		if !ok || s.index < 0 || s.index >= len(a) {
			return nil, fmt.Errorf("the index %d does not exist", s.index)
		}
		below, err := set(a[s.index], steps[1:], v)
		if err != nil {
			return nil, err
		}
		changed := append([]any(nil), a...)
		changed[s.index] = below
		return changed, nil
	}
	o, ok := at.(*value.Object)
	if !ok {
		return nil, fmt.Errorf("there is no object to hold %q", s.name)
	}
	inner, ok := o.Get(s.name)
	if !ok {
		inner = value.NewObject(1)
	}
	below, err := set(inner, steps[1:], v)
	if err != nil {
		return nil, err
	}
	return o.With(s.name, below), nil
}
