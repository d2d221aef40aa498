package dynamodb

import (
	"encoding/base64"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendText appends a JSON string.
func appendText(out []byte, text string) []byte {
	out = append(out, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				out = append(append(out, text[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += size
			continue
		}
		out = append(out, text[start:i]...)
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(out, text[start:]...), '"')
}

// appendItem appends a map of attribute values.
func appendItem(out []byte, it item) []byte { return appendMembers(out, it, appendValue) }

// appendMembers appends an object with the values as appendOne writes them.
func appendMembers(out []byte, it item, appendOne func([]byte, value) []byte) []byte {
	out = append(out, '{')
	for i := range it {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, it[i].name)
		out = appendOne(append(out, ':'), it[i].value)
	}
	return append(out, '}')
}

func appendBase64(out []byte, data string) []byte {
	out = base64.StdEncoding.AppendEncode(append(out, '"'), []byte(data))
	return append(out, '"')
}

// appendValue appends an attribute value.
func appendValue(out []byte, v value) []byte {
	out = append(append(append(out, `{"`...), v.kind.String()...), `":`...)
	switch v.kind {
	case kindString, kindNumber:
		out = appendText(out, v.text)
	case kindBinary:
		out = appendBase64(out, v.text)
	case kindBool:
		out = appendBool(out, v.yes)
	case kindNull:
		out = append(out, "true"...)
	case kindMap:
		out = appendItem(out, v.more.fields)
	case kindList:
		out = append(out, '[')
		for i, element := range v.more.list {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendValue(out, element)
		}
		out = append(out, ']')
	default:
		out = append(out, '[')
		for i, member := range v.more.set {
			if i > 0 {
				out = append(out, ',')
			}
			if v.kind == kindBinarySet {
				out = appendBase64(out, member)
			} else {
				out = appendText(out, member)
			}
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

func appendBool(out []byte, yes bool) []byte {
	if yes {
		return append(out, "true"...)
	}
	return append(out, "false"...)
}

// member begins the next member of the object that out ends in.
func member(out []byte, name string) []byte {
	if out[len(out)-1] != '{' {
		out = append(out, ',')
	}
	return append(append(append(out, '"'), name...), `":`...)
}
