package wire

import (
	"encoding"
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on what a form may make the decoder build.
const (
	maxQueryFields = 10_000
	maxQueryDepth  = 32
)

// A node is one step of a dotted form key: Filter.1.Value.2=x is the leaf x
// below Filter, 1, Value and 2.
type node struct {
	value    string
	children map[string]*node
}

func parseForm(raw string) (*node, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("the request's form is malformed: %w", err)
	}
	if len(values) > maxQueryFields {
		return nil, fmt.Errorf("the request has %d parameters, more than %d", len(values), maxQueryFields)
	}
	root := &node{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		steps := strings.Split(key, ".")
		if len(steps) > maxQueryDepth {
			return nil, fmt.Errorf("parameter %.40s... is nested too deep", key)
		}
		root.put(steps, values.Get(key))
	}
	return root, nil
}

func (n *node) put(steps []string, value string) {
	for _, step := range steps {
		if n.children == nil {
			n.children = map[string]*node{}
		}
		child, ok := n.children[step]
		if !ok {
			child = &node{}
			n.children[step] = child
		}
		n = child
	}
	n.value = value
}

// items are the numbered children in the order of their numbers, directly below
// n or below the one name (member, entry, or a name of the service's own) that a
// list that is not flattened has in between.
func (n *node) items() []*node {
	if len(n.children) == 1 {
		for step, child := range n.children {
			if _, err := strconv.Atoi(step); err != nil {
				n = child
			}
		}
	}
	type item struct {
		index int
		node  *node
	}
	var found []item
	for step, child := range n.children {
		if index, err := strconv.Atoi(step); err == nil {
			found = append(found, item{index, child})
		}
	}
	slices.SortFunc(found, func(a, b item) int { return a.index - b.index })
	items := make([]*node, len(found))
	for i, f := range found {
		items[i] = f.node
	}
	return items
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

func (n *node) decode(v reflect.Value) error {
	if v.CanAddr() && v.Addr().Type().Implements(textType) {
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.value))
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return n.decode(v.Elem())
	case reflect.Struct:
		return n.decodeStruct(v)
	case reflect.Map:
		return n.decodeMap(v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			raw, err := base64.StdEncoding.DecodeString(n.value)
			v.SetBytes(raw)
			return err
		}
		return n.decodeList(v)
	}
	return n.decodeScalar(v)
}

func (n *node) decodeStruct(v reflect.Value) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			if err := n.decodeStruct(v.Field(i)); err != nil {
				return err
			}
			continue
		}
		name, _ := wireName(field)
		if name == "" {
			continue
		}
		child, ok := n.children[name]
		if !ok {
			child, ok = n.children[upperFirst(name)]
		}
		if !ok {
			continue
		}
		if err := child.decode(v.Field(i)); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return nil
}

func (n *node) decodeList(v reflect.Value) error {
	items := n.items()
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if err := item.decode(list.Index(i)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func (n *node) decodeMap(v reflect.Value) error {
	m := reflect.MakeMap(v.Type())
	for _, item := range n.items() {
		key, value := item.child("key", "Key", "Name"), item.child("value", "Value")
		k := reflect.New(v.Type().Key()).Elem()
		e := reflect.New(v.Type().Elem()).Elem()
		if err := key.decode(k); err != nil {
			return err
		}
		if err := value.decode(e); err != nil {
			return err
		}
		m.SetMapIndex(k, e)
	}
	v.Set(m)
	return nil
}

// child is the first child of those names, or an empty node.
func (n *node) child(names ...string) *node {
	for _, name := range names {
		if c, ok := n.children[name]; ok {
			return c
		}
	}
	return &node{}
}

func (n *node) decodeScalar(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.value)
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(n.value))
		if err != nil {
			return fmt.Errorf("%q must be true or false", n.value)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(n.value, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q must be an integer", n.value)
		}
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.value, 64)
		if err != nil {
			return fmt.Errorf("%q must be a number", n.value)
		}
		v.SetFloat(f)
	case reflect.Interface:
		v.Set(reflect.ValueOf(n.value))
	default:
		return fmt.Errorf("cannot decode into %s", v.Type())
	}
	return nil
}

// wireName is the member's name on the wire, empty for a field that has none,
// and whether it is left out when empty.
func wireName(field reflect.StructField) (name string, omit bool) {
	tag, ok := field.Tag.Lookup("json")
	if !ok || !field.IsExported() {
		return "", false
	}
	name, options, _ := strings.Cut(tag, ",")
	if name == "-" {
		return "", false
	}
	return name, strings.Contains(options, "omit")
}

func upperFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

func lowerFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[size:]
}
