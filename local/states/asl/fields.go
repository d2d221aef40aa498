package asl

import (
	"slices"
	"strings"

	"portolan/local/states/jsonpath"
	"portolan/local/states/value"
)

// fields reads one object of a definition, and remembers which of its members
// were asked for: the others are not supported.
type fields struct {
	d        *decoder
	doc      *value.Object
	location string
	used     map[string]bool
}

func (d *decoder) fields(doc *value.Object, location string) *fields {
	return &fields{d, doc, location, map[string]bool{}}
}

func (f *fields) at(name string) string { return f.location + "/" + name }

func (f *fields) has(name string) bool {
	_, ok := f.doc.Get(name)
	return ok
}

func (f *fields) get(name string) (any, bool) {
	f.used[name] = true
	return f.doc.Get(name)
}

// require reports those of the names that are missing.
func (f *fields) require(names ...string) {
	missing := slices.DeleteFunc(names, f.has)
	if len(missing) > 0 {
		f.d.schema(f.root(), "These fields are required: [%s]", strings.Join(missing, ", "))
	}
}

func (f *fields) root() string {
	if f.location == "" {
		return "/"
	}
	return f.location
}

// exactlyOne reports when not one, or more than one, of the names is there.
func (f *fields) exactlyOne(names ...string) {
	count := 0
	for _, name := range names {
		if f.has(name) {
			count++
		}
	}
	if count != 1 {
		f.d.schema(f.location, "Exactly one of these fields is required: [%s]", strings.Join(names, ", "))
	}
}

// exclusive reports when both fields are there.
func (f *fields) exclusive(a, b string) {
	if f.has(a) && f.has(b) {
		f.d.schema(f.location, "There should only be one of the following fields: [%s, %s]", a, b)
	}
}

// jsonata are the fields of the other query language.
var jsonata = []string{"Arguments", "Output", "Items", "Condition"}

func (f *fields) unknown() {
	for i := range f.doc.Len() {
		name, _ := f.doc.At(i)
		switch {
		case f.used[name]:
		case slices.Contains(jsonata, name):
			f.d.schema(f.root(), "The QueryLanguage is set to 'JSONPath', but field '%s' "+
				"is only supported for the 'JSONata' QueryLanguage", name)
		default:
			f.d.schema(f.root(), "Field '%s' is not supported", name)
		}
	}
}

func (f *fields) text(name string) (string, bool) {
	v, ok := f.get(name)
	s, isText := v.(string)
	if ok && !isText {
		f.d.schema(f.at(name), "Expected value of type String")
	}
	return s, ok && isText
}

func (f *fields) boolean(name string) (bool, bool) {
	v, ok := f.get(name)
	b, isBool := v.(bool)
	if ok && !isBool {
		f.d.schema(f.at(name), "Expected value of type Boolean")
	}
	return b, ok && isBool
}

// whole reads an integer of at least the given size.
func (f *fields) whole(name string, least int64) (int64, bool) {
	v, ok := f.get(name)
	if !ok {
		return 0, false
	}
	n, _ := v.(value.Number)
	i, isWhole := n.Int()
	if !isWhole {
		f.d.schema(f.at(name), "Expected value of type Integer")
		return 0, false
	}
	if i < least {
		f.d.schema(f.at(name), "Minimum value is %d", least)
		return 0, false
	}
	if i > MaxSeconds {
		f.d.schema(f.at(name), "Maximum value is %d", MaxSeconds)
		return 0, false
	}
	return i, true
}

// MaxSeconds is the longest that anything can wait.
const MaxSeconds = 99_999_999

func (f *fields) number(name string, least float64) (float64, bool) {
	v, ok := f.get(name)
	if !ok {
		return 0, false
	}
	n, isNumber := v.(value.Number)
	if !isNumber {
		f.d.schema(f.at(name), "Expected value of type Number")
		return 0, false
	}
	if n.Float() < least {
		f.d.schema(f.at(name), "Minimum value is %.1f", least)
		return 0, false
	}
	return n.Float(), true
}

func (f *fields) object(name string) (*fields, bool) {
	v, ok := f.get(name)
	o, isObject := v.(*value.Object)
	if ok && !isObject {
		f.d.schema(f.at(name), "Expected value of type Object")
	}
	if !ok || !isObject {
		return nil, false
	}
	return f.d.fields(o, f.at(name)), true
}

func (f *fields) list(name string) ([]any, bool) {
	v, ok := f.get(name)
	a, isList := v.([]any)
	if ok && !isList {
		f.d.schema(f.at(name), "Expected value of type Array")
	}
	return a, ok && isList
}

func (f *fields) names(name string) []string {
	list, _ := f.list(name)
	var names []string
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			f.d.schema(f.at(name), "Expected value of type String")
		}
		names = append(names, s)
	}
	return names
}

// path reads a field that is a JSONPath and no function.
func (f *fields) path(name string) (*jsonpath.Path, bool) {
	text, ok := f.text(name)
	if !ok {
		return nil, false
	}
	p, err := jsonpath.Parse(text)
	if err != nil {
		f.d.schema(f.at(name), "Value is not a valid JSONPath: %v", err)
		return nil, false
	}
	return p, true
}

func (f *fields) selection(name string) Select {
	if v, ok := f.get(name); ok && v == nil {
		return Select{Null: true}
	}
	p, _ := f.path(name)
	return Select{Path: p}
}

func (f *fields) place(name string) Place {
	if v, ok := f.get(name); ok && v == nil {
		return Place{Null: true}
	}
	p, ok := f.path(name)
	if ok && (!p.Reference() || p.Root != jsonpath.Input) {
		f.d.schema(f.at(name), "Value is not a Reference Path")
		return Place{}
	}
	if ok && p.String() == "$" {
		return Place{}
	}
	return Place{Path: p}
}

// expr reads a field that may be a path or a function.
func (f *fields) expr(name string) *Expr {
	text, ok := f.text(name)
	if !ok {
		return nil
	}
	e, err := ParseExpr(text)
	if err != nil {
		f.malformed(f.at(name), name)
		return nil
	}
	return e
}

// count reads a field that names a place with a number in it: a reference path,
// and not into the context object.
func (f *fields) count(name string) *Expr {
	e := f.expr(name)
	if e != nil && (e.Path == nil || !e.Path.Reference() || e.Path.Root == jsonpath.Context) {
		f.d.schema(f.at(name), "Value is not a Reference Path")
		return nil
	}
	return e
}

func (f *fields) malformed(location, name string) {
	f.d.schema(location,
		"The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", name)
}

func (f *fields) template(name string) *Template {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	return template(v, func(field, _ string) { f.malformed(f.at(name), field) })
}

// assign reads a template of variables.
func (f *fields) assign(name string) *Template {
	variables, ok := f.object(name)
	if !ok {
		return nil
	}
	for i := range variables.doc.Len() {
		variable, _ := variables.doc.At(i)
		if !isVariable(strings.TrimSuffix(variable, ".$")) {
			f.d.schema(f.at(name), "The name '%s' is not a valid variable name", variable)
		}
	}
	return f.template(name)
}

// maxVariable is the longest name of a variable.
const maxVariable = 80

func isVariable(name string) bool {
	if name == "" || len(name) > maxVariable || name == "states" || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r < 0x80 && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}
