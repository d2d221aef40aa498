package asl

import (
	"portolan/local/states/value"
)

func (d *decoder) choice(s *State, f *fields) {
	f.require("Choices")
	s.Default, _ = f.text("Default")
	count := f.each("Choices", func(f *fields) {
		f.require("Next")
		r := Rule{test: d.test(f)}
		r.Next, _ = f.text("Next")
		r.Assign = f.assign("Assign")
		s.Choices = append(s.Choices, r)
	})
	if f.has("Choices") && count == 0 {
		d.schema(f.at("Choices"), "There must be at least one choice rule")
	}
}

func (d *decoder) test(f *fields) test {
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > maxFlows {
		d.schema(f.location, "Choice rules nest too deeply")
		return allOf(nil)
	}
	switch {
	case f.has("And"):
		return allOf(d.tests(f, "And"))
	case f.has("Or"):
		return anyOf(d.tests(f, "Or"))
	case f.has("Not"):
		inner, ok := f.object("Not")
		if !ok {
			return allOf(nil)
		}
		t := d.test(inner)
		inner.unknown()
		return noneOf{t}
	}
	return d.comparison(f)
}

func (d *decoder) tests(f *fields, name string) []test {
	var tests []test
	count := f.each(name, func(f *fields) { tests = append(tests, d.test(f)) })
	if count == 0 {
		d.schema(f.at(name), "There must be at least one choice rule")
	}
	return tests
}

func (d *decoder) comparison(f *fields) test {
	f.require("Variable")
	c := &comparison{variable: f.expr("Variable")}
	for i := range f.doc.Len() {
		name, operand := f.doc.At(i)
		compare, kind, isPath, ok := operator(name)
		if !ok {
			continue
		}
		f.used[name] = true
		if c.compare != nil {
			d.schema(f.location, "A choice rule must have one comparison only")
		}
		c.compare, c.presence = compare, name == "IsPresent"
		if isPath {
			c.path = f.expr(name)
			continue
		}
		c.operand = operand
		if want := wrongOperand(kind, operand); want != "" {
			d.schema(f.at(name), "Expected value of type %s", want)
		}
	}
	if c.compare == nil {
		d.schema(f.location, "A choice rule must have a comparison")
	}
	return c
}

// wrongOperand names the type that an operand of that kind should have, or
// nothing when it has it.
func wrongOperand(kind string, operand any) string {
	switch kind {
	case "String":
		if _, ok := operand.(string); !ok {
			return "String"
		}
	case "Numeric":
		if _, ok := operand.(value.Number); !ok {
			return "Number"
		}
	case "Timestamp":
		if _, ok := timestamp(operand); !ok {
			return "Timestamp"
		}
	default:
		if _, ok := operand.(bool); !ok {
			return "Boolean"
		}
	}
	return ""
}
