package jsonpath

import (
	"regexp"
	"strings"

	"portolan/local/states/value"
)

// maxFilters bounds how deep a filter nests, and so the stack of its parser.
const maxFilters = 50

// filter reads what follows the question mark: a condition in parentheses.
func (p *scanner) filter() (step, error) {
	p.deep++
	defer func() { p.deep-- }()
	if p.deep > maxFilters {
		return step{}, p.fail("filters nest too deeply")
	}
	p.spaces()
	if p.peek() != '(' {
		return step{}, p.fail("a filter must be in parentheses")
	}
	test, err := p.unary()
	return step{kind: filter, test: test}, err
}

func (p *scanner) or() (condition, error) {
	left, err := p.and()
	for err == nil {
		p.spaces()
		if !p.word("||") {
			return left, nil
		}
		var right condition
		if right, err = p.and(); err == nil {
			left = either{left, right}
		}
	}
	return nil, err
}

func (p *scanner) and() (condition, error) {
	left, err := p.unary()
	for err == nil {
		p.spaces()
		if !p.word("&&") {
			return left, nil
		}
		var right condition
		if right, err = p.unary(); err == nil {
			left = both{left, right}
		}
	}
	return nil, err
}

func (p *scanner) unary() (condition, error) {
	p.deep++
	defer func() { p.deep-- }()
	if p.deep > maxFilters {
		return nil, p.fail("filters nest too deeply")
	}
	p.spaces()
	if p.peek() == '!' && !strings.HasPrefix(p.text[p.at:], "!=") {
		p.at++
		inner, err := p.unary()
		return not{inner}, err
	}
	if p.take('(') {
		inner, err := p.or()
		if err != nil {
			return nil, err
		}
		p.spaces()
		if !p.take(')') {
			return nil, p.fail("a closing parenthesis is missing")
		}
		return inner, nil
	}
	return p.comparison()
}

var operators = []string{
	"==", "!=", "<=", ">=", "=~", "<", ">",
	"in", "nin", "contains", "size", "empty", "subsetof", "anyof", "noneof",
}

func (p *scanner) comparison() (condition, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	p.spaces()
	for _, op := range operators {
		if p.word(op) {
			p.spaces()
			right, err := p.operand()
			return compare{op, left, right}, err
		}
	}
	if left.path == nil || !left.local {
		return nil, p.fail("an operator is missing")
	}
	return present{left.path}, nil
}

// word takes w; one made of letters must not go on with another letter.
func (p *scanner) word(w string) bool {
	rest := p.text[p.at:]
	if !strings.HasPrefix(rest, w) && !strings.HasPrefix(rest, strings.ToUpper(w)) {
		return false
	}
	if w[0] >= 'a' && len(rest) > len(w) {
		if c := rest[len(w)] | 0x20; c >= 'a' && c <= 'z' {
			return false
		}
	}
	p.at += len(w)
	return true
}

func (p *scanner) operand() (operand, error) {
	switch c := p.peek(); {
	case c == '@' || c == '$':
		p.at++
		path := &Path{text: "$"}
		err := p.steps(path)
		return operand{path: path, local: c == '@'}, err
	case c == '\'' || c == '"':
		s, err := p.quoted()
		return operand{literal: s}, err
	case c == '/':
		return p.pattern()
	case c == '[':
		return p.list()
	}
	return p.literal()
}

func (p *scanner) pattern() (operand, error) {
	p.at++
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != '/' {
		if p.text[p.at] == '\\' {
			p.at++
		}
		p.at++
	}
	if p.at >= len(p.text) {
		return operand{}, p.fail("a closing slash is missing")
	}
	source := p.text[start:p.at]
	p.at++
	flags := ""
	for strings.IndexByte("ismu", p.peek()) >= 0 && p.peek() != 0 {
		if p.peek() != 'u' {
			flags += string(p.peek())
		}
		p.at++
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	// Java's matches() is about the whole string.
	pattern, err := regexp.Compile(flags + `\A(?:` + source + `)\z`)
	if err != nil {
		return operand{}, p.fail("malformed pattern")
	}
	return operand{pattern: pattern}, nil
}

func (p *scanner) list() (operand, error) {
	start := p.at
	p.at++
	items := []any{}
	for p.spaces(); !p.take(']'); p.spaces() {
		if len(items) > 0 && !p.take(',') {
			return operand{}, p.fail("a comma is missing")
		}
		p.spaces()
		if p.peek() == '[' {
			p.at = start
			return operand{}, p.fail("a list within a list")
		}
		item, err := p.operand()
		if err != nil {
			return operand{}, err
		}
		if item.path != nil || item.pattern != nil {
			return operand{}, p.fail("a list holds literals only")
		}
		items = append(items, item.literal)
	}
	return operand{literal: items}, nil
}

func (p *scanner) literal() (operand, error) {
	start := p.at
	for p.at < len(p.text) && strings.IndexByte(" )=!<>&|,]", p.text[p.at]) < 0 {
		p.at++
	}
	v, err := value.ParseString(p.text[start:p.at])
	if err != nil {
		p.at = start
		return operand{}, p.fail("malformed literal")
	}
	return operand{literal: v}, nil
}
