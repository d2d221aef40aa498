package jsonpath

import (
	"regexp"
	"slices"
	"strings"

	"portolan/local/states/value"
)

// A condition is the inside of a filter.
type condition interface{ holds(root, at any) bool }

type (
	both    struct{ left, right condition }
	either  struct{ left, right condition }
	not     struct{ inner condition }
	present struct{ path *Path }
	compare struct {
		op          string
		left, right operand
	}
)

// An operand is a literal, or a path from the root or from the node at hand.
type operand struct {
	literal any
	pattern *regexp.Regexp
	path    *Path
	local   bool
}

// undefined is the value of a path that leads nowhere. It equals nothing.
type undefined struct{}

func (o operand) value(root, at any) any {
	if o.path == nil {
		return o.literal
	}
	from := root
	if o.local {
		from = at
	}
	v, err := o.path.Eval(from)
	if err != nil {
		return undefined{}
	}
	return v
}

func (c both) holds(root, at any) bool   { return c.left.holds(root, at) && c.right.holds(root, at) }
func (c either) holds(root, at any) bool { return c.left.holds(root, at) || c.right.holds(root, at) }
func (c not) holds(root, at any) bool    { return !c.inner.holds(root, at) }

// holds asks whether the path leads somewhere. A path that can match many leads
// somewhere when it matches one at least.
func (c present) holds(_, at any) bool {
	v, err := c.path.Eval(at)
	if err != nil {
		return false
	}
	if list, ok := v.([]any); ok && !c.path.definite {
		return len(list) > 0
	}
	return true
}

func (c compare) holds(root, at any) bool {
	left, right := c.left.value(root, at), c.right.value(root, at)
	switch c.op {
	case "==":
		return equal(left, right)
	case "!=":
		return !equal(left, right)
	case "=~":
		return matches(left, right, c)
	case "<", "<=", ">", ">=":
		return ordered(c.op, left, right)
	case "in":
		return within(left, right)
	case "nin":
		return !within(left, right)
	case "contains":
		return contains(left, right)
	case "size":
		return sized(left, right)
	case "empty":
		return emptiness(left, right)
	}
	return sets(c.op, left, right)
}

func equal(a, b any) bool {
	if a == (undefined{}) || b == (undefined{}) {
		return false
	}
	return value.Equal(a, b)
}

func matches(left, right any, c compare) bool {
	pattern, subject := c.right.pattern, left
	if pattern == nil {
		pattern, subject = c.left.pattern, right
	}
	s, ok := subject.(string)
	return ok && pattern != nil && pattern.MatchString(s)
}

func ordered(op string, a, b any) bool {
	order := 0
	switch a := a.(type) {
	case value.Number:
		b, ok := b.(value.Number)
		if !ok {
			return false
		}
		order = value.Compare(a, b)
	case string:
		b, ok := b.(string)
		if !ok {
			return false
		}
		order = strings.Compare(a, b)
	default:
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

func within(v, list any) bool {
	items, ok := list.([]any)
	return ok && slices.ContainsFunc(items, func(item any) bool { return equal(item, v) })
}

func contains(whole, part any) bool {
	if s, ok := whole.(string); ok {
		sub, ok := part.(string)
		return ok && strings.Contains(s, sub)
	}
	return within(part, whole)
}

func length(v any) (int, bool) {
	switch v := v.(type) {
	case string:
		return len([]rune(v)), true
	case []any:
		return len(v), true
	case *value.Object:
		return v.Len(), true
	}
	return 0, false
}

func sized(v, size any) bool {
	n, ok := length(v)
	want, isNumber := size.(value.Number)
	return ok && isNumber && value.Compare(value.Whole(int64(n)), want) == 0
}

func emptiness(v, want any) bool {
	n, ok := length(v)
	return ok && (n == 0) == (want == true)
}

func sets(op string, left, right any) bool {
	a, ok := left.([]any)
	if !ok {
		return false
	}
	common := 0
	for _, v := range a {
		if within(v, right) {
			common++
		}
	}
	switch op {
	case "subsetof":
		return common == len(a)
	case "anyof":
		return common > 0
	}
	return common == 0 // noneof
}
