package dynamodb

import "strings"

var updateFunctions = map[string]bool{"if_not_exists": true, "list_append": true}

var updateVerbs = map[string]bool{"set": true, "remove": true, "add": true, "delete": true}

// parseUpdate reads the sections of an update expression.
func parseUpdate(source string) *expression {
	p := newParser(source)
	p.verbs = updateVerbs
	seen := make(map[string]bool)
	for first := true; !p.failed() && (first || p.next().kind != tokenEnd); first = false {
		verb := strings.ToUpper(p.next().text)
		if !p.accept(tokenName) {
			p.fail()
			break
		}
		if seen[verb] {
			note(&p.section, `The "`+verb+
				`" section can only be used once in an update expression;`)
		}
		seen[verb] = true
		p.updateSection(verb)
	}
	return p.finish()
}

func (p *parser) updateSection(verb string) {
	for !p.failed() {
		a := action{verb: verb}
		switch verb {
		case "SET":
			a.target = p.readPath()
			p.expect("=")
			a.value = p.setValue()
		case "REMOVE":
			a.target = p.readPath()
		case "ADD", "DELETE":
			a.target = p.readPath()
			t := p.next()
			p.expect(tokenValue)
			if !p.failed() {
				a.value = &node{op: opValue, value: intern(&p.values, t.text)}
			}
		default:
			p.at--
			p.fail()
		}
		p.actions = append(p.actions, a)
		if !p.accept(",") {
			return
		}
	}
}

// setValue reads the right side of SET: an operand, or a sum or difference of
// two.
func (p *parser) setValue() *node {
	if p.next().kind == "(" {
		at := p.at
		if n := p.sumInParentheses(); n != nil {
			return n
		}
		p.at = at
	}
	left := p.setOperand()
	op := p.next().kind
	if !p.accept("+") && !p.accept("-") {
		return left
	}
	return p.operator(op, left, p.setOperand())
}

// sumInParentheses reads (a + b), and returns nil where the parentheses turn
// out to stand around the first operand only.
func (p *parser) sumInParentheses() *node {
	depth := 0
	for i := p.at; i < len(p.tokens); i++ {
		switch p.tokens[i].kind {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth == 0 {
			if k := p.tokens[min(i+1, len(p.tokens)-1)].kind; k == "+" || k == "-" {
				return nil
			}
			break
		}
	}
	p.accept("(")
	n := p.nested(p.setValue)
	p.expect(")")
	return n
}

func (p *parser) setOperand() *node {
	n := p.nested(p.wrappedOperand)
	if n != nil {
		p.checkUpdateCall(n)
	}
	return n
}

func (p *parser) checkUpdateCall(n *node) {
	if n.call && !updateFunctions[n.op] {
		note(&p.badFunction, "Invalid function name; function: "+n.op)
	}
	for _, arg := range n.args {
		if arg != nil {
			p.checkUpdateCall(arg)
		}
	}
}
