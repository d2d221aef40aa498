package dynamodb

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A decoder reads a request's JSON once, from the front, into typed fields. The
// first thing that it cannot read stays in err, in AWS's words; from then on
// it reads nothing more.
//
// Strings without escapes are parts of the body, not copies.
type decoder struct {
	data  string
	at    int
	depth int
	// nesting is how many attribute values are around the one that is being read.
	nesting int
	err     *apiError
}

// nestingMax is how deep a document may be; depthMax bounds the recursion of a
// hostile body, whatever it is made of.
const (
	nestingMax = 32
	depthMax   = 256
)

const castProblem = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot " +
	"be cast to class java.lang.Class (sun.reflect.generics.reflectiveObjects." +
	"ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"

// A shape is where a structure, map or list stands: AWS words the complaint
// about something else in its place differently for each.
type shape string

const (
	asField         shape = "Unexpected field type"
	asElement       shape = "Unexpected value type in payload"
	asParameterized shape = castProblem
)

const (
	unexpectedObject = "Start of structure or map found where not expected"
	modelClass       = "com.amazonaws.dynamodb.v20120810."
)

func (d *decoder) fail(message string) {
	if d.err == nil {
		d.err = serialization(message)
	}
}

// peek skips white space and returns the next byte, or 0 at the end.
func (d *decoder) peek() byte {
	for d.at < len(d.data) {
		switch c := d.data[d.at]; c {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it is next.
func (d *decoder) take(c byte) bool {
	if d.err == nil && d.peek() == c {
		d.at++
		return true
	}
	return false
}

func (d *decoder) expect(c byte) {
	if !d.take(c) {
		d.fail("")
	}
}

// null consumes a null, which everywhere means that the field is absent.
func (d *decoder) null() bool {
	if d.err == nil && d.peek() == 'n' {
		d.literal("null")
		return true
	}
	return false
}

func (d *decoder) literal(word string) {
	if !strings.HasPrefix(d.data[d.at:], word) {
		d.fail("")
		return
	}
	d.at += len(word)
}

func (d *decoder) enter() bool {
	d.depth++
	if d.depth > depthMax {
		d.fail("")
	}
	return d.err == nil
}

// object reads a structure or a map and calls each with every name; each must
// read the value. It reports whether there was one. class is what AWS calls
// the Java type where it finds a list instead.
func (d *decoder) object(as shape, class string, each func(name string)) bool {
	if d.err != nil || d.null() {
		return false
	}
	switch d.peek() {
	case '{':
	case '[':
		d.fail("Unrecognized collection type " + class)
		return false
	default:
		d.fail(string(as))
		return false
	}
	d.at++
	if !d.enter() {
		return false
	}
	defer func() { d.depth-- }()
	if d.take('}') {
		return true
	}
	for d.err == nil {
		name := d.quoted()
		d.expect(':')
		if d.err != nil {
			return false
		}
		each(name)
		if d.take(',') {
			continue
		}
		d.expect('}')
		return d.err == nil
	}
	return false
}

// list reads an array and calls each for every element; each must read it.
func (d *decoder) list(as shape, each func()) bool {
	if d.err != nil || d.null() {
		return false
	}
	switch d.peek() {
	case '[':
	case '{':
		d.fail(unexpectedObject)
		return false
	default:
		d.fail(string(as))
		return false
	}
	d.at++
	if !d.enter() {
		return false
	}
	defer func() { d.depth-- }()
	if d.take(']') {
		return true
	}
	for d.err == nil {
		each()
		if d.take(',') {
			continue
		}
		d.expect(']')
		return d.err == nil
	}
	return false
}

// token names what stands next where class was expected, as AWS does.
func (d *decoder) token(class string) string {
	switch c := d.peek(); {
	case c == '"':
		return "STRING_VALUE cannot be converted to " + class
	case c == 't':
		return "TRUE_VALUE cannot be converted to " + class
	case c == 'f':
		return "FALSE_VALUE cannot be converted to " + class
	case c == '[':
		return "Unrecognized collection type class java.lang." + class
	case c == '{':
		return unexpectedObject
	case c == '-' || c >= '0' && c <= '9':
		if strings.ContainsAny(d.number(), ".eE") {
			return "DECIMAL_VALUE cannot be converted to " + class
		}
		return "NUMBER_VALUE cannot be converted to " + class
	}
	return ""
}

// text reads a string.
func (d *decoder) text() (text string, present bool) {
	if d.err != nil || d.null() {
		return "", false
	}
	if d.peek() != '"' {
		d.fail(d.token("String"))
		return "", false
	}
	return d.quoted(), d.err == nil
}

// boolean reads true or false, or one of the strings that AWS takes for them.
func (d *decoder) boolean() (yes, present bool) {
	if d.err != nil || d.null() {
		return false, false
	}
	switch d.peek() {
	case 't':
		d.literal("true")
		return true, true
	case 'f':
		d.literal("false")
		return false, true
	case '"':
		switch strings.ToLower(d.quoted()) {
		case "true", "1", "yes":
			return true, true
		case "false", "0", "no":
			return false, true
		}
		d.fail("Unexpected token received from parser")
		return false, false
	}
	d.fail(d.token("Boolean"))
	return false, false
}

// integer reads a number, and cuts off what is behind its point.
func (d *decoder) integer(class string) (n int, present bool) {
	if d.err != nil || d.null() {
		return 0, false
	}
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		d.fail(d.token(class))
		return 0, false
	}
	text := d.number()
	if n, err := strconv.Atoi(text); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d.fail("")
		return 0, false
	}
	return int(max(min(f, 1<<31-1), -1<<31)), true
}

// number consumes the characters of a JSON number.
func (d *decoder) number() string {
	start := d.at
	for d.at < len(d.data) && strings.IndexByte("+-.eE0123456789", d.data[d.at]) >= 0 {
		d.at++
	}
	return d.data[start:d.at]
}

// skip reads a value of which nothing is wanted.
func (d *decoder) skip() {
	if d.err != nil {
		return
	}
	switch c := d.peek(); {
	case c == '"':
		d.quoted()
	case c == '{':
		d.object(asField, "", func(string) { d.skip() })
	case c == '[':
		d.list(asField, d.skip)
	case c == 't':
		d.literal("true")
	case c == 'f':
		d.literal("false")
	case c == 'n':
		d.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		d.number()
	default:
		d.fail("")
	}
}

// quoted reads the string that must come next.
func (d *decoder) quoted() string {
	if d.err != nil || d.peek() != '"' {
		d.fail("")
		return ""
	}
	d.at++
	rest := d.data[d.at:]
	end := strings.IndexByte(rest, '"')
	if end < 0 {
		d.fail("")
		return ""
	}
	if strings.IndexByte(rest[:end], '\\') < 0 {
		d.at += end + 1
		return rest[:end]
	}
	return d.unescape()
}

func (d *decoder) unescape() string {
	var b strings.Builder
	for d.at < len(d.data) {
		c := d.data[d.at]
		d.at++
		switch c {
		case '"':
			return b.String()
		case '\\':
			if !d.escape(&b) {
				d.fail("")
				return ""
			}
		default:
			b.WriteByte(c)
		}
	}
	d.fail("")
	return ""
}

// escape reads what follows a backslash.
func (d *decoder) escape(b *strings.Builder) bool {
	if d.at >= len(d.data) {
		return false
	}
	c := d.data[d.at]
	d.at++
	if at := strings.IndexByte(`"\/bfnrt`, c); at >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[at])
		return true
	}
	if c != 'u' {
		return false
	}
	r, ok := d.hex()
	if ok && utf16.IsSurrogate(r) && strings.HasPrefix(d.data[d.at:], `\u`) {
		before := d.at
		d.at += 2
		low, lowOK := d.hex()
		if pair := utf16.DecodeRune(r, low); lowOK && pair != utf8.RuneError {
			r = pair
		} else {
			d.at = before
		}
	}
	b.WriteRune(r)
	return ok
}

func (d *decoder) hex() (rune, bool) {
	if d.at+4 > len(d.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(d.data[d.at:d.at+4], 16, 32)
	d.at += 4
	return rune(n), err == nil
}
