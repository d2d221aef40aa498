package dynamodb

import (
	"strings"
	"unicode/utf8"
)

// lookup follows a path into an item, to a value of kindNone where it leads
// nowhere.
func (e *bound) lookup(it item, p path) value {
	v := it.get(p[0].resolve(e.names))
	for _, s := range p[1:] {
		switch {
		case s.index >= 0 && v.kind == kindList:
			if s.index >= len(v.more.list) {
				return value{}
			}
			v = v.more.list[s.index]
		case s.index < 0 && v.kind == kindMap:
			v = v.more.fields.get(s.resolve(e.names))
		default:
			return value{}
		}
	}
	return v
}

// matches tells whether the item meets the condition; an absent item has no
// attributes.
func (e *bound) matches(it item) bool {
	return e == nil || e.test(it, e.root)
}

func (e *bound) test(it item, n *node) bool {
	switch n.op {
	case "AND":
		return e.test(it, n.args[0]) && e.test(it, n.args[1])
	case "OR":
		return e.test(it, n.args[0]) || e.test(it, n.args[1])
	case "NOT":
		return !e.test(it, n.args[0])
	case "attribute_exists":
		return e.lookup(it, n.args[0].path).kind != kindNone
	case "attribute_not_exists":
		return e.lookup(it, n.args[0].path).kind == kindNone
	case "IN":
		left := e.operand(it, n.args[0])
		for _, arg := range n.args[1:] {
			if right := e.operand(it, arg); left.kind != kindNone && equal(left, right) {
				return true
			}
		}
		return false
	case "BETWEEN":
		v := e.operand(it, n.args[0])
		return inOrder(e.operand(it, n.args[1]), v) && inOrder(v, e.operand(it, n.args[2]))
	}
	return testPair(n.op, e.operand(it, n.args[0]), e.operand(it, n.args[1]))
}

// testPair applies a comparison or a function to two values.
func testPair(op string, a, b value) bool {
	switch op {
	case "=":
		return a.kind != kindNone && equal(a, b)
	case "<>":
		return !equal(a, b)
	case "begins_with":
		return a.kind == b.kind && (a.kind == kindString || a.kind == kindBinary) &&
			strings.HasPrefix(a.text, b.text)
	case "contains":
		return contains(a, b)
	case "attribute_type":
		return a.kind != kindNone && a.kind.String() == b.text
	}
	order, ok := compare(a, b)
	if !ok {
		return false
	}
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func inOrder(a, b value) bool {
	order, ok := compare(a, b)
	return ok && order <= 0
}

// contains looks for a part of a text, a member of a set or an element.
func contains(a, b value) bool {
	switch {
	case a.kind == kindString || a.kind == kindBinary:
		return a.kind == b.kind && strings.Contains(a.text, b.text)
	case a.isSet():
		if b.kind != a.kind.element() {
			return false
		}
		for _, member := range a.more.set {
			if member == b.text {
				return true
			}
		}
	case a.kind == kindList:
		for _, element := range a.more.list {
			if equal(element, b) {
				return true
			}
		}
	}
	return false
}

// operand is the value of an operand for an item.
func (e *bound) operand(it item, n *node) value {
	switch n.op {
	case opPath:
		return e.lookup(it, n.path)
	case opValue:
		return e.values[n.value]
	case "size":
		return sizeOf(e.operand(it, n.args[0]))
	}
	// A condition inside a comparison is refused before anything is evaluated.
	return value{}
}

// sizeOf is what the function size returns: nothing for scalars without one.
func sizeOf(v value) value {
	switch v.kind {
	case kindString:
		return numberValue(itoa(utf16Length(v.text)))
	case kindBinary:
		return numberValue(itoa(len(v.text)))
	case kindList:
		return numberValue(itoa(len(v.more.list)))
	case kindMap:
		return numberValue(itoa(len(v.more.fields)))
	case kindStringSet, kindNumberSet, kindBinarySet:
		return numberValue(itoa(len(v.more.set)))
	}
	return value{}
}

// utf16Length counts characters as AWS does, those outside the basic plane as
// two.
func utf16Length(text string) int {
	length := 0
	for _, r := range text {
		length++
		if r > 0xffff && r != utf8.RuneError {
			length++
		}
	}
	return length
}

// project returns the parts of an item that paths lead to. List elements move
// together, in their order.
func (e *bound) project(it item, paths []path) item {
	tree := &projection{}
	for _, p := range paths {
		tree.add(e, p)
	}
	return tree.fields(it)
}

// A projection is a tree of the steps that several paths have in common. One
// without branches takes all that is there.
type projection struct {
	names   map[string]*projection
	indexes map[int]*projection
}

func (t *projection) add(e *bound, p path) {
	for _, s := range p {
		var next *projection
		if s.index >= 0 {
			if next = t.indexes[s.index]; next == nil {
				next = &projection{}
				if t.indexes == nil {
					t.indexes = make(map[int]*projection)
				}
				t.indexes[s.index] = next
			}
		} else {
			name := s.resolve(e.names)
			if next = t.names[name]; next == nil {
				next = &projection{}
				if t.names == nil {
					t.names = make(map[string]*projection)
				}
				t.names[name] = next
			}
		}
		t = next
	}
}

func (t *projection) fields(it item) item {
	kept := make(item, 0, len(t.names))
	for i := range it {
		next, wanted := t.names[it[i].name]
		if !wanted {
			continue
		}
		if v := next.take(it[i].value); v.kind != kindNone {
			kept = append(kept, attribute{it[i].name, v})
		}
	}
	return kept
}

// take cuts a value down to what the tree asks of it.
func (t *projection) take(v value) value {
	switch {
	case t.names == nil && t.indexes == nil:
		return v
	case t.names != nil && v.kind == kindMap:
		if fields := t.fields(v.more.fields); len(fields) > 0 {
			return mapValue(fields)
		}
	case t.indexes != nil && v.kind == kindList:
		var kept []value
		for i, element := range v.more.list {
			if next, wanted := t.indexes[i]; wanted {
				if part := next.take(element); part.kind != kindNone {
					kept = append(kept, part)
				}
			}
		}
		if kept != nil {
			return listValue(kept)
		}
	}
	return value{}
}

// named returns the attributes of an item that have one of the names.
func named(it item, names []string) item {
	kept := make(item, 0, len(names))
	for i := range it {
		for _, name := range names {
			if it[i].name == name {
				kept = append(kept, it[i])
				break
			}
		}
	}
	return kept
}
