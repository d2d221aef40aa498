package value

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth keeps a hostile document from exhausting the stack.
const maxDepth = 1000

// Parse reads one JSON document and refuses anything after it.
func Parse(text []byte) (any, error) {
	p := parser{text: text}
	v, err := p.document(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at < len(text) {
		return nil, p.fail("unexpected text after the document")
	}
	return v, nil
}

// ParseString is Parse of a string.
func ParseString(text string) (any, error) { return Parse([]byte(text)) }

type parser struct {
	text []byte
	at   int
}

func (p *parser) fail(what string) error { return fmt.Errorf("%s at offset %d", what, p.at) }

var errEnd = errors.New("unexpected end of the document")

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) document(depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.fail("nested too deeply")
	}
	p.space()
	if p.at >= len(p.text) {
		return nil, errEnd
	}
	switch c := p.text[p.at]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.str()
	case c == 't':
		return true, p.word("true")
	case c == 'f':
		return false, p.word("false")
	case c == 'n':
		return nil, p.word("null")
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	return nil, p.fail("unexpected character")
}

func (p *parser) word(w string) error {
	if len(p.text)-p.at < len(w) || string(p.text[p.at:p.at+len(w)]) != w {
		return p.fail("unexpected word")
	}
	p.at += len(w)
	return nil
}

func (p *parser) object(depth int) (any, error) {
	p.at++
	o := NewObject(4)
	for first := true; ; first = false {
		p.space()
		if p.at >= len(p.text) {
			return nil, errEnd
		}
		if p.text[p.at] == '}' && first {
			p.at++
			return o, nil
		}
		if p.text[p.at] != '"' {
			return nil, p.fail("expected a member's name")
		}
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.at >= len(p.text) || p.text[p.at] != ':' {
			return nil, p.fail("expected a colon")
		}
		p.at++
		v, err := p.document(depth + 1)
		if err != nil {
			return nil, err
		}
		o.Set(key, v)
		if more, err := p.more('}'); err != nil {
			return nil, err
		} else if !more {
			return o, nil
		}
	}
}

func (p *parser) array(depth int) (any, error) {
	p.at++
	a := []any{}
	p.space()
	if p.at < len(p.text) && p.text[p.at] == ']' {
		p.at++
		return a, nil
	}
	for {
		v, err := p.document(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
		if more, err := p.more(']'); err != nil {
			return nil, err
		} else if !more {
			return a, nil
		}
	}
}

// more reads the comma that says yes, or the closing bracket that says no.
func (p *parser) more(closing byte) (bool, error) {
	p.space()
	if p.at >= len(p.text) {
		return false, errEnd
	}
	c := p.text[p.at]
	if c != ',' && c != closing {
		return false, p.fail("expected a comma")
	}
	p.at++
	return c == ',', nil
}

func (p *parser) number() (any, error) {
	start := p.at
	if p.text[p.at] == '-' {
		p.at++
	}
	whole := p.digits()
	if whole == 0 || whole > 1 && p.text[p.at-whole] == '0' {
		return nil, p.fail("malformed number")
	}
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		if p.digits() == 0 {
			return nil, p.fail("malformed number")
		}
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if p.digits() == 0 {
			return nil, p.fail("malformed number")
		}
	}
	return Number(p.text[start:p.at]), nil
}

func (p *parser) digits() int {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at - start
}

func (p *parser) str() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			s := string(p.text[start:p.at])
			p.at++
			return s, nil
		case c == '\\' || c >= utf8.RuneSelf:
			return p.escaped(start)
		case c < ' ':
			return "", p.fail("control character in a string")
		}
		p.at++
	}
	return "", errEnd
}

// escaped goes on from the first character that is not plain ASCII.
func (p *parser) escaped(start int) (string, error) {
	out := append([]byte(nil), p.text[start:p.at]...)
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return string(out), nil
		case c < ' ':
			return "", p.fail("control character in a string")
		case c == '\\':
			var err error
			if out, err = p.escape(out); err != nil {
				return "", err
			}
		case c < utf8.RuneSelf:
			out = append(out, c)
			p.at++
		default:
			r, size := utf8.DecodeRune(p.text[p.at:])
			out = utf8.AppendRune(out, r)
			p.at += size
		}
	}
	return "", errEnd
}

var escapes = map[byte]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

func (p *parser) escape(out []byte) ([]byte, error) {
	if p.at+1 >= len(p.text) {
		return nil, errEnd
	}
	c := p.text[p.at+1]
	if plain, ok := escapes[c]; ok {
		p.at += 2
		return append(out, plain), nil
	}
	if c != 'u' {
		return nil, p.fail("unknown escape")
	}
	p.at += 2
	r, err := p.hex()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) && p.at+1 < len(p.text) && p.text[p.at] == '\\' && p.text[p.at+1] == 'u' {
		back := p.at
		p.at += 2
		low, err := p.hex()
		if err != nil {
			return nil, err
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return utf8.AppendRune(out, pair), nil
		}
		p.at = back
	}
	return utf8.AppendRune(out, r), nil
}

func (p *parser) hex() (rune, error) {
	if p.at+4 > len(p.text) {
		return 0, errEnd
	}
	n, err := strconv.ParseUint(string(p.text[p.at:p.at+4]), 16, 32)
	if err != nil {
		return 0, p.fail("malformed escape")
	}
	p.at += 4
	return rune(n), nil
}
