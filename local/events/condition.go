package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// A condition holds for one leaf of an event: a string, a number, a bool or
// nil. Where the leaf is absent, value is nil and present is false.
type condition interface {
	holds(value any, present bool) bool
}

type conditionFunc func(value any, present bool) bool

func (f conditionFunc) holds(value any, present bool) bool { return f(value, present) }

func parseCondition(item any) (condition, error) {
	members, ok := item.(map[string]any)
	if !ok {
		return exact(item)
	}
	if len(members) != 1 {
		return nil, errors.New("Only one key allowed in match expression")
	}
	for operator, operand := range members {
		return parseOperator(operator, operand)
	}
	return nil, nil
}

func parseOperator(operator string, operand any) (condition, error) {
	switch operator {
	case "anything-but":
		return anythingBut(operand)
	case "numeric":
		return numeric(operand)
	case "exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, errors.New("exists match pattern must be either true or false.")
		}
		return conditionFunc(func(_ any, present bool) bool { return present == want }), nil
	case "cidr":
		return cidr(operand)
	}
	return onStrings(operator, operand)
}

func exact(want any) (condition, error) {
	switch w := want.(type) {
	case json.Number:
		number, err := w.Float64()
		if err != nil {
			return nil, fmt.Errorf("%s is out of range", w)
		}
		return conditionFunc(func(value any, _ bool) bool {
			got, ok := toNumber(value)
			return ok && got == number
		}), nil
	case string, bool, nil:
		return conditionFunc(func(value any, present bool) bool { return present && value == want }), nil
	}
	return nil, errors.New("Match value must be String, number, true, false, or null")
}

func toNumber(value any) (float64, bool) {
	switch n := value.(type) {
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case float64:
		return n, true
	case uint64: // CBOR tells whole numbers apart
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

// onStrings are the operators that look at a string alone.
func onStrings(operator string, operand any) (condition, error) {
	match, err := stringMatch(operator, operand)
	if err != nil {
		return nil, err
	}
	return conditionFunc(func(value any, _ bool) bool {
		s, ok := value.(string)
		return ok && match(s)
	}), nil
}

func stringMatch(operator string, operand any) (func(string) bool, error) {
	if folded, ok := operand.(map[string]any); ok && (operator == "prefix" || operator == "suffix") {
		want, ok := folded["equals-ignore-case"].(string)
		if !ok || len(folded) != 1 {
			return nil, fmt.Errorf("%s match pattern must be a string", operator)
		}
		match, err := stringMatch(operator, strings.ToLower(want))
		return func(s string) bool { return match(strings.ToLower(s)) }, err
	}
	want, ok := operand.(string)
	if !ok {
		return nil, fmt.Errorf("%s match pattern must be a string", operator)
	}
	switch operator {
	case "prefix":
		return func(s string) bool { return strings.HasPrefix(s, want) }, nil
	case "suffix":
		return func(s string) bool { return strings.HasSuffix(s, want) }, nil
	case "equals-ignore-case":
		return func(s string) bool { return strings.EqualFold(s, want) }, nil
	case "wildcard":
		steps, err := parseWildcard(want)
		return func(s string) bool { return wildcard(steps, s) }, err
	}
	return nil, fmt.Errorf("Unrecognized match type %s", operator)
}

// parseWildcard splits at each * that no backslash escapes.
func parseWildcard(pattern string) ([]string, error) {
	var steps []string
	var step strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*':
			if i > 0 && pattern[i-1] == '*' && step.Len() == 0 {
				return nil, errors.New("Consecutive wildcard characters at pos " + strconv.Itoa(i-1))
			}
			steps = append(steps, step.String())
			step.Reset()
		case '\\':
			i++
			if i == len(pattern) || pattern[i] != '*' && pattern[i] != '\\' {
				return nil, errors.New("Invalid escape character at pos " + strconv.Itoa(i-1))
			}
			step.WriteByte(pattern[i])
		default:
			step.WriteByte(pattern[i])
		}
	}
	return append(steps, step.String()), nil
}

func wildcard(steps []string, s string) bool {
	if len(steps) == 1 {
		return s == steps[0]
	}
	s, ok := strings.CutPrefix(s, steps[0])
	if !ok {
		return false
	}
	last := len(steps) - 1
	for _, step := range steps[1:last] {
		at := strings.Index(s, step)
		if at < 0 {
			return false
		}
		s = s[at+len(step):]
	}
	return strings.HasSuffix(s, steps[last])
}

// anythingBut holds for a leaf that is there and for which what it negates does
// not hold.
func anythingBut(operand any) (condition, error) {
	var negated []condition
	switch v := operand.(type) {
	case []any:
		if len(v) == 0 {
			return nil, errors.New("Empty arrays are not allowed")
		}
		for _, item := range v {
			c, err := exact(item)
			if err != nil {
				return nil, err
			}
			negated = append(negated, c)
		}
	case map[string]any:
		return anythingButOperator(v)
	default:
		c, err := exact(v)
		if err != nil {
			return nil, err
		}
		negated = append(negated, c)
	}
	return none(negated), nil
}

func anythingButOperator(members map[string]any) (condition, error) {
	if len(members) != 1 {
		return nil, errors.New("Only one key allowed in match expression")
	}
	var negated []condition
	for operator, operand := range members {
		wanted, ok := operand.([]any)
		if !ok {
			wanted = []any{operand}
		}
		for _, want := range wanted {
			c, err := onStrings(operator, want)
			if err != nil {
				return nil, fmt.Errorf("Unsupported anything-but pattern: %s", operator)
			}
			negated = append(negated, c)
		}
	}
	return none(negated), nil
}

func none(negated []condition) condition {
	return conditionFunc(func(value any, present bool) bool {
		for _, c := range negated {
			if c.holds(value, present) {
				return false
			}
		}
		return present
	})
}

// numeric reads ["=", 5], or one or two bounds such as [">", 0, "<=", 5].
func numeric(operand any) (condition, error) {
	list, ok := operand.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		return nil, errors.New("Invalid member in numeric match")
	}
	low, high := math.Inf(-1), math.Inf(1)
	lowOpen, highOpen := false, false
	for i := 0; i < len(list); i += 2 {
		bound, ok := toNumber(list[i+1])
		if !ok {
			return nil, errors.New("Value of numeric match must be numeric")
		}
		switch list[i] {
		case "=":
			low, high = bound, bound
		case ">", ">=":
			low, lowOpen = bound, list[i] == ">"
		case "<", "<=":
			high, highOpen = bound, list[i] == "<"
		default:
			return nil, fmt.Errorf("Unrecognized numeric range operator: %v", list[i])
		}
	}
	if low > high || low == high && (lowOpen || highOpen) {
		return nil, errors.New("Bottom must be less than top")
	}
	return conditionFunc(func(value any, _ bool) bool {
		n, ok := toNumber(value)
		return ok && (n > low || n == low && !lowOpen) && (n < high || n == high && !highOpen)
	}), nil
}

func cidr(operand any) (condition, error) {
	text, ok := operand.(string)
	if !ok {
		return nil, errors.New("prefix match pattern must be a string")
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("Malformed CIDR, one '/' required: %w", err)
	}
	return conditionFunc(func(value any, _ bool) bool {
		s, ok := value.(string)
		if !ok {
			return false
		}
		address, err := netip.ParseAddr(s)
		return err == nil && network.Contains(address)
	}), nil
}
