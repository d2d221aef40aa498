package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads an expression. Its error says what is wrong with it, and never
// quotes it.
func Parse(text string) (*Path, error) {
	p := &scanner{text: text}
	path := &Path{text: text}
	if !p.take('$') {
		return nil, fmt.Errorf("a JSONPath must begin with '$'")
	}
	switch {
	case p.take('$'):
		path.Root = Context
	case p.peek() != 0 && p.peek() != '.' && p.peek() != '[':
		path.Root = Variable
		path.Name = p.name()
		if path.Name == "" {
			return nil, fmt.Errorf("a JSONPath must continue with '.' or '[' after '$'")
		}
	}
	if err := p.steps(path); err != nil {
		return nil, err
	}
	return path, nil
}

type scanner struct {
	text string
	at   int
	deep int // filters within filters
}

func (p *scanner) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *scanner) take(c byte) bool {
	if p.peek() == c && p.at < len(p.text) {
		p.at++
		return true
	}
	return false
}

func (p *scanner) spaces() {
	for p.peek() == ' ' {
		p.at++
	}
}

func (p *scanner) fail(what string) error {
	return fmt.Errorf("%s at position %d", what, p.at)
}

// name reads a variable's name: letters, digits and underscores.
func (p *scanner) name() string {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c < 0x80 {
			break
		}
		p.at++
	}
	return p.text[start:p.at]
}

// steps reads what follows the root, up to the end or, within a filter, to the
// first character that cannot go on a path.
func (p *scanner) steps(path *Path) error {
	path.definite = true
	for p.at < len(p.text) {
		var s step
		var err error
		switch p.peek() {
		case '.':
			p.at++
			if p.take('.') {
				path.steps = append(path.steps, step{kind: descent})
				path.definite = false
			}
			if p.peek() == '[' {
				continue // Jayway takes $.['a'] as it takes $..['a']
			}
			if s, err = p.dotted(path); err != nil {
				return err
			}
			if path.function != "" {
				return p.end()
			}
		case '[':
			if s, err = p.bracket(); err != nil {
				return err
			}
		default:
			if p.deep > 0 {
				return nil
			}
			return p.fail("unexpected character")
		}
		path.definite = path.definite && (s.kind == member || s.kind == element)
		path.steps = append(path.steps, s)
	}
	if n := len(path.steps); n > 0 {
		if path.steps[n-1].kind == descent {
			return p.fail("a path must not end with '..'")
		}
		// Several names at the very end still make one object.
		if path.steps[n-1].kind == members {
			path.definite = definite(path.steps[:n-1])
		}
	}
	return nil
}

func definite(steps []step) bool {
	for _, s := range steps {
		if s.kind != member && s.kind != element {
			return false
		}
	}
	return true
}

func (p *scanner) end() error {
	if p.at < len(p.text) && p.deep == 0 {
		return p.fail("a function must end the path")
	}
	return nil
}

// dotted reads what follows a dot: a name, a wildcard or a function.
func (p *scanner) dotted(path *Path) (step, error) {
	if p.take('*') {
		return step{kind: wildcard}, nil
	}
	start := p.at
	for p.at < len(p.text) && !p.ends(p.text[p.at]) {
		p.at++
	}
	name := p.text[start:p.at]
	if name == "" {
		return step{}, p.fail("a name is missing")
	}
	if p.peek() == '(' {
		if !strings.HasPrefix(p.text[p.at:], "()") || !functions[name] {
			return step{}, p.fail("unknown function")
		}
		p.at += 2
		path.function = name
		return step{}, nil
	}
	return step{kind: member, name: name}, nil
}

func (p *scanner) ends(c byte) bool {
	if c == '.' || c == '[' || c == '(' || c == ' ' {
		return true
	}
	return p.deep > 0 && strings.IndexByte(")=!<>&|,]~", c) >= 0
}

func (p *scanner) bracket() (step, error) {
	p.at++
	p.spaces()
	var s step
	var err error
	switch c := p.peek(); {
	case c == '\'' || c == '"':
		s, err = p.quotedNames()
	case c == '*':
		p.at++
		s = step{kind: wildcard}
	case c == '?':
		p.at++
		s, err = p.filter()
	case c == '-' || c == ':' || c >= '0' && c <= '9':
		s, err = p.indexes()
	default:
		err = p.fail("unexpected character in brackets")
	}
	if err != nil {
		return s, err
	}
	p.spaces()
	if !p.take(']') {
		return s, p.fail("a closing bracket is missing")
	}
	return s, nil
}

func (p *scanner) quotedNames() (step, error) {
	var names []string
	for {
		p.spaces()
		name, err := p.quoted()
		if err != nil {
			return step{}, err
		}
		names = append(names, name)
		p.spaces()
		if !p.take(',') {
			break
		}
	}
	if len(names) == 1 {
		return step{kind: member, name: names[0]}, nil
	}
	return step{kind: members, names: names}, nil
}

// quoted reads a name in quotes. Only the quote itself can be escaped: AWS takes
// every other backslash as it stands.
func (p *scanner) quoted() (string, error) {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		return "", p.fail("a quoted name is missing")
	}
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c == '\\' && p.at+1 < len(p.text) && p.text[p.at+1] == quote {
			b.WriteByte(quote)
			p.at += 2
			continue
		}
		p.at++
		if c == quote {
			return b.String(), nil
		}
		b.WriteByte(c)
	}
	return "", p.fail("a closing quote is missing")
}

func (p *scanner) indexes() (step, error) {
	first, err := p.number()
	if err != nil {
		return step{}, err
	}
	p.spaces()
	if p.take(':') {
		to, err := p.number()
		return step{kind: slice, from: first, to: to}, err
	}
	if first == nil {
		return step{}, p.fail("an index is missing")
	}
	if p.peek() != ',' {
		return step{kind: element, index: *first}, nil
	}
	all := []int{*first}
	for p.take(',') {
		next, err := p.number()
		if err != nil || next == nil {
			return step{}, p.fail("an index is missing")
		}
		all = append(all, *next)
		p.spaces()
	}
	return step{kind: elements, indexes: all}, nil
}

// number reads an index, or nil where there is none.
func (p *scanner) number() (*int, error) {
	p.spaces()
	start := p.at
	p.take('-')
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.at++
	}
	if p.at == start {
		return nil, nil
	}
	n, err := strconv.Atoi(p.text[start:p.at])
	if err != nil {
		return nil, p.fail("malformed index")
	}
	return &n, nil
}
