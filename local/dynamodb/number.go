package dynamodb

import (
	"math/big"
	"strconv"
	"strings"
)

// The limits of a number, as the Developer Guide gives them: 38 significant
// digits, and a magnitude from 1E-130 to 9.99…E+125.
const (
	digitsMax      = 38
	exponentMax    = 126
	exponentLowest = -129
)

const (
	notNumeric     = "The parameter cannot be converted to a numeric value"
	tooPrecise     = "Attempting to store more than 38 significant digits in a Number"
	numberTooLarge = "Number overflow. Attempting to store a number with magnitude larger " +
		"than supported range"
	numberTooSmall = "Number underflow. Attempting to store a number with magnitude smaller " +
		"than supported range"
)

// A number is 0.digits times ten to the exponent. Its digits have no zero at
// either end; zero has none at all.
type number struct {
	negative bool
	digits   string
	exponent int
}

// parseNumber reads the decimal text of a request. The problem is AWS's own
// message, or empty.
func parseNumber(text string) (n number, problem string) {
	if text == "" {
		return n, notNumeric
	}
	mantissa, exponent, ok := splitExponent(text)
	if !ok {
		return n, notNumeric + ": " + text
	}
	if mantissa[0] == '-' || mantissa[0] == '+' {
		n.negative = mantissa[0] == '-'
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" && fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return number{}, notNumeric + ": " + text
	}
	n.setDigits(whole, fraction, exponent)
	return n, n.problem()
}

// splitExponent cuts 1.5e3 into 1.5 and 3. It refuses an exponent that is not
// an integer, and holds absurd ones within the range of an int.
func splitExponent(text string) (mantissa string, exponent int, ok bool) {
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return text, 0, true
	}
	digits := text[at+1:]
	if at == 0 || digits == "" {
		return "", 0, false
	}
	exponent, err := strconv.Atoi(digits)
	if err != nil {
		if !allDigits(strings.TrimLeft(digits, "+-")) || len(digits) < 10 {
			return "", 0, false
		}
		exponent = 1 << 30
		if digits[0] == '-' {
			exponent = -exponent
		}
	}
	return text[:at], exponent, true
}

func allDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

func (n *number) setDigits(whole, fraction string, exponent int) {
	whole = strings.TrimLeft(whole, "0")
	n.exponent = len(whole) + exponent
	if whole == "" {
		trimmed := strings.TrimLeft(fraction, "0")
		n.exponent -= len(fraction) - len(trimmed)
		n.digits = strings.TrimRight(trimmed, "0")
	} else if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		n.digits = strings.TrimRight(whole, "0")
	} else {
		n.digits = whole + fraction
	}
	if n.digits == "" {
		*n = number{}
	}
}

// problem tells in AWS's words why the number cannot be stored, if so.
func (n number) problem() string {
	switch {
	case n.digits == "":
		return ""
	case len(n.digits) > digitsMax:
		return tooPrecise
	case n.exponent > exponentMax:
		return numberTooLarge
	case n.exponent < exponentLowest:
		return numberTooSmall
	}
	return ""
}

// canonical returns text in the form in which AWS gives it back, and keeps text
// itself when it already has that form.
func canonical(text string) (string, string) {
	if isPlainInteger(text) {
		return text, ""
	}
	n, problem := parseNumber(text)
	if problem != "" {
		return "", problem
	}
	return n.String(), ""
}

// isPlainInteger recognises what most numbers are, so that they are not parsed.
func isPlainInteger(text string) bool {
	return text != "" && len(text) <= digitsMax && text[0] >= '1' && text[0] <= '9' &&
		allDigits(text) || text == "0"
}

// String is the number without an exponent, as every answer gives it.
func (n number) String() string {
	if n.digits == "" {
		return "0"
	}
	var b strings.Builder
	b.Grow(len(n.digits) + 4)
	if n.negative {
		b.WriteByte('-')
	}
	switch {
	case n.exponent <= 0:
		b.WriteString("0.")
		b.WriteString(strings.Repeat("0", -n.exponent))
		b.WriteString(n.digits)
	case n.exponent >= len(n.digits):
		b.WriteString(n.digits)
		b.WriteString(strings.Repeat("0", n.exponent-len(n.digits)))
	default:
		b.WriteString(n.digits[:n.exponent])
		b.WriteByte('.')
		b.WriteString(n.digits[n.exponent:])
	}
	return b.String()
}

// appendTo appends the bytes in which DynamoDB keeps a number: the exponent to
// the base 100 and then the digits in pairs, which sort as the numbers do. They
// also give the number's size and the partition of a numeric hash key.
func (n number) appendTo(to []byte) []byte {
	if n.digits == "" {
		return append(to, 0x80)
	}
	digits, odd := n.digits, n.exponent&1
	exponent := byte((n.exponent+odd)/2 - 64)
	if n.negative {
		exponent = ^exponent
	}
	to = append(to, exponent)
	pairs := 0
	for at := -odd; at < len(digits); at += 2 {
		pair := byte(0)
		if at >= 0 {
			pair = (digits[at] - '0') * 10
		}
		if at+1 < len(digits) {
			pair += digits[at+1] - '0'
		}
		if n.negative {
			to = append(to, 101-pair)
		} else {
			to = append(to, pair+1)
		}
		pairs++
	}
	if n.negative && pairs < 20 {
		to = append(to, 102)
	}
	return to
}

// compareNumbers orders two canonical texts.
func compareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	x, _ := parseNumber(a)
	y, _ := parseNumber(b)
	var xs, ys [32]byte
	return strings.Compare(string(x.appendTo(xs[:0])), string(y.appendTo(ys[:0])))
}

// addNumbers returns a+b, or a-b, of two canonical texts. The problem is AWS's
// message when the sum cannot be stored.
func addNumbers(a, b string, subtract bool) (sum, problem string) {
	if x, err := strconv.ParseInt(a, 10, 64); err == nil && len(a) < 18 {
		if y, err := strconv.ParseInt(b, 10, 64); err == nil && len(b) < 18 {
			if subtract {
				y = -y
			}
			return strconv.FormatInt(x+y, 10), ""
		}
	}
	x, _ := parseNumber(a)
	y, _ := parseNumber(b)
	scale := min(x.exponent-len(x.digits), y.exponent-len(y.digits))
	total, other := x.integer(scale), y.integer(scale)
	if subtract {
		other.Neg(other)
	}
	total.Add(total, other)
	return canonical(total.String() + "e" + strconv.Itoa(scale))
}

// integer is the number in units of ten to the scale, which must not be above
// the exponent of its last digit.
func (n number) integer(scale int) *big.Int {
	value := new(big.Int)
	if n.digits == "" {
		return value
	}
	value.SetString(n.digits, 10)
	shift := big.NewInt(int64(n.exponent - len(n.digits) - scale))
	value.Mul(value, shift.Exp(big.NewInt(10), shift, nil))
	if n.negative {
		value.Neg(value)
	}
	return value
}
