package dynamodb

import "strings"

// conditionFunctions tells of each function whether it is a condition by
// itself; size is an operand.
var conditionFunctions = map[string]bool{
	"attribute_exists": true, "attribute_not_exists": true, "attribute_type": true,
	"begins_with": true, "contains": true, "size": false,
}

// parseCondition reads a condition, a filter or a key condition.
func parseCondition(source string) *expression {
	p := newParser(source)
	p.reaches = true
	p.root = p.or()
	if !p.failed() && p.next().kind == tokenEnd {
		p.checkCondition(p.root)
	}
	return p.finish()
}

func (p *parser) or() *node {
	left := p.and()
	for p.accept("or") {
		left = p.operator("OR", left, p.and())
	}
	return left
}

func (p *parser) and() *node {
	left := p.not()
	for p.accept("and") {
		left = p.operator("AND", left, p.not())
	}
	return left
}

func (p *parser) not() *node {
	if p.accept("not") {
		return p.operator("NOT", p.nested(p.not))
	}
	return p.comparison()
}

// comparison reads a condition without AND, OR and NOT. A parenthesis may open
// a whole condition or only its first operand; which one is known behind it.
func (p *parser) comparison() *node {
	var left *node
	if p.accept("(") {
		left = p.nested(p.or)
		p.expect(")")
		if p.failed() {
			return nil
		}
		p.wrap(left)
		left = p.reach(left)
	} else {
		left = p.operand()
	}
	if p.failed() {
		return nil
	}
	return p.comparisonRest(left)
}

func (p *parser) comparisonRest(left *node) *node {
	t := p.next()
	switch t.kind {
	case "=", "<>", "<", "<=", ">", ">=":
		p.at++
		return p.operator(t.kind, left, p.nested(p.wrappedOperand))
	case "between":
		p.at++
		low := p.nested(p.wrappedOperand)
		p.expect("and")
		return p.operator("BETWEEN", left, low, p.nested(p.wrappedOperand))
	case "in":
		p.at++
		n := p.operator("IN", left)
		p.expect("(")
		for !p.failed() {
			n.args = append(n.args, p.nested(p.wrappedOperand))
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
		if count := len(n.args) - 1; count > operandsMax {
			note(&p.tooMany, "The IN operator is provided with too many operands; "+
				"number of operands: "+itoa(count))
		}
		return n
	}
	return left
}

// isCondition tells whether a node is true or false, rather than a value.
func (n *node) isCondition() bool {
	if n.call {
		return conditionFunctions[n.op]
	}
	return n.op != opPath && n.op != opValue
}

// checkCondition finds operands where a condition is wanted, conditions where
// an operand is, and functions that do not exist.
func (p *parser) checkCondition(n *node) {
	if n == nil {
		return
	}
	if !n.call && !n.isCondition() {
		p.at = len(p.tokens) - 1
		p.fail()
		return
	}
	if n.call {
		p.checkCall(n, true)
		return
	}
	for _, arg := range n.args {
		if n.op == "AND" || n.op == "OR" || n.op == "NOT" {
			p.checkCondition(arg)
		} else {
			p.checkOperand(arg)
		}
	}
}

func (p *parser) checkOperand(n *node) {
	switch {
	case n.call:
		p.checkCall(n, false)
	case n.isCondition():
		p.at = len(p.tokens) - 1
		p.fail()
	}
}

// checkCall checks a function and the functions inside it. asCondition tells
// where it stands.
func (p *parser) checkCall(n *node, asCondition bool) {
	condition, known := conditionFunctions[n.op]
	switch {
	case !known:
		note(&p.badFunction, "Invalid function name; function: "+n.op)
	case condition != asCondition:
		note(&p.misused, "The function is not allowed to be used this way in an expression; "+
			"function: "+n.op)
	}
	for _, arg := range n.args {
		if arg.call {
			p.checkCall(arg, false)
		}
	}
}

// describe is a path as messages print it.
func (p path) describe(names []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.describe(names))
	}
	b.WriteByte(']')
	return b.String()
}

func (s step) describe(names []string) string {
	if s.index >= 0 {
		return "[" + itoa(s.index) + "]"
	}
	return s.resolve(names)
}

// resolve is the name of a step that is no index.
func (s step) resolve(names []string) string {
	if s.placeholder >= 0 {
		return names[s.placeholder]
	}
	return s.name
}
