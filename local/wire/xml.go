package wire

import (
	"encoding"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// An xmlWriter writes values as Query's answers have them. EC2's names begin in
// lower case and its lists are made of item, not member.
type xmlWriter struct {
	strings.Builder
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
	fmt.Fprintf(w, "</%s>", name)
	return []byte(w.String()), nil
}

func (w *xmlWriter) element(name string, v reflect.Value) error {
	w.WriteString("<" + name + ">")
	if err := w.value(v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.WriteString("</" + name + ">")
	return nil
}

func (w *xmlWriter) value(v reflect.Value) error {
	if text, ok := v.Interface().(encoding.TextMarshaler); ok {
		raw, err := text.MarshalText()
		xml.EscapeText(w, raw)
		return err
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return w.value(v.Elem())
	case reflect.Struct:
		return w.members(v)
	case reflect.Map:
		return w.entries(v)
	case reflect.Slice:
		if raw, ok := v.Interface().([]byte); ok {
			w.WriteString(base64.StdEncoding.EncodeToString(raw))
			return nil
		}
		return w.list(v)
	}
	return xml.EscapeText(w, []byte(fmt.Sprint(v.Interface())))
}

func (w *xmlWriter) members(v reflect.Value) error {
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("%s is no struct", v.Type())
	}
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if field.Anonymous && value.Kind() == reflect.Struct {
			if err := w.members(value); err != nil {
				return err
			}
			continue
		}
		name, omit := wireName(field)
		if name == "" || isNil(value) || omit && isEmpty(value) {
			continue
		}
		if w.ec2 {
			name = lowerFirst(name)
		}
		// EC2 names the items of a few lists otherwise than item.
		if item := field.Tag.Get("item"); item != "" {
			w.WriteString("<" + name + ">")
			if err := w.items(item, value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			w.WriteString("</" + name + ">")
			continue
		}
		if err := w.element(name, value); err != nil {
			return err
		}
	}
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
		w.WriteString("<entry>")
		if err := w.element("key", key); err != nil {
			return err
		}
		if err := w.element("value", v.MapIndex(key)); err != nil {
			return err
		}
		w.WriteString("</entry>")
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
