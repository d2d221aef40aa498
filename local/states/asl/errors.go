package asl

import (
	"fmt"
	"slices"

	"portolan/local/states/value"
)

// each calls fn for the objects of a list, with their fields.
func (f *fields) each(name string, fn func(*fields)) int {
	list, _ := f.list(name)
	for i, v := range list {
		location := fmt.Sprintf("%s/%s[%d]", f.location, name, i)
		o, ok := v.(*value.Object)
		if !ok {
			f.d.schema(location, "Expected value of type Object")
			continue
		}
		inner := f.d.fields(o, location)
		inner.text("Comment")
		fn(inner)
		inner.unknown()
	}
	return len(list)
}

func (d *decoder) retriers(f *fields) []Retrier {
	var all []Retrier
	f.each("Retry", func(f *fields) {
		f.require("ErrorEquals")
		r := Retrier{ErrorEquals: f.names("ErrorEquals"), IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2}
		if n, ok := f.whole("IntervalSeconds", 1); ok {
			r.IntervalSeconds = n
		}
		if n, ok := f.whole("MaxAttempts", 0); ok {
			r.MaxAttempts = n
		}
		if n, ok := f.number("BackoffRate", 1); ok {
			r.BackoffRate = n
		}
		if n, ok := f.whole("MaxDelaySeconds", 1); ok {
			r.MaxDelaySeconds = n
		}
		if jitter, ok := f.text("JitterStrategy"); ok {
			r.FullJitter = jitter == "FULL"
			if jitter != "FULL" && jitter != "NONE" {
				d.schema(f.at("JitterStrategy"),
					"The field 'JitterStrategy' should have one of these values: [FULL, NONE]")
			}
		}
		all = append(all, r)
	})
	for i, r := range all {
		d.errorEquals(f, "Retry", r.ErrorEquals, i, len(all))
	}
	return all
}

func (d *decoder) catchers(f *fields) []Catcher {
	var all []Catcher
	f.each("Catch", func(f *fields) {
		f.require("ErrorEquals", "Next")
		c := Catcher{ErrorEquals: f.names("ErrorEquals")}
		c.Next, _ = f.text("Next")
		c.ResultPath = f.place("ResultPath")
		c.Assign = f.assign("Assign")
		all = append(all, c)
	})
	for i, c := range all {
		d.errorEquals(f, "Catch", c.ErrorEquals, i, len(all))
	}
	return all
}

// errorEquals checks that States.ALL stands alone and last.
func (d *decoder) errorEquals(f *fields, list string, names []string, i, count int) {
	location := fmt.Sprintf("%s/%s[%d]/ErrorEquals", f.location, list, i)
	if len(names) == 0 {
		d.schema(location, "There must be at least one error name")
	}
	if !slices.Contains(names, ErrAll) {
		return
	}
	if len(names) > 1 {
		d.schema(location, "'States.ALL' can only appear alone")
	}
	if i < count-1 {
		d.schema(location, "'States.ALL' can only appear in the last element")
	}
}
