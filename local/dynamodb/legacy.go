package dynamodb

// argumentCounts are how many values a comparison operator takes; those that
// are not here take one, and IN any number above none.
var argumentCounts = map[string]int{"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}

// legacyOperators are the operators as expressions write them.
var legacyOperators = map[string]string{
	"EQ": "=", "NE": "<>", "LT": "<", "LE": "<=", "GT": ">", "GE": ">=",
	"CONTAINS": "contains", "BEGINS_WITH": "begins_with",
}

// legacyGuard is Expected, QueryFilter or ScanFilter.
type legacyGuard struct {
	list   []legacyCondition
	anyOne bool
}

func (g legacyGuard) matches(it item) bool {
	for i := range g.list {
		if g.list[i].matches(it) == g.anyOne {
			return g.anyOne
		}
	}
	return !g.anyOne
}

func (c *legacyCondition) matches(it item) bool {
	v := it.get(c.name)
	if !c.operator.set {
		if c.hasExists && !c.exists {
			return v.kind == kindNone
		}
		return v.kind != kindNone && equal(v, c.value)
	}
	return c.test(v)
}

// operands are the values of the condition, wherever it has them.
func (c *legacyCondition) operands() []value {
	if c.hasValue {
		return []value{c.value}
	}
	return c.list
}

func (c *legacyCondition) test(v value) bool {
	operands := c.operands()
	switch c.operator.value {
	case "NULL":
		return v.kind == kindNone
	case "NOT_NULL":
		return v.kind != kindNone
	case "IN":
		for _, operand := range operands {
			if equal(v, operand) {
				return true
			}
		}
		return false
	case "BETWEEN":
		return inOrder(operands[0], v) && inOrder(v, operands[1])
	case "NOT_CONTAINS":
		return v.kind != kindNone && !contains(v, operands[0])
	}
	return testPair(legacyOperators[c.operator.value], v, operands[0])
}

// checkExpected checks the conditions of a write.
func (c *conditions) checkExpected() *apiError {
	for i := range c.list {
		if err := c.list[i].checkExpected(); err != nil {
			return err
		}
	}
	return nil
}

func (c *legacyCondition) checkExpected() *apiError {
	for _, v := range c.operands() {
		if v.kind == kindInvalid {
			return validation(v.text)
		}
	}
	problem := ""
	switch {
	case c.operator.set && c.hasExists:
		problem = "Exists and ComparisonOperator cannot be used together"
	case c.hasValue && c.hasList:
		problem = "Value and AttributeValueList cannot be used together"
	case c.operator.set && !c.hasValue && !c.hasList && c.needsOperand():
		problem = "Value or AttributeValueList must be used with ComparisonOperator: " +
			c.operator.value
	case !c.operator.set && c.hasList:
		problem = "AttributeValueList can only be used with a ComparisonOperator"
	case c.operator.set:
		return c.checkOperands()
	case c.hasExists && !c.exists && c.hasValue:
		problem = "Value cannot be used when Exists is false"
	case !c.hasExists && !c.hasValue:
		problem = "Value must be provided when Exists is null"
	case c.hasExists && c.exists && !c.hasValue:
		problem = "Value must be provided when Exists is true"
	default:
		return nil
	}
	return invalidParameters(problem + " for Attribute: " + c.name)
}

func (c *legacyCondition) needsOperand() bool {
	return c.operator.value != "NULL" && c.operator.value != "NOT_NULL"
}

// check checks a filter or key conditions.
func (c *conditions) check() *apiError {
	for i := range c.list {
		for _, v := range c.list[i].list {
			if v.kind == kindInvalid {
				return validation(v.text)
			}
		}
		if err := c.list[i].checkOperands(); err != nil {
			return err
		}
	}
	return nil
}

// checkOperands checks number, types and order of a condition's values.
func (c *legacyCondition) checkOperands() *apiError {
	op, operands := c.operator.value, c.operands()
	wanted, fixed := argumentCounts[op]
	if !fixed {
		wanted = 1
	}
	if op == "IN" && len(operands) == 0 || op != "IN" && len(operands) != wanted {
		return invalidParameters("Invalid number of argument(s) for the " + op +
			" ComparisonOperator")
	}
	for _, v := range operands {
		if v.kind != operands[0].kind {
			return invalidParameters(
				"AttributeValues inside AttributeValueList must be of same type")
		}
	}
	if len(operands) > 0 && !takesKind(op, operands[0].kind) {
		return invalidParameters("ComparisonOperator " + op + " is not valid for " +
			operands[0].kind.String() + " AttributeValue type")
	}
	if op == "BETWEEN" && !inOrder(operands[0], operands[1]) {
		return validation("The BETWEEN condition was provided a range where the lower bound is " +
			"greater than the upper bound")
	}
	return nil
}

// takesKind tells whether an operator can be used with values of the kind.
func takesKind(op string, k kind) bool {
	scalar := k == kindString || k == kindNumber || k == kindBinary
	switch op {
	case "LT", "LE", "GT", "GE", "IN", "BETWEEN":
		return scalar
	case "BEGINS_WITH":
		return k == kindString || k == kindBinary
	case "CONTAINS", "NOT_CONTAINS":
		return scalar || k == kindBool || k == kindNull
	}
	return true
}
