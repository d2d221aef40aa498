package asl

import (
	"strings"

	"portolan/local/states/value"
)

// A Template is a payload template: a document in which the value of each
// member whose name ends in ".$" is an expression.
type Template struct{ root node }

// A node is static, an expression, an object or an array.
type node struct {
	static any
	expr   *Expr
	field  string // whose expression it is, as written
	names  []string
	parts  []node
	kind   nodeKind
}

type nodeKind int

const (
	staticNode nodeKind = iota
	exprNode
	objectNode
	arrayNode
)

// template compiles doc. It reports each malformed expression, and goes on.
func template(doc any, report func(field, expr string)) *Template {
	return &Template{compile(doc, report)}
}

func compile(doc any, report func(field, expr string)) node {
	switch doc := doc.(type) {
	case *value.Object:
		return compileObject(doc, report)
	case []any:
		n := node{kind: arrayNode, static: doc}
		dynamic := false
		for _, v := range doc {
			part := compile(v, report)
			dynamic = dynamic || part.kind != staticNode
			n.parts = append(n.parts, part)
		}
		if dynamic {
			return n
		}
	}
	return node{static: doc}
}

func compileObject(doc *value.Object, report func(field, expr string)) node {
	n := node{kind: objectNode, static: doc}
	dynamic := false
	for i := range doc.Len() {
		name, v := doc.At(i)
		part := node{}
		if plain, ok := strings.CutSuffix(name, ".$"); ok {
			text, _ := v.(string)
			expr, err := ParseExpr(text)
			if err != nil {
				report(name, text)
				continue
			}
			part = node{kind: exprNode, expr: expr, field: name}
			name = plain
		} else {
			part = compile(v, report)
		}
		dynamic = dynamic || part.kind != staticNode
		n.names = append(n.names, name)
		n.parts = append(n.parts, part)
	}
	if !dynamic {
		return node{static: doc}
	}
	return n
}

// Eval fills the template in. Its error is a *Failure.
func (t *Template) Eval(s *Scope) (any, error) { return t.root.eval(s) }

func (n *node) eval(s *Scope) (any, error) {
	switch n.kind {
	case exprNode:
		return n.expr.Eval(s, n.field)
	case objectNode:
		o := value.NewObject(len(n.parts))
		for i := range n.parts {
			v, err := n.parts[i].eval(s)
			if err != nil {
				return nil, err
			}
			o.Set(n.names[i], v)
		}
		return o, nil
	case arrayNode:
		a := make([]any, len(n.parts))
		for i := range n.parts {
			v, err := n.parts[i].eval(s)
			if err != nil {
				return nil, err
			}
			a[i] = v
		}
		return a, nil
	}
	return n.static, nil
}
