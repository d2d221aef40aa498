package dynamodb

import "strings"

// A checker finds what is wrong with an expression only once its names and
// values are known. The order of its checks is AWS's.
type checker struct {
	*bound
	known *binder
}

func (c *checker) problem() string {
	switch {
	case c.root != nil:
		return c.condition(c.root)
	case c.actions != nil:
		return c.update()
	}
	for _, p := range c.paths {
		if problem := c.undefinedName(p); problem != "" {
			return problem
		}
	}
	return c.overlaps(c.paths)
}

// first returns the first problem that a check finds among nodes.
func first(nodes []*node, check func(*node) string) string {
	for _, n := range nodes {
		if problem := check(n); problem != "" {
			return problem
		}
	}
	return ""
}

// condition checks a condition from its leaves up.
func (c *checker) condition(n *node) string {
	switch n.op {
	case opPath:
		return c.undefinedName(n.path)
	case opValue:
		return c.undefinedValue(n)
	}
	if problem := first(n.args, c.condition); problem != "" {
		return problem
	}
	switch n.op {
	case "AND", "OR", "NOT":
		return ""
	case "BETWEEN":
		if problem := c.orderable(n.op, n.args); problem != "" {
			return problem
		}
		return c.bounds(n.args[1], n.args[2])
	case "<", "<=", ">", ">=":
		if problem := c.orderable(n.op, n.args); problem != "" {
			return problem
		}
		return c.distinct(n)
	case "=", "<>":
		return c.distinct(n)
	case "IN":
		return ""
	}
	return c.call(n)
}

func (c *checker) undefined(n *node) string {
	switch n.op {
	case opPath:
		return c.undefinedName(n.path)
	case opValue:
		return c.undefinedValue(n)
	}
	return first(n.args, c.undefined)
}

func (c *checker) undefinedName(p path) string {
	for _, s := range p {
		if s.placeholder < 0 {
			continue
		}
		if name := c.expression.names[s.placeholder]; !c.known.defines(name) {
			return "An expression attribute name used in the document path is not defined; " +
				"attribute name: " + name
		}
	}
	return ""
}

func (c *checker) undefinedValue(n *node) string {
	if c.values[n.value].kind == kindNone {
		return "An expression attribute value used in expression is not defined; " +
			"attribute value: " + c.expression.values[n.value]
	}
	return ""
}

var operandCounts = map[string]int{
	"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2,
	"contains": 2, "size": 1, "if_not_exists": 2, "list_append": 2,
}

func wrongCount(n *node) string {
	if len(n.args) == operandCounts[n.op] {
		return ""
	}
	return "Incorrect number of operands for operator or function; operator or function: " +
		n.op + ", number of operands: " + itoa(len(n.args))
}

// call checks a function of conditions.
func (c *checker) call(n *node) string {
	if problem := wrongCount(n); problem != "" {
		return problem
	}
	switch n.op {
	case "attribute_exists", "attribute_not_exists":
		return needsPath(n)
	case "attribute_type":
		return c.attributeType(n)
	case "begins_with":
		for _, arg := range n.args {
			if k := c.kindOf(arg); k != kindNone && k != kindString && k != kindBinary {
				return wrongOperand(n.op, k)
			}
		}
	case "size":
		switch k := c.kindOf(n.args[0]); k {
		case kindNumber, kindBool, kindNull:
			return wrongOperand(n.op, k)
		}
		return ""
	}
	return c.distinct(n)
}

func needsPath(n *node) string {
	if n.args[0].op == opPath {
		return ""
	}
	return "Operator or function requires a document path; operator or function: " + n.op
}

func wrongOperand(op string, k kind) string {
	return "Incorrect operand type for operator or function; operator or function: " + op +
		", operand type: " + k.String()
}

// attributeType checks that the second operand is a value that names a type.
func (c *checker) attributeType(n *node) string {
	if problem := c.distinct(n); problem != "" {
		return problem
	}
	name := n.args[1]
	if name.op == "size" {
		return wrongOperand(n.op, kindNumber)
	}
	if name.op != opValue {
		return "Incorrect operand type for operator or function; operator or function: " +
			"attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
	}
	v := c.values[name.value]
	if v.kind != kindString {
		return wrongOperand(n.op, v.kind)
	}
	for _, known := range kindNames {
		if known != "" && known == v.text {
			return ""
		}
	}
	return "Invalid attribute type name found; type: " + v.text +
		", valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
}

// kindOf is the kind of an operand as far as it is known without an item.
func (c *checker) kindOf(n *node) kind {
	switch {
	case n.op == opValue:
		return c.values[n.value].kind
	case n.op == "size":
		return kindNumber
	}
	return kindNone
}

// orderable refuses operands that have no order.
func (c *checker) orderable(op string, args []*node) string {
	for _, arg := range args {
		switch k := c.kindOf(arg); k {
		case kindNone, kindString, kindNumber, kindBinary:
		default:
			return wrongOperand(op, k)
		}
	}
	return ""
}

// bounds checks a range whose both ends are values.
func (c *checker) bounds(low, high *node) string {
	if low.op != opValue || high.op != opValue {
		return ""
	}
	a, b := c.values[low.value], c.values[high.value]
	operands := "lower bound operand: AttributeValue: " + a.describe() +
		", upper bound operand: AttributeValue: " + b.describe()
	if a.kind != b.kind {
		return "The BETWEEN operator requires same data type for lower and upper bounds; " +
			operands
	}
	if order, ok := compare(a, b); ok && order > 0 {
		return "The BETWEEN operator requires upper bound to be greater than or equal to lower " +
			"bound; " + operands
	}
	return ""
}

// distinct refuses to compare a path with itself.
func (c *checker) distinct(n *node) string {
	if len(n.args) < 2 || n.args[0].op != opPath {
		return ""
	}
	left := n.args[0].path.describe(c.names)
	for _, arg := range n.args[1:] {
		if arg.op == opPath && arg.path.describe(c.names) == left {
			return "The first operand must be distinct from the remaining operands for this " +
				"operator or function; operator: " + n.op + ", first operand: " + left
		}
	}
	return ""
}

// overlaps refuses two paths of which one contains the other, and two that
// take the same attribute for a list and for a map.
func (c *checker) overlaps(paths []path) string {
	const advice = "; must remove or rewrite one of these paths; path one: "
	conflict := ""
	for i := 1; i < len(paths); i++ {
		for j := range i {
			one, two := paths[j], paths[i]
			switch c.relate(one, two) {
			case "overlap":
				return "Two document paths overlap with each other" + advice +
					one.describe(c.names) + ", path two: " + two.describe(c.names)
			case "conflict":
				note(&conflict, "Two document paths conflict with each other"+advice+
					one.describe(c.names)+", path two: "+two.describe(c.names))
			}
		}
	}
	return conflict
}

// relate compares two paths step by step.
func (c *checker) relate(a, b path) string {
	for i := range min(len(a), len(b)) {
		if (a[i].index >= 0) != (b[i].index >= 0) {
			return "conflict"
		}
		if a[i].index >= 0 && a[i].index != b[i].index ||
			a[i].index < 0 && a[i].resolve(c.names) != b[i].resolve(c.names) {
			return ""
		}
	}
	return "overlap"
}

// update checks an update expression: placeholders, paths against each other,
// ADD and DELETE, and then the functions and operators of SET.
func (c *checker) update() string {
	paths := make([]path, len(c.actions))
	for i, a := range c.actions {
		paths[i] = a.target
		if problem := c.undefinedName(a.target); problem != "" {
			return problem
		}
		if a.value != nil {
			if problem := c.undefined(a.value); problem != "" {
				return problem
			}
		}
	}
	if problem := c.overlaps(paths); problem != "" {
		return problem
	}
	for _, a := range c.actions {
		if problem := c.addOrDelete(a); problem != "" {
			return problem
		}
	}
	for _, a := range c.actions {
		if a.verb == "SET" {
			if problem := c.operands(a.value); problem != "" {
				return problem
			}
		}
	}
	return ""
}

func (c *checker) addOrDelete(a action) string {
	if a.verb != "ADD" && a.verb != "DELETE" {
		return ""
	}
	v := c.values[a.value.value]
	if v.isSet() || v.kind == kindNumber && a.verb == "ADD" {
		return ""
	}
	return "Incorrect operand type for operator or function; operator: " + a.verb +
		", operand type: " + longNames[v.kind]
}

// operands checks functions and operators of SET from the outside in.
func (c *checker) operands(n *node) string {
	if n.call {
		if problem := wrongCount(n); problem != "" {
			return problem
		}
		if n.op == "if_not_exists" {
			if problem := needsPath(n); problem != "" {
				return problem
			}
		}
	}
	if n.op == "list_append" || n.op == "+" || n.op == "-" {
		wanted := kindNumber
		if n.op == "list_append" {
			wanted = kindList
		}
		for _, arg := range n.args {
			if k := c.kindOf(arg); k != kindNone && k != wanted {
				return wrongOperand(n.op, k)
			}
		}
	}
	return first(n.args, c.operands)
}

// keyAccess refuses a path that reaches inside a key, which is a scalar.
func keyAccess(t *table, e *bound) *apiError {
	for _, p := range e.allPaths() {
		if len(p) < 2 {
			continue
		}
		name := p[0].resolve(e.names)
		label := ""
		if t.schema.has(name) {
			label = "Key: "
		} else if t.indexKey(name) {
			label = "IndexKey: "
		}
		if label != "" {
			return validation("Key attributes must be scalars; list random access '[]' and map " +
				"lookup '.' are not allowed: " + label + name)
		}
	}
	return nil
}

// allPaths are the paths that occur anywhere in an expression, in order.
func (e *bound) allPaths() []path {
	var found []path
	var walk func(n *node)
	walk = func(n *node) {
		if n == nil {
			return
		}
		if n.op == opPath {
			found = append(found, n.path)
		}
		for _, arg := range n.args {
			walk(arg)
		}
	}
	walk(e.root)
	for _, a := range e.actions {
		found = append(found, a.target)
		walk(a.value)
	}
	return append(found, e.paths...)
}

// list joins names as messages do.
func list(names []string) string { return "{" + strings.Join(names, ", ") + "}" }
