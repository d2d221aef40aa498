package intrinsic

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	gohash "hash"
	"strings"

	"portolan/local/states/value"
)

// maxText is AWS's limit, in characters, for what is encoded, decoded or hashed.
const maxText = 10_000

// format fills each {} of the template with the next argument. A backslash
// before a brace, a quote or itself makes it plain text.
func format(_ *Env, arguments []any) (any, error) {
	template, err := text(arguments, 0)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	used := 1
	for i := 0; i < len(template); i++ {
		c := template[i]
		switch {
		case c == '\\' && i+1 < len(template) && strings.IndexByte(`'\{}`, template[i+1]) >= 0:
			i++
			b.WriteByte(template[i])
		case c == '{' && i+1 < len(template) && template[i+1] == '}':
			if used == len(arguments) {
				return nil, errCount
			}
			filling, err := filling(arguments, used)
			if err != nil {
				return nil, err
			}
			b.WriteString(filling)
			used++
			i++
		default:
			b.WriteByte(c)
		}
	}
	if used != len(arguments) {
		return nil, errCount
	}
	return b.String(), nil
}

var errCount = errors.New("The number of arguments must match the number of occurrences of {} in the template")

func filling(arguments []any, i int) (string, error) {
	switch v := arguments[i].(type) {
	case string:
		return v, nil
	case []any, *value.Object:
		return "", wrong(i, "a string, a number, a boolean or null")
	default:
		return value.Text(v), nil
	}
}

// stringToJSON reads a blank string as null, as AWS does.
func stringToJSON(_ *Env, arguments []any) (any, error) {
	s, err := text(arguments, 0)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	v, err := value.ParseString(s)
	if err != nil {
		return nil, fmt.Errorf("The string is not valid JSON: %w", err)
	}
	return v, nil
}

func jsonToString(_ *Env, arguments []any) (any, error) { return value.Text(arguments[0]), nil }

func short(arguments []any, i int) (string, error) {
	s, err := text(arguments, i)
	if err == nil && len(s) > maxText && len([]rune(s)) > maxText {
		return "", fmt.Errorf("The argument at position %d must not be longer than %d characters", i+1, maxText)
	}
	return s, err
}

func base64Encode(_ *Env, arguments []any) (any, error) {
	s, err := short(arguments, 0)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString([]byte(s)), nil
}

func base64Decode(_ *Env, arguments []any) (any, error) {
	s, err := short(arguments, 0)
	if err != nil {
		return nil, err
	}
	plain, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		if plain, err = base64.RawStdEncoding.DecodeString(s); err != nil {
			return nil, errors.New("The argument at position 1 must be valid Base64")
		}
	}
	return strings.ToValidUTF8(string(plain), "\uFFFD"), nil
}

var hashes = map[string]func() gohash.Hash{
	"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New,
}

func hash(_ *Env, arguments []any) (any, error) {
	s, err := short(arguments, 0)
	if err != nil {
		return nil, err
	}
	name, err := text(arguments, 1)
	if err != nil {
		return nil, err
	}
	algorithm, ok := hashes[name]
	if !ok {
		return nil, errors.New("The hashing algorithm must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512")
	}
	sum := algorithm()
	sum.Write([]byte(s))
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func jsonMerge(_ *Env, arguments []any) (any, error) {
	left, ok := arguments[0].(*value.Object)
	if !ok {
		return nil, wrong(0, "an object")
	}
	right, ok := arguments[1].(*value.Object)
	if !ok {
		return nil, wrong(1, "an object")
	}
	if deep, ok := arguments[2].(bool); !ok {
		return nil, wrong(2, "a boolean")
	} else if deep {
		return nil, errors.New("Deep merging is not supported: the argument at position 3 must be false")
	}
	return left.Merge(right), nil
}

// stringSplit cuts at each character of the second argument, and leaves out what
// is empty.
func stringSplit(_ *Env, arguments []any) (any, error) {
	s, err := text(arguments, 0)
	if err != nil {
		return nil, err
	}
	delimiters, err := text(arguments, 1)
	if err != nil {
		return nil, err
	}
	parts := []any{}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(delimiters, r) }) {
		parts = append(parts, part)
	}
	return parts, nil
}

func newUUID(env *Env, _ []any) (any, error) { return env.UUID(), nil }
