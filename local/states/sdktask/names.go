package sdktask

import (
	"slices"
	"strings"
	"time"

	"portolan/local/states/value"
)

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// maps are members whose own members are the caller's data, not names of AWS's.
var maps = []string{
	"dockerLabels", "options", "driverOpts", "labels", "configuration", "outputVariables", "variables",
	"assignedVariables",
}

// rename changes the name of every member of every structure.
func rename(doc any, change func(string) string) any {
	switch doc := doc.(type) {
	case *value.Object:
		o := value.NewObject(doc.Len())
		for i := range doc.Len() {
			name, v := doc.At(i)
			inner, isObject := v.(*value.Object)
			if isObject && slices.Contains(maps, lowerFirst(name)) {
				o.Set(change(name), inner)
				continue
			}
			o.Set(change(name), rename(v, change))
		}
		return o
	case []any:
		a := make([]any, len(doc))
		for i, v := range doc {
			a[i] = rename(v, change)
		}
		return a
	}
	return doc
}

// times writes timestamps as Step Functions does. The JSON protocols have them
// as numbers, which only their members' names tell from others.
func times(doc any) any {
	switch doc := doc.(type) {
	case *value.Object:
		o := value.NewObject(doc.Len())
		for i := range doc.Len() {
			name, v := doc.At(i)
			if n, ok := v.(value.Number); ok && isTime(name) {
				v = stamp(time.UnixMilli(int64(n.Float() * 1000)))
			} else {
				v = times(v)
			}
			o.Set(name, v)
		}
		return o
	case []any:
		a := make([]any, len(doc))
		for i, v := range doc {
			a[i] = times(v)
		}
		return a
	}
	return doc
}

func isTime(name string) bool {
	for _, suffix := range []string{"At", "Date", "DateTime", "Timestamp", "Time"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return name == "Created" || name == "Updated"
}

func stamp(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.999Z")
}

// kinds are DynamoDB's types of attribute values as the Java SDK spells them.
var kinds = map[string]string{"Bool": "BOOL", "Nul": "NULL", "Null": "NULL", "Ss": "SS", "Ns": "NS", "Bs": "BS"}

// attributes spells the types of attribute values as the wire does: a structure
// of one member that is named like a type is an attribute value.
func attributes(doc any) any {
	switch doc := doc.(type) {
	case *value.Object:
		o := value.NewObject(doc.Len())
		for i := range doc.Len() {
			name, v := doc.At(i)
			if kind, ok := kinds[name]; ok && doc.Len() == 1 && isAttribute(kind, v) {
				name = kind
			}
			o.Set(name, attributes(v))
		}
		return o
	case []any:
		a := make([]any, len(doc))
		for i, v := range doc {
			a[i] = attributes(v)
		}
		return a
	}
	return doc
}

func isAttribute(kind string, v any) bool {
	switch v.(type) {
	case bool:
		return kind == "BOOL" || kind == "NULL"
	case []any:
		return kind != "BOOL" && kind != "NULL"
	}
	return false
}
