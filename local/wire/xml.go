package wire

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// An xmlWriter writes values as Query's answers have them. EC2's names begin in
// lower case and its lists are made of item, not member.
type xmlWriter struct {
	bytes.Buffer
	ec2 bool
}

func encodeXML(x *Exchange, out any) ([]byte, error) {
	w := &xmlWriter{ec2: x.protocol == EC2Query}
	name := x.Operation + "Response"
	if w.ec2 {
		fmt.Fprintf(w, "%s<%s%s><requestId>%s</requestId>", xml.Header, name, xmlns(x.namespace), escape(x.RequestID))
	} else {
		fmt.Fprintf(w, "<%s%s><%sResult>", name, xmlns(x.namespace), x.Operation)
	}
	if out != nil {
		if err := w.members(reflect.Indirect(reflect.ValueOf(out))); err != nil {
			return nil, err
		}
	}
	if !w.ec2 {
		fmt.Fprintf(w, "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>",
			x.Operation, escape(x.RequestID))
	}
	w.end(name)
	return w.Bytes(), nil
}

func (w *xmlWriter) begin(name string) {
	w.WriteByte('<')
	w.WriteString(name)
	w.WriteByte('>')
}

func (w *xmlWriter) end(name string) {
	w.WriteString("</")
	w.WriteString(name)
	w.WriteByte('>')
}

func (w *xmlWriter) element(name string, v reflect.Value) error {
	w.begin(name)
	if err := w.value(v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.end(name)
	return nil
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

func (w *xmlWriter) value(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return w.value(v.Elem())
	case reflect.Struct:
		if !v.Type().Implements(textMarshaler) {
			return w.members(v)
		}
		raw, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		xml.EscapeText(w, raw)
		return err
	case reflect.Map:
		return w.entries(v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			w.Write(base64.StdEncoding.AppendEncode(w.AvailableBuffer(), v.Bytes()))
			return nil
		}
		return w.list(v)
	case reflect.String:
		return w.text(v.String())
	case reflect.Bool:
		w.Write(strconv.AppendBool(w.AvailableBuffer(), v.Bool()))
		return nil
	}
	_, err := fmt.Fprint(w, v.Interface())
	return err
}

// text writes what may have to be escaped, which little has.
func (w *xmlWriter) text(s string) error {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' || c == '\'' || c == '"' {
			return xml.EscapeText(w, []byte(s))
		}
	}
	w.WriteString(s)
	return nil
}

// An xmlField is a field of a struct that has a name on the wire, or one that is embedded,
// whose fields have.
type xmlField struct {
	index     int
	name      string
	nameInEC2 string
	item      string // of a list in EC2 whose items are named otherwise than item
	omit      bool
	embedded  bool
}

// written has the []xmlField of each reflect.Type that was written.
var written sync.Map

func xmlFields(t reflect.Type) []xmlField {
	if known, ok := written.Load(t); ok {
		return known.([]xmlField)
	}
	var all []xmlField
	for i := range t.NumField() {
		field := t.Field(i)
		f := xmlField{index: i, item: field.Tag.Get("item"), embedded: field.Anonymous && field.Type.Kind() == reflect.Struct}
		if f.name, f.omit = wireName(field); f.name == "" && !f.embedded {
			continue
		}
		f.nameInEC2 = lowerFirst(f.name)
		all = append(all, f)
	}
	written.Store(t, all)
	return all
}

func (w *xmlWriter) members(v reflect.Value) error {
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("%s is no struct", v.Type())
	}
	for _, f := range xmlFields(v.Type()) {
		if err := w.field(f, v.Field(f.index)); err != nil {
			return err
		}
	}
	return nil
}

func (w *xmlWriter) field(f xmlField, value reflect.Value) error {
	if f.embedded {
		return w.members(value)
	}
	if isNil(value) || f.omit && isEmpty(value) {
		return nil
	}
	name := f.name
	if w.ec2 {
		name = f.nameInEC2
	}
	if f.item == "" {
		return w.element(name, value)
	}
	w.begin(name)
	if err := w.items(f.item, value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.end(name)
	return nil
}

func (w *xmlWriter) list(v reflect.Value) error {
	if w.ec2 {
		return w.items("item", v)
	}
	return w.items("member", v)
}

func (w *xmlWriter) items(name string, v reflect.Value) error {
	for i := range v.Len() {
		if err := w.element(name, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (w *xmlWriter) entries(v reflect.Value) error {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		w.begin("entry")
		if err := w.element("key", key); err != nil {
			return err
		}
		if err := w.element("value", v.MapIndex(key)); err != nil {
			return err
		}
		w.end("entry")
	}
	return nil
}

func isNil(v reflect.Value) bool {
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil()
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	}
	return v.IsZero()
}
