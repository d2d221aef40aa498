package wire

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// A Member is a part of a request's parameters before its service has read them. It is
// decoded no further than somebody asks, for who asks wants a name or two of a large
// body. The zero Member is one that is not there.
type Member struct {
	raw  []byte // JSON that nobody has validated yet
	form *node  // of a form
}

// Member is the parameter of that name as the client sent it.
func (x *Exchange) Member(name string) Member { return x.Parameter().Member(name) }

// Parameter are all of the request's parameters, as one structure.
func (x *Exchange) Parameter() Member {
	switch {
	case x.body == nil:
		return Member{}
	case x.protocol == Query || x.protocol == EC2Query:
		return Member{form: x.body.form}
	case x.protocol == CBOR:
		var members map[string]any
		if cborDecoding.Unmarshal(x.body.raw, &members) != nil {
			return Member{}
		}
		raw, err := json.Marshal(members)
		if err != nil {
			return Member{}
		}
		return Member{raw: raw}
	}
	return Member{raw: x.body.raw}
}

// Member is the member of that name of a structure: the last one, as encoding/json
// has it.
func (m Member) Member(name string) Member {
	if m.form != nil {
		if child, ok := m.form.children[name]; ok {
			return Member{form: child}
		}
		return Member{}
	}
	var found Member
	for written, value := range m.fields() {
		if isText(written, name) {
			found = Member{raw: value}
		}
	}
	return found
}

// Members are all members of a structure, by name.
func (m Member) Members() map[string]Member {
	all := map[string]Member{}
	if m.form != nil {
		for name, child := range m.form.children {
			all[name] = Member{form: child}
		}
		return all
	}
	for written, value := range m.fields() {
		all[Member{raw: written}.Text()] = Member{raw: value}
	}
	return all
}

// Text is the member's text, and empty where it is something else.
func (m Member) Text() string {
	if m.form != nil {
		return m.form.value
	}
	if len(m.raw) < 2 || m.raw[0] != '"' {
		return ""
	}
	if isPlain(m.raw) {
		return string(m.raw[1 : len(m.raw)-1])
	}
	var text string
	if json.Unmarshal(m.raw, &text) != nil {
		return ""
	}
	return text
}

// Items are the items of a list.
func (m Member) Items() []Member {
	var items []Member
	if m.form != nil {
		for _, item := range m.form.items() {
			items = append(items, Member{form: item})
		}
		return items
	}
	for rest := after(m.raw, '['); ; {
		value, behind, ok := cutValue(rest)
		if !ok {
			return items
		}
		items = append(items, Member{raw: value})
		rest = after(behind, ',')
	}
}

// IsEmpty tells whether there is nothing: no member, null, or a list or a structure
// without members.
func (m Member) IsEmpty() bool {
	if m.form != nil {
		return m.form.value == "" && len(m.form.children) == 0
	}
	if len(m.raw) == 0 || string(m.raw) == "null" {
		return true
	}
	return (m.raw[0] == '{' || m.raw[0] == '[') && len(bytes.TrimSpace(m.raw[1:])) <= 1
}

// fields are the members of an object in JSON, their names as they are written.
func (m Member) fields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for rest := after(m.raw, '{'); ; {
			name, behind, ok := cutValue(rest)
			if !ok {
				return
			}
			value, behind, ok := cutValue(after(behind, ':'))
			if !ok || !yield(name, value) {
				return
			}
			rest = after(behind, ',')
		}
	}
}

// isText tells whether the text in JSON is that one.
func isText(written []byte, text string) bool {
	if !isPlain(written) {
		return Member{raw: written}.Text() == text
	}
	return len(written) == len(text)+2 && string(written[1:len(written)-1]) == text
}

// isPlain tells whether a text in JSON stands for itself: without escapes, and without bytes
// that are no UTF-8, which are read as U+FFFD.
func isPlain(written []byte) bool {
	return bytes.IndexByte(written, '\\') < 0 && utf8.Valid(written)
}

const jsonSpace = " \t\r\n"

// after is what follows the mark that raw begins with, and nothing without the mark.
func after(raw []byte, mark byte) []byte {
	raw = bytes.TrimLeft(raw, jsonSpace)
	if len(raw) == 0 || raw[0] != mark {
		return nil
	}
	return raw[1:]
}

// cutValue cuts the first value off. It follows texts and brackets alone: whether the
// rest is JSON, the service finds out.
func cutValue(raw []byte) (value, rest []byte, ok bool) {
	raw = bytes.TrimLeft(raw, jsonSpace)
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			if i = endOfText(raw, i); depth == 0 {
				return raw[:min(i+1, len(raw))], raw[min(i+1, len(raw)):], i < len(raw)
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return raw[:i+1], raw[i+1:], true
			}
			if depth < 0 {
				return raw[:i], raw[i:], i > 0
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return raw[:i], raw[i:], i > 0
			}
		}
	}
	return raw, nil, depth == 0 && len(raw) > 0
}

// endOfText is where the text ends that begins at from: at its quote, or behind raw.
func endOfText(raw []byte, from int) int {
	for i := from + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(raw)
}
