package value

// Append writes the document behind dst, without spaces, as AWS writes it:
// nothing is escaped that need not be.
func Append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case Number:
		return append(dst, v...)
	case string:
		return appendString(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = Append(dst, e)
		}
		return append(dst, ']')
	case *Object:
		dst = append(dst, '{')
		for i := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, v.members[i].key), ':')
			dst = Append(dst, v.members[i].value)
		}
		return append(dst, '}')
	}
	panic("value: not a document")
}

// Text is the document as JSON text.
func Text(v any) string { return string(Append(nil, v)) }

const hexDigits = "0123456789abcdef"

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, s[start:]...), '"')
}

// Size is the length of Text in bytes, or any number above limit once it is
// certain to be longer: a document far past a quota is not walked to its end.
func Size(v any, limit int) int {
	switch v := v.(type) {
	case nil:
		return 4
	case bool:
		if v {
			return 4
		}
		return 5
	case Number:
		return len(v)
	case string:
		return stringSize(v)
	case []any:
		n := 2 + max(0, len(v)-1)
		for _, e := range v {
			if n > limit {
				return n
			}
			n += Size(e, limit-n)
		}
		return n
	case *Object:
		n := 2 + max(0, len(v.members)-1)
		for i := range v.members {
			if n > limit {
				return n
			}
			n += stringSize(v.members[i].key) + 1
			n += Size(v.members[i].value, limit-n)
		}
		return n
	}
	panic("value: not a document")
}

func stringSize(s string) int {
	n := len(s) + 2
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f':
			n++
		case c < ' ':
			n += 5
		}
	}
	return n
}
