package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A condition compares the values of one key of a request with those wanted.
type condition struct {
	operator string
	quantity string // ForAllValues, ForAnyValue, or empty for keys with one value
	ifExists bool
	key      string
	wanted   []string
}

// operators compare one value of a request with one that is wanted.
var operators = map[string]func(wanted, value string) bool{
	"StringEquals":           func(wanted, value string) bool { return wanted == value },
	"StringEqualsIgnoreCase": strings.EqualFold,
	"StringLike":             like,
	"ArnLike":                likeARN,
	"ArnEquals":              likeARN,
}

func parseConditions(value any) ([]condition, error) {
	blocks, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is %T", value)
	}
	var out []condition
	for _, written := range slices.Sorted(maps.Keys(blocks)) {
		keys, ok := blocks[written].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is %T", written, blocks[written])
		}
		c := condition{operator: written}
		if quantity, operator, ok := strings.Cut(written, ":"); ok {
			c.quantity, c.operator = quantity, operator
		}
		c.operator, c.ifExists = strings.CutSuffix(c.operator, "IfExists")
		if operators[c.operator] == nil && c.operator != "Null" ||
			!slices.Contains([]string{"", "ForAllValues", "ForAnyValue"}, c.quantity) {
			return nil, fmt.Errorf("the operator %s is not known here", written)
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			wanted, err := texts(keys[key])
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", key, written, err)
			}
			c.key, c.wanted = strings.ToLower(key), wanted
			out = append(out, c)
		}
	}
	return out, nil
}

func (c condition) holds(context map[string][]string) bool {
	values, present := context[c.key]
	if c.operator == "Null" {
		return len(c.wanted) == 1 && (c.wanted[0] == "true") == !present
	}
	if !present && c.ifExists {
		return true
	}
	matches := func(value string) bool {
		return slices.ContainsFunc(c.wanted, func(wanted string) bool { return operators[c.operator](wanted, value) })
	}
	switch c.quantity {
	case "ForAllValues":
		return !slices.ContainsFunc(values, func(value string) bool { return !matches(value) })
	case "ForAnyValue":
		return slices.ContainsFunc(values, matches)
	}
	return len(values) == 1 && matches(values[0])
}

// like compares with a pattern in which * stands for any text and ? for one
// character.
func like(pattern, text string) bool {
	// star is the last * of the pattern, and from where its text was taken to begin.
	star, from := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// likeARN compares with a pattern whose * does not reach over the colons of an ARN
// but in its last part.
func likeARN(pattern, arn string) bool {
	if pattern == "*" || pattern == arn {
		return true
	}
	patterns, parts := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(patterns) != len(parts) {
		return false
	}
	for i := range parts {
		if !like(patterns[i], parts[i]) {
			return false
		}
	}
	return true
}
