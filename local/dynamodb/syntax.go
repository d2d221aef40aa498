package dynamodb

import (
	"strconv"
	"strings"
)

// A node is a part of an expression. Its op is "path", "value", the name of a
// function or an operator in capitals.
type node struct {
	op    string
	path  path
	value int // place of a value's placeholder in the expression's list
	args  []*node
	// call tells a function's name from an operator's.
	call bool
	// wrapped is how many parentheses stand right around it.
	wrapped int
}

const (
	opPath  = "path"
	opValue = "value"
)

// A path leads to an attribute. The first step is a name.
type path []step

// A step is a name, a placeholder's place, or an element's index.
type step struct {
	name        string
	placeholder int // -1 where the name is written out
	index       int // -1 for a name
}

// An expression is what was parsed, with nothing of the request in it, so that
// all requests with the same text share it.
type expression struct {
	source string
	// root is a condition; paths a projection; actions an update.
	root    *node
	paths   []path
	actions []action
	// names and values are the placeholders used, each once, as first met.
	names  []string
	values []string
	// problem is what is wrong whatever the request's names and values are.
	problem string
}

// An action is one clause of an update expression.
type action struct {
	verb   string // SET, REMOVE, ADD, DELETE
	target path
	value  *node
}

// A parser reads one expression. The first syntax error ends it; the other
// problems are noted, and the gravest is answered.
type parser struct {
	*expression
	tokens []token
	at     int
	syntax string
	depth  int
	// reaches tells that a path may go on behind parentheses around its beginning,
	// as it may in conditions only.
	reaches bool
	// verbs are the words that cannot be names, because they begin a section.
	verbs map[string]bool

	redundant, badFunction, misused, reservedWord, section, tooMany string
	operators                                                       int
}

func (p *parser) next() token { return p.tokens[p.at] }

func (p *parser) failed() bool { return p.syntax != "" }

func (p *parser) fail() {
	if p.syntax == "" {
		p.syntax = syntaxError(p.source, p.tokens, p.at)
	}
}

func (p *parser) accept(kind string) bool {
	if p.failed() || p.next().kind != kind {
		return false
	}
	p.at++
	return true
}

func (p *parser) expect(kind string) {
	if !p.accept(kind) {
		p.fail()
	}
}

// note keeps the first problem of a class.
func note(class *string, problem string) {
	if *class == "" {
		*class = problem
	}
}

// nested guards the recursion against an expression of parentheses only.
func (p *parser) nested(read func() *node) *node {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > 300 {
		p.fail()
		return nil
	}
	return read()
}

// finish settles which problem is answered.
func (p *parser) finish() *expression {
	p.expect(tokenEnd)
	if p.operators > operatorsMax {
		note(&p.tooMany, "The expression contains too many operators; operator count: "+
			itoa(p.operators))
	}
	for _, problem := range []string{p.syntax, p.redundant, p.badFunction, p.misused,
		p.reservedWord, p.section, p.tooMany} {
		if problem != "" {
			p.problem = problem
			break
		}
	}
	return p.expression
}

func newParser(source string) *parser {
	return &parser{expression: &expression{source: source}, tokens: tokenize(source)}
}

func intern(list *[]string, text string) int {
	for i, known := range *list {
		if known == text {
			return i
		}
	}
	*list = append(*list, text)
	return len(*list) - 1
}

// operator makes a node of an operator or a function, and counts it.
func (p *parser) operator(op string, args ...*node) *node {
	p.operators++
	return &node{op: op, args: args}
}

// name reads a step of a path that is a name.
func (p *parser) name() step {
	t := p.next()
	switch {
	case p.verbs[strings.ToLower(t.text)]:
	case p.accept(tokenName):
		if reserved[strings.ToLower(t.text)] {
			note(&p.reservedWord,
				"Attribute name is a reserved keyword; reserved keyword: "+t.text)
		}
		return step{name: t.text, placeholder: -1, index: -1}
	case p.accept(tokenPlaceholder):
		return step{placeholder: intern(&p.names, t.text), index: -1}
	}
	p.fail()
	return step{}
}

// readPath reads a document path.
func (p *parser) readPath() path {
	return p.pathRest(path{p.name()})
}

// pathRest reads the steps behind those that were read.
func (p *parser) pathRest(steps path) path {
	for !p.failed() {
		switch {
		case p.accept("."):
			steps = append(steps, p.name())
		case p.accept("["):
			t := p.next()
			p.expect(tokenIndex)
			p.expect("]")
			index, err := strconv.Atoi(t.text)
			if err != nil && !p.failed() {
				p.fail()
			}
			steps = append(steps, step{placeholder: -1, index: index})
		default:
			return steps
		}
	}
	return steps
}

// operand reads a path, a value, or a call.
func (p *parser) operand() *node {
	t := p.next()
	switch t.kind {
	case tokenValue:
		p.at++
		return &node{op: opValue, value: intern(&p.values, t.text)}
	case tokenName:
		if p.tokens[p.at+1].kind == "(" {
			return p.call()
		}
		return &node{op: opPath, path: p.readPath()}
	case tokenPlaceholder:
		return &node{op: opPath, path: p.readPath()}
	}
	p.fail()
	return nil
}

// call reads a function with its arguments, which may each stand in
// parentheses.
func (p *parser) call() *node {
	n := p.operator(p.next().text)
	n.call = true
	p.at += 2
	for !p.failed() {
		n.args = append(n.args, p.nested(p.wrappedOperand))
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return n
}

// wrappedOperand reads an operand in any number of parentheses.
func (p *parser) wrappedOperand() *node {
	if !p.accept("(") {
		return p.operand()
	}
	n := p.nested(p.wrappedOperand)
	p.expect(")")
	if p.failed() {
		return nil
	}
	p.wrap(n)
	return p.reach(n)
}

// reach goes on with a path whose beginning stood in parentheses.
func (p *parser) reach(n *node) *node {
	if k := p.next().kind; !p.reaches || n.op != opPath || k != "." && k != "[" {
		return n
	}
	return &node{op: opPath, path: p.pathRest(n.path)}
}

// wrap counts a pair of parentheses around a node; a second pair says nothing.
func (p *parser) wrap(n *node) {
	if n.wrapped++; n.wrapped > 1 {
		note(&p.redundant, "The expression has redundant parentheses;")
	}
}

// parseProjection reads paths between commas.
func parseProjection(source string) *expression {
	p := newParser(source)
	for !p.failed() {
		p.paths = append(p.paths, p.readPath())
		if !p.accept(",") {
			break
		}
	}
	return p.finish()
}
