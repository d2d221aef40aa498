package asl

import (
	"errors"
	"strings"
	"time"

	"portolan/local/states/jsonpath"
	"portolan/local/states/value"
)

// A Rule is one of a Choice's: a test, and where to go when it holds.
type Rule struct {
	Next   string
	Assign *Template
	test   test
}

// Holds evaluates the rule. Its error is a *Failure.
func (r *Rule) Holds(s *Scope) (bool, error) { return r.test.holds(s) }

type test interface{ holds(*Scope) (bool, error) }

type (
	allOf      []test
	anyOf      []test
	noneOf     struct{ inner test }
	comparison struct {
		variable *Expr
		compare  func(v, operand any) bool
		operand  any
		path     *Expr // in place of operand
		presence bool  // IsPresent: a missing variable is an answer
	}
)

func (t allOf) holds(s *Scope) (bool, error) {
	for _, inner := range t {
		if ok, err := inner.holds(s); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (t anyOf) holds(s *Scope) (bool, error) {
	for _, inner := range t {
		if ok, err := inner.holds(s); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

func (t noneOf) holds(s *Scope) (bool, error) {
	ok, err := t.inner.holds(s)
	return !ok && err == nil, err
}

func (c *comparison) holds(s *Scope) (bool, error) {
	v, err := c.follow(s, c.variable)
	if c.presence {
		if f, ok := errors.AsType[*Failure](err); ok && f.Name != ErrRuntime {
			return false, err
		}
		present := err == nil
		if list, ok := v.([]any); ok && c.variable.Path != nil && !c.variable.Path.Definite() {
			present = len(list) > 0
		}
		return present == c.operand, nil
	}
	if err != nil {
		return false, err
	}
	operand := c.operand
	if c.path != nil {
		if operand, err = c.follow(s, c.path); err != nil {
			return false, err
		}
	}
	return c.compare(v, operand), nil
}

func (c *comparison) follow(s *Scope, e *Expr) (any, error) {
	if e.Call != nil {
		return s.call(e.Call)
	}
	v, err := s.follow(e.Path)
	if _, ok := errors.AsType[*jsonpath.NotFound](err); ok {
		return nil, runtimeFailure(
			"Invalid path '%s': The choice state's condition path references an invalid value.", e.Path)
	}
	return v, err
}

// operator returns the comparison of that name, and whether its operand is a
// path to the value to compare with.
func operator(name string) (compare func(v, operand any) bool, kind string, isPath, ok bool) {
	if compare, ok := typeTests[name]; ok {
		return compare, "Is", false, true
	}
	if name == "StringMatches" {
		return stringMatches, "String", false, true
	}
	name, isPath = strings.CutSuffix(name, "Path")
	for _, kind := range []string{"String", "Numeric", "Boolean", "Timestamp"} {
		relation, found := strings.CutPrefix(name, kind)
		if !found {
			continue
		}
		holds, found := relations[relation]
		if !found || kind == "Boolean" && relation != "Equals" {
			return nil, "", false, false
		}
		order := orders[kind]
		return func(v, operand any) bool {
			n, comparable := order(v, operand)
			return comparable && holds(n)
		}, kind, isPath, true
	}
	return nil, "", false, false
}

var relations = map[string]func(int) bool{
	"Equals":            func(n int) bool { return n == 0 },
	"LessThan":          func(n int) bool { return n < 0 },
	"LessThanEquals":    func(n int) bool { return n <= 0 },
	"GreaterThan":       func(n int) bool { return n > 0 },
	"GreaterThanEquals": func(n int) bool { return n >= 0 },
}

// orders compare two documents of the kind; those of another kind cannot be
// compared, and no relation holds between them.
var orders = map[string]func(v, operand any) (int, bool){
	"String": func(v, operand any) (int, bool) {
		a, aok := v.(string)
		b, bok := operand.(string)
		return strings.Compare(a, b), aok && bok
	},
	"Numeric": func(v, operand any) (int, bool) {
		a, aok := v.(value.Number)
		b, bok := operand.(value.Number)
		if !aok || !bok {
			return 0, false
		}
		return value.Compare(a, b), true
	},
	"Boolean": func(v, operand any) (int, bool) {
		a, aok := v.(bool)
		b, bok := operand.(bool)
		if a == b {
			return 0, aok && bok
		}
		return 1, aok && bok
	},
	"Timestamp": func(v, operand any) (int, bool) {
		a, aok := timestamp(v)
		b, bok := timestamp(operand)
		return a.Compare(b), aok && bok
	},
}

var typeTests = map[string]func(v, operand any) bool{
	"IsNull":      is(func(v any) bool { return v == nil }),
	"IsPresent":   is(func(any) bool { return true }),
	"IsNumeric":   is(func(v any) bool { _, ok := v.(value.Number); return ok }),
	"IsString":    is(func(v any) bool { _, ok := v.(string); return ok }),
	"IsBoolean":   is(func(v any) bool { _, ok := v.(bool); return ok }),
	"IsTimestamp": is(func(v any) bool { _, ok := timestamp(v); return ok }),
}

func is(test func(v any) bool) func(v, operand any) bool {
	return func(v, operand any) bool { return test(v) == operand }
}

func timestamp(v any) (time.Time, bool) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, false
	}
	t, err := ParseTimestamp(s)
	return t, err == nil
}

// ParseTimestamp reads what AWS calls an ISO-8601 extended offset date-time:
// the offset must be there, and seconds may be left out.
func ParseTimestamp(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Parse("2006-01-02T15:04Z07:00", s)
	}
	return t, nil
}

// stringMatches compares with a pattern in which * stands for any text, and a
// backslash takes a star or itself as it is.
func stringMatches(v, operand any) bool {
	s, ok := v.(string)
	pattern, isText := operand.(string)
	if !ok || !isText {
		return false
	}
	pieces := starPieces(pattern)
	if len(pieces) == 1 {
		return s == pieces[0]
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	if !strings.HasPrefix(s, first) || len(s) < len(first)+len(last) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, piece := range pieces[1 : len(pieces)-1] {
		i := strings.Index(s, piece)
		if i < 0 {
			return false
		}
		s = s[i+len(piece):]
	}
	return true
}

// starPieces is the text between the stars.
func starPieces(pattern string) []string {
	var pieces []string
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern) && (pattern[i+1] == '*' || pattern[i+1] == '\\'):
			i++
			b.WriteByte(pattern[i])
		case c == '*':
			pieces = append(pieces, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(pieces, b.String())
}
