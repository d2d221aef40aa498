package dynamodb

import "strings"

// A bound expression is a parsed one with the names and values of a request.
type bound struct {
	*expression
	names  []string // by the place of the placeholder
	values []value
}

// A binder gives a request's names and values to its expressions, and knows
// afterwards which of them no expression used.
type binder struct {
	cache      *expressionCache
	names      nameMap
	values     attributes
	usedNames  map[string]bool
	usedValues map[string]bool
}

// newBinder checks names and values by themselves. expressions tells whether
// the request has any; without, it must have neither names nor values. missing
// says which expressions values would need, as AWS words it.
func newBinder(
	cache *expressionCache, r *request, expressions bool, missing string,
) (*binder, *apiError) {
	b := &binder{cache: cache, names: r.names, values: r.values}
	if !expressions {
		switch {
		case r.names.present:
			return nil, validation(
				"ExpressionAttributeNames can only be specified when using expressions")
		case r.values.present && missing != "":
			return nil, validation(
				"ExpressionAttributeValues can only be specified when using expressions: " + missing)
		}
	}
	return b, nil
}

// check examines the names and values themselves; it comes after the checks of
// the request's own attributes.
func (b *binder) check() *apiError {
	if b.names.present && len(b.names.pairs) == 0 {
		return validation("ExpressionAttributeNames must not be empty")
	}
	for _, pair := range b.names.pairs {
		if !isPlaceholder(pair.placeholder, '#') {
			return validation("ExpressionAttributeNames contains invalid key: Syntax error; key: \"" +
				pair.placeholder + "\"")
		}
	}
	if !b.values.present {
		return nil
	}
	if len(b.values.item) == 0 {
		return validation("ExpressionAttributeValues must not be empty")
	}
	for i := range b.values.item {
		if name := b.values.item[i].name; !isPlaceholder(name, ':') {
			return validation("ExpressionAttributeValues contains invalid key: Syntax error; key: \"" +
				name + "\"")
		}
	}
	if b.values.problem != "" {
		return validation("ExpressionAttributeValues contains invalid value: " +
			b.values.problem + " for key " + b.values.problemName)
	}
	return nil
}

func isPlaceholder(text string, sign byte) bool {
	return len(text) > 1 && text[0] == sign && wordLength(text[1:]) == len(text)-1
}

// The limits of one expression: its bytes, its operators and functions, and the
// operands of IN.
const (
	expressionMax = 4096
	operatorsMax  = 300
	operandsMax   = 100
)

// bind parses and checks an expression that the request calls kind.
func (b *binder) bind(kind, source string, parse func(string) *expression) (*bound, *apiError) {
	refuse := func(problem string) (*bound, *apiError) {
		return nil, validation("Invalid " + kind + ": " + problem)
	}
	if source == "" {
		return refuse("The expression can not be empty;")
	}
	if len(source) > expressionMax {
		return refuse("Expression size has exceeded the maximum allowed size; expression size: " +
			itoa(len(source)))
	}
	e := b.cache.get(kind[0], source, parse)
	if e.problem != "" {
		return refuse(e.problem)
	}
	bound := &bound{expression: e}
	if len(e.names) > 0 {
		bound.names = make([]string, len(e.names))
	}
	if len(e.values) > 0 {
		bound.values = make([]value, len(e.values))
	}
	b.resolve(bound)
	check := checker{bound: bound, known: b}
	if problem := check.problem(); problem != "" {
		return refuse(problem)
	}
	return bound, nil
}

// resolve fills in what is defined; the checker finds what is not, in order.
func (b *binder) resolve(e *bound) {
	for i, placeholder := range e.expression.names {
		for _, pair := range b.names.pairs {
			if pair.placeholder == placeholder {
				e.names[i] = pair.name
			}
		}
		if b.usedNames == nil {
			b.usedNames = make(map[string]bool)
		}
		b.usedNames[placeholder] = true
	}
	for i, placeholder := range e.expression.values {
		e.values[i] = b.values.item.get(placeholder)
		if b.usedValues == nil {
			b.usedValues = make(map[string]bool)
		}
		b.usedValues[placeholder] = true
	}
}

func (b *binder) defines(placeholder string) bool {
	for _, pair := range b.names.pairs {
		if pair.placeholder == placeholder {
			return true
		}
	}
	return false
}

// unused refuses names and values that no expression used.
func (b *binder) unused() *apiError {
	var names, values []string
	for _, pair := range b.names.pairs {
		if !b.usedNames[pair.placeholder] {
			names = append(names, pair.placeholder)
		}
	}
	if len(names) > 0 {
		return validation("Value provided in ExpressionAttributeNames unused in expressions: " +
			"keys: {" + strings.Join(names, ", ") + "}")
	}
	for i := range b.values.item {
		if name := b.values.item[i].name; !b.usedValues[name] {
			values = append(values, name)
		}
	}
	if len(values) > 0 {
		return validation("Value provided in ExpressionAttributeValues unused in expressions: " +
			"keys: {" + strings.Join(values, ", ") + "}")
	}
	return nil
}
