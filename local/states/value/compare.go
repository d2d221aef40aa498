package value

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Equal compares documents by what they say: numbers by value, objects without
// regard to order.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case Number:
		b, ok := b.(Number)
		return ok && Compare(a, b) == 0
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case *Object:
		b, ok := b.(*Object)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for _, m := range a.members {
			other, ok := b.Get(m.key)
			if !ok || !Equal(m.value, other) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case []any, *Object:
		return false
	}
	return a == b
}

// Compare orders two numbers by value: -1, 0 or 1.
func Compare(a, b Number) int {
	if x, ok := a.Int(); ok {
		if y, ok := b.Int(); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	x, y := a.Float(), b.Float()
	if x != y || math.IsInf(x, 0) {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
	}
	return exact(a).Cmp(exact(b))
}

// exact is for numbers whose nearest float64 are the same. An exponent that
// would make it huge was told apart by then, or is beyond what anyone means.
func exact(n Number) *big.Rat {
	if r, ok := new(big.Rat).SetString(string(n)); ok && len(n) < 400 && !wide(n) {
		return r
	}
	return new(big.Rat)
}

func wide(n Number) bool {
	i := strings.IndexAny(string(n), "eE")
	if i < 0 {
		return false
	}
	exponent, err := strconv.Atoi(strings.TrimPrefix(string(n[i+1:]), "+"))
	return err != nil || exponent > 400 || exponent < -400
}

// Int returns a number that is written as a whole number and fits 64 bits.
func (n Number) Int() (int64, bool) {
	i, err := strconv.ParseInt(string(n), 10, 64)
	return i, err == nil
}

// Float is the nearest float64.
func (n Number) Float() float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

// Whole is the Number of an integer.
func Whole(i int64) Number { return Number(strconv.FormatInt(i, 10)) }
