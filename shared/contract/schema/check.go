package schema

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"portolan/shared/fault"
)

// maxFields bounds how many fields an answer blames.
const maxFields = 20

// Check returns what is wrong with a value, field by field in the order of the
// value: at most 20 of them, and none when it is as the schema says.
func (d *Document) Check(s *Schema, v *Value) []fault.Field {
	c := checker{document: d}
	c.value("", s, v)
	return c.fields[:min(len(c.fields), maxFields)]
}

// CheckParameter returns what is wrong with a parameter's text, or nothing.
func (d *Document) CheckParameter(p *Parameter, text string) []fault.Field {
	v := Value{Kind: String, Text: text}
	if d.resolve(&p.Schema).Type == "integer" && isInteger(text) {
		v.Kind = Number
	}
	c := checker{document: d}
	c.value(p.Name, &p.Schema, &v)
	return c.fields
}

type checker struct {
	document *Document
	fields   []fault.Field
}

func (c *checker) blame(pointer, format string, args ...any) {
	c.fields = append(c.fields, fault.Field{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// kinds are the types of JSON Schema as kinds of values.
var kinds = map[string]Kind{
	"boolean": Boolean, "integer": Number, "string": String, "array": Array, "object": Object,
}

func (c *checker) value(pointer string, s *Schema, v *Value) {
	if len(c.fields) >= maxFields {
		return
	}
	s = c.document.resolve(s)
	if want := kinds[s.Type]; want != v.Kind {
		if s.Type == "integer" {
			want = "a whole number"
		}
		c.blame(pointer, "must be %s, not %s", want, v.Kind)
		return
	}
	if len(s.Enum) > 0 && !c.among(pointer, s, v) {
		return
	}
	switch v.Kind {
	case Number:
		c.number(pointer, s, v.Text)
	case String:
		c.text(pointer, s, v.Text)
	case Array:
		c.array(pointer, s, v)
	case Object:
		c.object(pointer, s, v)
	}
}

func (c *checker) among(pointer string, s *Schema, v *Value) bool {
	known := make([]string, len(s.Enum))
	for i, each := range s.Enum {
		known[i] = fmt.Sprint(each)
		if known[i] == v.Text {
			return true
		}
	}
	c.blame(pointer, "%s is not one of: %s", quoted(v), strings.Join(known, ", "))
	return false
}

// isInteger tells a whole number as encoding/json reads it into an integer:
// without fraction and exponent, even where those would leave it whole.
func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

func (c *checker) number(pointer string, s *Schema, text string) {
	if !isInteger(text) {
		c.blame(pointer, "must be a whole number without fraction or exponent, not %s", shortened(text))
		return
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case s.Minimum != nil && (n < *s.Minimum):
		c.blame(pointer, "must be at least %d, not %s", *s.Minimum, shortened(text))
	case s.Maximum != nil && (n > *s.Maximum):
		c.blame(pointer, "must be at most %d, not %s", *s.Maximum, shortened(text))
	case err != nil:
		c.blame(pointer, "must fit into 64 bits, which %s does not", shortened(text))
	}
}

func (c *checker) text(pointer string, s *Schema, text string) {
	length := utf8.RuneCountInString(text)
	switch {
	case length < s.MinLength:
		c.blame(pointer, "must have at least %s, not %d", count(s.MinLength, "character"), length)
	case s.MaxLength != nil && length > *s.MaxLength:
		c.blame(pointer, "must have at most %s, not %d", count(*s.MaxLength, "character"), length)
	case s.Pattern != "" && !c.document.matches(s.Pattern, text):
		detail := fmt.Sprintf("%s does not match %s", strconv.Quote(shortened(text)), s.Pattern)
		if s.Example != nil {
			detail += fmt.Sprintf("; %q would", fmt.Sprint(s.Example))
		}
		c.blame(pointer, "%s", detail)
	}
}

func (c *checker) array(pointer string, s *Schema, v *Value) {
	switch n := len(v.Items); {
	case n < s.MinItems:
		c.blame(pointer, "must have at least %s, not %d", count(s.MinItems, "item"), n)
	case s.MaxItems != nil && n > *s.MaxItems:
		c.blame(pointer, "must have at most %s, not %d", count(*s.MaxItems, "item"), n)
		return
	}
	seen := map[string]bool{}
	for i := range v.Items {
		item, at := &v.Items[i], pointer+"/"+strconv.Itoa(i)
		if s.UniqueItems && seen[item.Text] {
			c.blame(at, "is there already: each item is given once")
		}
		seen[item.Text] = true
		c.value(at, s.Items, item)
	}
}

func (c *checker) object(pointer string, s *Schema, v *Value) {
	for _, name := range s.Required {
		if v.Member(name) == nil {
			c.blame(Pointer(pointer, name), "is missing")
		}
	}
	switch n := len(v.Members); {
	case n < s.MinProperties:
		c.blame(pointer, "must have at least %s, such as %s", count(s.MinProperties, "field"), names(s))
	case s.MaxProperties != nil && n > *s.MaxProperties:
		c.blame(pointer, "must have at most %s, not %d", count(*s.MaxProperties, "entry"), n)
		return
	}
	for i := range v.Members {
		m := &v.Members[i]
		at := Pointer(pointer, m.Name)
		switch property := s.Properties[m.Name]; {
		case property != nil:
			c.value(at, property, &m.Value)
		case s.AdditionalProperties == nil:
		case s.AdditionalProperties.Schema != nil:
			c.value(at, s.AdditionalProperties.Schema, &m.Value)
		case s.AdditionalProperties.Refused:
			c.blame(Pointer(pointer, shortened(m.Name)), "is no known field; %s", c.known(s, m.Name))
		}
	}
}

// known names the field that was probably meant, or all that there are.
func (c *checker) known(s *Schema, name string) string {
	fields := sortedNames(s)
	if nearest := Nearest(name, fields); nearest != "" {
		return fmt.Sprintf("%q is the nearest one", nearest)
	}
	return "there are: " + strings.Join(fields, ", ")
}

func names(s *Schema) string { return strings.Join(sortedNames(s), " or ") }

func sortedNames(s *Schema) []string {
	fields := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		fields = append(fields, name)
	}
	sort.Strings(fields)
	return fields
}

func quoted(v *Value) string {
	if v.Kind == String {
		return strconv.Quote(shortened(v.Text))
	}
	return shortened(v.Text)
}

// shortened keeps what is quoted of a request from filling the answer.
func shortened(text string) string {
	const most = 64
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if noun == "entry" {
		noun = "entrie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
