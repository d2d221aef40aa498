package intrinsic

import (
	"fmt"
	"strings"

	"portolan/local/states/jsonpath"
	"portolan/local/states/value"
)

// A Call is a parsed function call. It is safe for concurrent use.
type Call struct {
	text      string // as it was written
	function  function
	arguments []argument
}

// String is the call as it was written.
func (c *Call) String() string { return c.text }

// Paths calls each for every path among the arguments, nested ones too.
func (c *Call) Paths(each func(*jsonpath.Path)) {
	for _, a := range c.arguments {
		switch {
		case a.path != nil:
			each(a.path)
		case a.call != nil:
			a.call.Paths(each)
		}
	}
}

// An argument is a literal, a path or another call. A template is the literal
// before its escapes were undone, which States.Format needs.
type argument struct {
	literal  any
	template string
	path     *jsonpath.Path
	call     *Call
}

// Is says whether text looks like a call rather than a path.
func Is(text string) bool { return strings.HasPrefix(text, "States.") }

// maxDepth bounds how deep calls nest: AWS allows 10.
const maxDepth = 10

// Parse reads one call and refuses anything after it.
func Parse(text string) (*Call, error) {
	p := &scanner{text: text}
	call, err := p.call(1)
	if err != nil {
		return nil, err
	}
	if p.spaces(); p.at < len(text) {
		return nil, p.fail("unexpected text after the function")
	}
	return call, nil
}

type scanner struct {
	text string
	at   int
}

func (p *scanner) fail(what string) error { return fmt.Errorf("%s at position %d", what, p.at) }

func (p *scanner) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *scanner) spaces() {
	for p.peek() == ' ' || p.peek() == '\t' || p.peek() == '\n' || p.peek() == '\r' {
		p.at++
	}
}

func (p *scanner) call(depth int) (*Call, error) {
	if depth > maxDepth {
		return nil, p.fail("functions nest too deeply")
	}
	start := p.at
	for c := p.peek(); c == '.' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'; c = p.peek() {
		p.at++
	}
	name := strings.TrimPrefix(p.text[start:p.at], "States.")
	f, ok := functions[name]
	if !ok || name == p.text[start:p.at] {
		return nil, p.fail("unknown function")
	}
	p.spaces()
	if p.peek() != '(' {
		return nil, p.fail("an opening parenthesis is missing")
	}
	p.at++
	arguments, err := p.list(depth)
	if err != nil {
		return nil, err
	}
	if n := len(arguments); n < f.least || f.most >= 0 && n > f.most {
		return nil, p.fail("wrong number of arguments")
	}
	return &Call{text: p.text[start:p.at], function: f, arguments: arguments}, nil
}

// list reads arguments up to and with the closing parenthesis.
func (p *scanner) list(depth int) ([]argument, error) {
	var arguments []argument
	for {
		p.spaces()
		if p.peek() == ')' && len(arguments) == 0 {
			p.at++
			return nil, nil
		}
		a, err := p.argument(depth)
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, a)
		p.spaces()
		switch p.peek() {
		case ',':
			p.at++
		case ')':
			p.at++
			return arguments, nil
		default:
			return nil, p.fail("a comma or a closing parenthesis is missing")
		}
	}
}

func (p *scanner) argument(depth int) (argument, error) {
	switch c := p.peek(); {
	case c == '\'':
		return p.quoted()
	case c == '$':
		return p.path()
	case strings.HasPrefix(p.text[p.at:], "States."):
		call, err := p.call(depth + 1)
		return argument{call: call}, err
	}
	start := p.at
	for c := p.peek(); c != 0 && c != ',' && c != ')' && c != ' '; c = p.peek() {
		p.at++
	}
	literal, err := value.ParseString(p.text[start:p.at])
	if err != nil {
		p.at = start
		return argument{}, p.fail("malformed argument")
	}
	switch literal.(type) {
	case []any, *value.Object, string:
		p.at = start
		return argument{}, p.fail("malformed argument")
	}
	return argument{literal: literal}, nil
}

// quoted reads a string: a backslash takes the quote, itself or a brace.
func (p *scanner) quoted() (argument, error) {
	p.at++
	start := p.at
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '\\':
			p.at += 2
			continue
		case '\'':
			raw := p.text[start:p.at]
			p.at++
			return argument{literal: unescape(raw), template: raw}, nil
		}
		p.at++
	}
	return argument{}, p.fail("a closing quote is missing")
}

func unescape(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) && strings.IndexByte(`'\{}`, raw[i+1]) >= 0 {
			i++
		}
		b.WriteByte(raw[i])
	}
	return b.String()
}

// path reads up to the comma or parenthesis that ends the argument: those in
// brackets, parentheses and quotes belong to the path.
func (p *scanner) path() (argument, error) {
	start, depth := p.at, 0
	var quote byte
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		switch {
		case quote != 0:
			if c == '\\' {
				p.at++
			} else if c == quote {
				quote = 0
			}
		case (c == '\'' || c == '"') && depth > 0:
			quote = c
		case c == '[' || c == '(':
			depth++
		case depth > 0 && (c == ']' || c == ')'):
			depth--
		case depth == 0 && (c == ',' || c == ')' || c == ' '):
			return p.parsePath(start)
		}
	}
	if p.at > len(p.text) {
		p.at = len(p.text)
	}
	return p.parsePath(start)
}

func (p *scanner) parsePath(start int) (argument, error) {
	path, err := jsonpath.Parse(p.text[start:p.at])
	if err != nil {
		return argument{}, fmt.Errorf("reading a path: %w", err)
	}
	return argument{path: path}, nil
}
