package dynamodb

import (
	"cmp"
	"slices"
	"strings"
)

var (
	errInvalidPath = validation(
		"The document path provided in the update expression is invalid for update")
	errMissingAttribute = validation(
		"The provided expression refers to an attribute that does not exist in the item")
	errOperandType = validation(
		"An operand in the update expression has an incorrect data type")
)

// An edit is what an action comes to for one item: a new value at a path, or
// none where something is removed.
type edit struct {
	target path
	value  value
}

// apply carries out an update expression. Every right side sees the item as it
// was before.
func (e *bound) apply(old item) (item, *apiError) {
	edits := make([]edit, 0, len(e.actions))
	for _, a := range e.actions {
		v, skip, err := e.outcome(old, a)
		if err != nil {
			return nil, err
		}
		if !skip {
			edits = append(edits, edit{a.target, v})
		}
	}
	// Elements behind a list's end are appended in the order of their indexes, and
	// removed ones must not move those before them.
	slices.SortStableFunc(edits, compareEdits)
	changed := old
	for _, ed := range edits {
		next, err := e.edit(mapValue(changed), ed.target, ed.value)
		if err != nil {
			return nil, err
		}
		changed = next.more.fields
	}
	return changed, nil
}

// compareEdits puts new values first, by ascending index, and removals behind,
// by descending index.
func compareEdits(a, b edit) int {
	removesA, removesB := a.value.kind == kindNone, b.value.kind == kindNone
	if removesA != removesB {
		if removesB {
			return -1
		}
		return 1
	}
	for i := range min(len(a.target), len(b.target)) {
		if order := cmp.Compare(a.target[i].index, b.target[i].index); order != 0 {
			if removesA {
				return -order
			}
			return order
		}
	}
	return 0
}

// outcome is the value that an action leaves at its target. skip tells that it
// leaves everything as it is.
func (e *bound) outcome(old item, a action) (v value, skip bool, err *apiError) {
	switch a.verb {
	case "SET":
		v, err = e.compute(old, a.value)
		return v, false, err
	case "REMOVE":
		if _, err := e.container(old, a.target); err != nil {
			return v, false, err
		}
		return v, e.lookup(old, a.target).kind == kindNone, nil
	}
	if _, err := e.container(old, a.target); err != nil {
		return v, false, err
	}
	current, operand := e.lookup(old, a.target), owned(e.values[a.value.value])
	if a.verb == "ADD" {
		v, ok, problem := add(current, operand)
		if problem != "" {
			return v, false, validation(problem)
		}
		if !ok {
			return v, false, errOperandType
		}
		return v, false, nil
	}
	if current.kind == kindNone {
		return v, true, nil
	}
	if current.kind != operand.kind {
		return v, false, errOperandType
	}
	return subtractSet(current, operand), false, nil
}

// container checks that what a path's last step stands in exists.
func (e *bound) container(old item, target path) (value, *apiError) {
	if len(target) == 1 {
		return value{}, nil
	}
	parent := e.lookup(old, target[:len(target)-1])
	wanted := kindMap
	if target[len(target)-1].index >= 0 {
		wanted = kindList
	}
	if parent.kind != wanted {
		return value{}, errInvalidPath
	}
	return parent, nil
}

// add is a number or a set with more added to it.
func add(current, operand value) (sum value, ok bool, problem string) {
	switch {
	case current.kind == kindNone:
		return operand, true, ""
	case current.kind != operand.kind:
		return value{}, false, ""
	case current.kind == kindNumber:
		text, problem := addNumbers(current.text, operand.text, false)
		return numberValue(text), true, problem
	case current.kind == kindList:
		return listValue(slices.Concat(current.more.list, operand.more.list)), true, ""
	case !current.isSet():
		return value{}, false, ""
	}
	set := slices.Clone(current.more.set)
	for _, member := range operand.more.set {
		if !slices.Contains(set, member) {
			set = append(set, member)
		}
	}
	return setValue(current.kind, set), true, ""
}

// subtractSet is a set without some members; an empty one is no value.
func subtractSet(current, operand value) value {
	var set []string
	for _, member := range current.more.set {
		if !slices.Contains(operand.more.set, member) {
			set = append(set, member)
		}
	}
	if set == nil {
		return value{}
	}
	return setValue(current.kind, set)
}

// compute is the right side of SET.
func (e *bound) compute(old item, n *node) (value, *apiError) {
	switch n.op {
	case opPath:
		v := e.lookup(old, n.path)
		if v.kind == kindNone {
			return v, errMissingAttribute
		}
		return v, nil
	case opValue:
		return owned(e.values[n.value]), nil
	case "if_not_exists":
		if v := e.lookup(old, n.args[0].path); v.kind != kindNone {
			return v, nil
		}
		return e.compute(old, n.args[1])
	}
	left, err := e.compute(old, n.args[0])
	if err != nil {
		return value{}, err
	}
	right, err := e.compute(old, n.args[1])
	if err != nil {
		return value{}, err
	}
	if n.op == "list_append" {
		if left.kind != kindList || right.kind != kindList {
			return value{}, errOperandType
		}
		return listValue(slices.Concat(left.more.list, right.more.list)), nil
	}
	if left.kind != kindNumber || right.kind != kindNumber {
		return value{}, errOperandType
	}
	text, problem := addNumbers(left.text, right.text, n.op == "-")
	if problem != "" {
		return value{}, validation(problem)
	}
	return numberValue(text), nil
}

// owned is a copy of a value of a request, so that an item that is updated over
// and over keeps no request's body alive.
func owned(v value) value {
	v.text = strings.Clone(v.text)
	if v.more == nil {
		return v
	}
	more := &nested{}
	for _, member := range v.more.set {
		more.set = append(more.set, strings.Clone(member))
	}
	for _, element := range v.more.list {
		more.list = append(more.list, owned(element))
	}
	for _, a := range v.more.fields {
		more.fields = append(more.fields, attribute{strings.Clone(a.name), owned(a.value)})
	}
	v.more = more
	return v
}

// edit returns a copy of a container with a new value at the end of the path,
// or without it when the value is none.
func (e *bound) edit(in value, target path, v value) (value, *apiError) {
	s := target[0]
	if s.index >= 0 {
		return e.editList(in, target, v)
	}
	if in.kind != kindMap {
		return value{}, errInvalidPath
	}
	name := s.resolve(e.names)
	if len(target) > 1 {
		inner := in.more.fields.get(name)
		if inner.kind == kindNone {
			return value{}, errInvalidPath
		}
		var err *apiError
		if v, err = e.edit(inner, target[1:], v); err != nil {
			return value{}, err
		}
	}
	if v.kind == kindNone {
		return mapValue(in.more.fields.without(name)), nil
	}
	return mapValue(in.more.fields.with(strings.Clone(name), v)), nil
}

func (e *bound) editList(in value, target path, v value) (value, *apiError) {
	if in.kind != kindList {
		return value{}, errInvalidPath
	}
	elements, at := in.more.list, target[0].index
	if len(target) > 1 {
		if at >= len(elements) {
			return value{}, errInvalidPath
		}
		var err *apiError
		if v, err = e.edit(elements[at], target[1:], v); err != nil {
			return value{}, err
		}
	}
	switch {
	case v.kind == kindNone && at >= len(elements):
		return in, nil
	case v.kind == kindNone:
		return listValue(slices.Delete(slices.Clone(elements), at, at+1)), nil
	case at >= len(elements):
		return listValue(append(slices.Clone(elements), v)), nil
	}
	changed := slices.Clone(elements)
	changed[at] = v
	return listValue(changed), nil
}
