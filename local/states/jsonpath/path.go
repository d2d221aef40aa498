package jsonpath

import (
	"fmt"
	"strconv"
	"strings"

	"portolan/local/states/value"
)

// A Root is what a path starts from.
type Root int

// Input paths begin with $, Context paths with $$, and Variable paths with $
// and a name.
const (
	Input Root = iota
	Context
	Variable
)

// A Path is a parsed expression. It is safe for concurrent use.
type Path struct {
	Root     Root
	Name     string // of the variable
	text     string
	steps    []step
	definite bool
	function string // the aggregate at its end, such as length
}

// String is the expression as it was written.
func (p *Path) String() string { return p.text }

// Definite says whether the path can match only one node.
func (p *Path) Definite() bool { return p.definite }

// Reference says whether the path is a reference path: made of member names and
// indexes alone, so that it also names a place to write to.
func (p *Path) Reference() bool {
	if p.function != "" {
		return false
	}
	for _, s := range p.steps {
		if s.kind != member && s.kind != element {
			return false
		}
	}
	return true
}

type kind int

const (
	member   kind = iota // .name
	members              // ['a','b']
	element              // [1]
	elements             // [0,2]
	slice                // [1:3]
	wildcard             // * or [*]
	descent              // ..
	filter               // [?(...)]
)

type step struct {
	kind     kind
	name     string
	names    []string
	index    int
	indexes  []int
	from, to *int
	test     condition
}

// fragment is the step as Jayway writes it in its messages.
func (s *step) fragment() string {
	switch s.kind {
	case member:
		return "['" + s.name + "']"
	case members:
		return "['" + strings.Join(s.names, "','") + "']"
	case element:
		return "[" + strconv.Itoa(s.index) + "]"
	case elements:
		texts := make([]string, len(s.indexes))
		for i, n := range s.indexes {
			texts[i] = strconv.Itoa(n)
		}
		return "[" + strings.Join(texts, ",") + "]"
	case slice:
		return "[" + bound(s.from) + ":" + bound(s.to) + "]"
	case wildcard:
		return "[*]"
	case descent:
		return ".."
	}
	return "[?]"
}

func bound(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// A NotFound says that a definite path has no node in the document. Its text is
// Jayway's.
type NotFound struct{ Reason string }

func (e *NotFound) Error() string { return e.Reason }

func missing(format string, args ...any) error {
	return &NotFound{fmt.Sprintf(format, args...)}
}

func (p *Path) fragments(steps []step) string {
	var b strings.Builder
	b.WriteByte('$')
	for i := range steps {
		b.WriteString(steps[i].fragment())
	}
	return b.String()
}

// Eval follows the path from doc. A definite path yields its node or a NotFound;
// any other yields a list, which is empty when nothing matches.
func (p *Path) Eval(doc any) (any, error) {
	found, err := p.find(doc)
	if err != nil || p.function == "" {
		return found, err
	}
	return aggregate(p.function, found)
}

func (p *Path) find(doc any) (any, error) {
	if p.definite {
		return p.single(doc)
	}
	list := []any{}
	collect(doc, doc, p.steps, func(v any) { list = append(list, v) })
	return list, nil
}

func (p *Path) single(doc any) (any, error) {
	at := doc
	for i := range p.steps {
		s := &p.steps[i]
		last := i == len(p.steps)-1
		switch s.kind {
		case member:
			o, ok := at.(*value.Object)
			if !ok {
				return nil, p.noObject(i, at)
			}
			if at, ok = o.Get(s.name); !ok {
				if last {
					return nil, missing("No results for path: %s", p.fragments(p.steps))
				}
				return nil, missing("Missing property in path %s", p.fragments(p.steps[:i+1]))
			}
		case members:
			o, ok := at.(*value.Object)
			if !ok {
				return nil, p.noObject(i, at)
			}
			at = pick(o, s.names)
		case element:
			a, ok := at.([]any)
			if !ok {
				return nil, p.noArray(i, at)
			}
			n := s.index
			if n < 0 {
				n += len(a)
			}
			if n < 0 || n >= len(a) {
				return nil, missing("No results for path: %s", p.fragments(p.steps))
			}
			at = a[n]
		}
	}
	return at, nil
}

func (p *Path) noObject(i int, at any) error {
	kind := "null"
	switch at.(type) {
	case string:
		kind = "java.lang.String"
	case bool:
		kind = "java.lang.Boolean"
	case value.Number:
		kind = "java.lang.Integer"
	case []any:
		kind = "java.util.ArrayList"
	}
	return missing("Expected to find an object with property %s in path %s but found '%s'. "+
		"This is not a json object according to the JsonProvider: "+
		"'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.",
		p.steps[i].fragment(), p.fragments(p.steps[:i]), kind)
}

func (p *Path) noArray(i int, at any) error {
	if at == nil {
		return missing("The path %s is null", p.fragments(p.steps[:i]))
	}
	return missing("Filter: %s can only be applied to arrays. Current context is: %s",
		p.steps[i].fragment(), value.Text(at))
}

func pick(o *value.Object, names []string) *value.Object {
	picked := value.NewObject(len(names))
	for _, name := range names {
		if v, ok := o.Get(name); ok {
			picked.Set(name, v)
		}
	}
	return picked
}

// collect yields every node that steps lead to from at, in document order.
func collect(root, at any, steps []step, yield func(any)) {
	if len(steps) == 0 {
		yield(at)
		return
	}
	s, rest := &steps[0], steps[1:]
	each := func(v any) { collect(root, v, rest, yield) }
	switch s.kind {
	case member:
		if o, ok := at.(*value.Object); ok {
			if v, ok := o.Get(s.name); ok {
				each(v)
			}
		}
	case members:
		if o, ok := at.(*value.Object); ok {
			s.pick(o, rest, each)
		}
	case element, elements, slice:
		if a, ok := at.([]any); ok {
			s.choose(a, each)
		}
	case wildcard:
		children(at, each)
	case descent:
		descend(at, func(v any) { collect(root, v, rest, yield) })
	case filter:
		s.filter(root, at, each)
	}
}

// pick follows several names: at the path's end they are one object, and before
// it each is followed by itself.
func (s *step) pick(o *value.Object, rest []step, each func(any)) {
	if len(rest) == 0 {
		each(pick(o, s.names))
		return
	}
	for _, name := range s.names {
		if v, ok := o.Get(name); ok {
			each(v)
		}
	}
}

func (s *step) choose(a []any, each func(any)) {
	at := func(n int) {
		if n < 0 {
			n += len(a)
		}
		if n >= 0 && n < len(a) {
			each(a[n])
		}
	}
	switch s.kind {
	case element:
		at(s.index)
	case elements:
		for _, n := range s.indexes {
			at(n)
		}
	case slice:
		from, to := s.bounds(len(a))
		for n := from; n < to; n++ {
			each(a[n])
		}
	}
}

func (s *step) bounds(length int) (from, to int) {
	to = length
	if s.from != nil {
		from = *s.from
	}
	if s.to != nil {
		to = *s.to
	}
	if from < 0 {
		from += length
	}
	if to < 0 {
		to += length
	}
	return max(0, from), min(length, to)
}

func (s *step) filter(root, at any, each func(any)) {
	test := func(v any) {
		if s.test.holds(root, v) {
			each(v)
		}
	}
	if a, ok := at.([]any); ok {
		for _, v := range a {
			test(v)
		}
	} else if _, ok := at.(*value.Object); ok {
		test(at)
	}
}

func children(at any, each func(any)) {
	switch at := at.(type) {
	case []any:
		for _, v := range at {
			each(v)
		}
	case *value.Object:
		for i := range at.Len() {
			_, v := at.At(i)
			each(v)
		}
	}
}

// descend yields at and everything below it, parents first.
func descend(at any, each func(any)) {
	each(at)
	children(at, func(v any) { descend(v, each) })
}
