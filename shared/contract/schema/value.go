package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"portolan/shared/fault"
)

// Kind is the type of a JSON value, in the words of an answer.
type Kind string

const (
	Null    Kind = "null"
	Boolean Kind = "a boolean"
	Number  Kind = "a number"
	String  Kind = "a string"
	Array   Kind = "an array"
	Object  Kind = "an object"
)

// Value is a JSON value as it was written.
type Value struct {
	Kind Kind

	// Text is a string's content, or a number or boolean as it was written.
	Text string

	Items   []Value  // of an array
	Members []Member // of an object, in the order in which they were written
}

// Member is one member of an object.
type Member struct {
	Name  string
	Value Value
}

// Member returns the member of that name, or nil.
func (v *Value) Member(name string) *Value {
	for i := range v.Members {
		if v.Members[i].Name == name {
			return &v.Members[i].Value
		}
	}
	return nil
}

// Read reads one JSON value. It refuses, as Invalid and with the place, what is no
// JSON, what is no UTF-8, and an object that has a name twice, since readers
// differ on which of the two counts.
func Read(text []byte) (*Value, error) {
	if !utf8.Valid(text) {
		return nil, malformed("", "is not UTF-8 at "+place(text, invalidUTF8(text)))
	}
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, &raw); errors.As(err, &syntax) {
		at := max(int(syntax.Offset)-1, 0)
		if strings.HasPrefix(syntax.Error(), "unexpected end") {
			at = len(text)
		}
		return nil, malformed("", "is not JSON: "+syntax.Error()+" at "+place(text, at))
	} else if err != nil {
		return nil, malformed("", "is not JSON: "+err.Error())
	}
	r := reader{text: text, tokens: json.NewDecoder(bytes.NewReader(text))}
	r.tokens.UseNumber()
	value, err := r.value("")
	if err != nil {
		return nil, err
	}
	return &value, nil
}

func malformed(pointer, detail string) error {
	return fault.NewInvalid([]fault.Field{{Pointer: pointer, Detail: detail}}, "reading JSON")
}

// place tells people where a byte is.
func place(text []byte, at int) string {
	before := text[:min(at, len(text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("line %d, column %d (byte %d)", line, column, len(before))
}

func invalidUTF8(text []byte) int {
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// maxDepth is how deep values may be nested: far deeper than any of the API's.
const maxDepth = 32

// A reader builds the value from tokens of a text that is known to be JSON.
type reader struct {
	text   []byte
	tokens *json.Decoder
	depth  int
}

func (r *reader) value(pointer string) (Value, error) {
	token, err := r.tokens.Token()
	if err != nil {
		return Value{}, fmt.Errorf("reading JSON that was found valid: %w", err)
	}
	switch t := token.(type) {
	case json.Delim:
		r.depth++
		defer func() { r.depth-- }()
		if r.depth > maxDepth {
			return Value{}, malformed(pointer, fmt.Sprintf("is nested more than %d deep", maxDepth))
		}
		if t == '[' {
			return r.array(pointer)
		}
		return r.object(pointer)
	case string:
		return Value{Kind: String, Text: t}, nil
	case json.Number:
		return Value{Kind: Number, Text: t.String()}, nil
	case bool:
		return Value{Kind: Boolean, Text: strconv.FormatBool(t)}, nil
	}
	return Value{Kind: Null, Text: "null"}, nil
}

func (r *reader) array(pointer string) (Value, error) {
	v := Value{Kind: Array}
	for r.tokens.More() {
		item, err := r.value(pointer + "/" + strconv.Itoa(len(v.Items)))
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, item)
	}
	_, err := r.tokens.Token()
	return v, err
}

func (r *reader) object(pointer string) (Value, error) {
	v := Value{Kind: Object}
	seen := map[string]bool{}
	for r.tokens.More() {
		token, err := r.tokens.Token()
		if err != nil {
			return v, fmt.Errorf("reading JSON that was found valid: %w", err)
		}
		name := token.(string)
		inside := Pointer(pointer, name)
		if seen[name] {
			return v, malformed(inside, "is given twice, the second time at "+
				place(r.text, int(r.tokens.InputOffset())))
		}
		seen[name] = true
		member, err := r.value(inside)
		if err != nil {
			return v, err
		}
		v.Members = append(v.Members, Member{name, member})
	}
	_, err := r.tokens.Token()
	return v, err
}

// Pointer extends a JSON pointer (RFC 6901) by the name of a member.
func Pointer(pointer, name string) string {
	if !strings.ContainsAny(name, "~/") {
		return pointer + "/" + name
	}
	return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
