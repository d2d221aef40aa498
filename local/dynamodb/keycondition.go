package dynamodb

// A keyCondition restricts one part of a key. op is =, <, <=, >, >=, BETWEEN or
// begins_with, or the name of a legacy operator that no key takes.
type keyCondition struct {
	name     string
	op       string
	operands []value
}

func (c *keyCondition) matches(v value) bool {
	if c.op == "BETWEEN" {
		return inOrder(c.operands[0], v) && inOrder(v, c.operands[1])
	}
	return testPair(c.op, v, c.operands[0])
}

func wrongLength() *apiError {
	return validation("Conditions can be of length 1 or 2 only")
}

// legacyKeys turns KeyConditions into the form of expressions.
func (c *conditions) legacyKeys() ([]keyCondition, *apiError) {
	if len(c.list) < 1 || len(c.list) > 2 {
		return nil, wrongLength()
	}
	keys := make([]keyCondition, len(c.list))
	for i, one := range c.list {
		op := one.operator.value
		if modern, ok := legacyOperators[op]; ok {
			op = modern
		}
		keys[i] = keyCondition{one.name, op, one.list}
	}
	return keys, nil
}

var keyOperators = map[string]bool{
	"=": true, "<": true, "<=": true, ">": true, ">=": true, "BETWEEN": true, "begins_with": true,
}

// mirrored is the operator with its operands exchanged.
var mirrored = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// keyConditions reads the conditions out of a KeyConditionExpression.
func (e *bound) keyConditions() ([]keyCondition, *apiError) {
	var keys []keyCondition
	if err := e.collectKeys(e.root, &keys); err != nil {
		return nil, err
	}
	for i := range keys {
		for j := range i {
			if keys[i].name == keys[j].name {
				return nil, validation(
					"KeyConditionExpressions must only contain one condition per key")
			}
		}
	}
	if len(keys) > 2 {
		return nil, wrongLength()
	}
	return keys, nil
}

func (e *bound) collectKeys(n *node, into *[]keyCondition) *apiError {
	if n.op == "AND" {
		if err := e.collectKeys(n.args[0], into); err != nil {
			return err
		}
		return e.collectKeys(n.args[1], into)
	}
	if !keyOperators[n.op] {
		return validation("Invalid operator used in KeyConditionExpression: " + n.op)
	}
	key := keyCondition{op: n.op}
	for i, arg := range n.args {
		switch arg.op {
		case opValue:
			if i == 0 && mirrored[n.op] == "" {
				return validation("Invalid condition in KeyConditionExpression: " + n.op +
					" operator must have the key attribute as its first operand")
			}
			if i == 0 {
				key.op = mirrored[n.op]
			}
			key.operands = append(key.operands, e.values[arg.value])
		case opPath:
			if key.name != "" {
				return validation("Invalid condition in KeyConditionExpression: Multiple " +
					"attribute names used in one condition")
			}
			if len(arg.path) > 1 {
				return validation(
					"KeyConditionExpressions cannot have conditions on nested attributes")
			}
			key.name = arg.path[0].resolve(e.names)
		default:
			return validation("KeyConditionExpressions cannot contain nested operations")
		}
	}
	if key.name == "" {
		return validation("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	*into = append(*into, key)
	return nil
}

// A querySchema is what a query or a scan reads: the table, or an index of it.
type querySchema struct {
	t    *table
	x    *index // nil for the table
	keys keySchema
}

func missedKey(name string) *apiError {
	return validation("Query condition missed key schema element: " + name)
}

// choose finds the conditions on the hash and on the range key; the latter is
// nil when there is none.
func (q querySchema) choose(
	keys []keyCondition, start attributes,
) (hash, sort *keyCondition, err *apiError) {
	unsupported := validation("Query key condition not supported")
	if len(keys) == 2 && q.keys.sort.name == "" {
		return nil, nil, unsupported
	}
	if err := q.checkStartHash(start); err != nil {
		return nil, nil, err
	}
	for i := range keys {
		switch keys[i].name {
		case q.keys.hash.name:
			hash = &keys[i]
		case q.keys.sort.name:
			sort = &keys[i]
		}
	}
	if hash == nil {
		return nil, nil, missedKey(q.keys.hash.name)
	}
	if err := q.checkStartRange(start); err != nil {
		return nil, nil, err
	}
	if len(keys) == 2 && sort == nil {
		return nil, nil, missedKey(q.keys.sort.name)
	}
	if err := q.checkStartTable(start); err != nil {
		return nil, nil, err
	}
	return hash, sort, q.checkOperators(hash, sort)
}

// checkOperators checks that keys can be searched with the operators, and that
// the values have the keys' types.
func (q querySchema) checkOperators(hash, sort *keyCondition) *apiError {
	for _, key := range []*keyCondition{hash, sort} {
		if key != nil && !keyOperators[key.op] {
			return validation("Attempted conditional constraint is not an indexable operation")
		}
	}
	for _, part := range q.keys.attributes() {
		for _, key := range []*keyCondition{hash, sort} {
			if key == nil || key.name != part.name {
				continue
			}
			for _, operand := range key.operands {
				if operand.kind != part.kind {
					return invalidParameters("Condition parameter type does not match schema type")
				}
			}
		}
	}
	if hash.op != "=" {
		return validation("Query key condition not supported")
	}
	for _, key := range []*keyCondition{hash, sort} {
		if key == nil {
			continue
		}
		for _, operand := range key.operands {
			if operand.kind != kindNumber && operand.text == "" && key.op != "begins_with" {
				return invalidParameters("One or more parameter values are not valid. The " +
					"AttributeValue for a key attribute cannot contain an empty string value. Key: " +
					key.name)
			}
		}
	}
	return nil
}

const badStart = "The provided starting key is invalid"

// startSize is how many attributes a starting key has: the index's keys and
// the table's.
func (q querySchema) startSize() int {
	parts := len(q.keys.attributes())
	if q.x == nil {
		return parts
	}
	for _, part := range q.t.schema.attributes() {
		if !q.keys.has(part.name) {
			parts++
		}
	}
	return parts
}

func (q querySchema) checkStartHash(start attributes) *apiError {
	if !start.present {
		return nil
	}
	hash := start.item.get(q.keys.hash.name)
	if len(start.item) != q.startSize() || hash.kind == kindNone {
		return validation(badStart)
	}
	if hash.kind != q.keys.hash.kind {
		return validation(keyMismatch)
	}
	return nil
}

func (q querySchema) checkStartRange(start attributes) *apiError {
	if !start.present || q.keys.sort.name == "" {
		return nil
	}
	switch start.item.get(q.keys.sort.name).kind {
	case q.keys.sort.kind:
		return nil
	case kindNone:
		return validation(badStart)
	}
	return validation(keyMismatch)
}

// checkStartTable checks the part of an index's starting key that is the
// table's.
func (q querySchema) checkStartTable(start attributes) *apiError {
	if !start.present {
		return nil
	}
	for _, part := range q.t.schema.attributes() {
		if start.item.get(part.name).kind != part.kind {
			return validation(badStart + ": " + keyMismatch)
		}
	}
	return nil
}

// checkStartConditions checks a starting key against the conditions.
func (q querySchema) checkStartConditions(start attributes, hash, sort *keyCondition) *apiError {
	if !start.present {
		return nil
	}
	sameHash := equal(start.item.get(hash.name), hash.operands[0])
	if sort == nil {
		if sameHash {
			return nil
		}
		return validation("The provided starting key is outside query boundaries based on " +
			"provided conditions")
	}
	if !sort.matches(start.item.get(sort.name)) {
		return validation("The provided starting key does not match the range key predicate")
	}
	if !sameHash || q.x == nil && sort.op == "=" {
		return validation("The query can return at most one row and cannot be restarted")
	}
	return nil
}

// place is where the entry with a starting key stands.
func (q querySchema) place(key item) string {
	if q.x == nil {
		return q.keys.place(key)
	}
	place, _ := q.x.place(q.t, key)
	return place
}

// startKey is the key from which a page after an item goes on.
func (q querySchema) startKey(it item) item {
	key := make(item, 0, 4)
	for i := range it {
		if q.keys.has(it[i].name) || q.t.schema.has(it[i].name) {
			key = append(key, it[i])
		}
	}
	return key
}
