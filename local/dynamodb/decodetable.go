package dynamodb

import (
	"encoding/json"
	"reflect"
)

// elementClasses are the Java types of the elements of lists, by the member that
// is the list, where AWS's message about a wrong one names them; and those of
// structures whose type is not called as the member is.
var elementClasses = map[string]string{
	"AttributeDefinitions":        "AttributeDefinition",
	"KeySchema":                   "KeySchemaElement",
	"LocalSecondaryIndexes":       "LocalSecondaryIndex",
	"GlobalSecondaryIndexes":      "GlobalSecondaryIndex",
	"GlobalSecondaryIndexUpdates": "GlobalSecondaryIndexUpdate",
	"Tags":                        "Tag",
	"Create":                      "CreateGlobalSecondaryIndexAction",
	"Update":                      "UpdateGlobalSecondaryIndexAction",
	"Delete":                      "DeleteGlobalSecondaryIndexAction",
}

func classOf(member string) string {
	if class := elementClasses[member]; class != "" {
		member = class
	}
	return "class " + modelClass + member
}

// structure reads the members of an operation on tables into the fields of the
// same names. Reflection is good enough for what is called so rarely.
func (d *decoder) structure(into reflect.Value, as shape, member string) bool {
	return d.object(as, classOf(member), func(name string) {
		if field := into.FieldByName(name); field.IsValid() {
			d.field(field, asField, name)
		} else {
			d.skip()
		}
	})
}

// field reads one member, or one element of the member that is a list.
func (d *decoder) field(into reflect.Value, as shape, member string) {
	switch into.Kind() {
	case reflect.Pointer:
		if d.null() {
			return
		}
		inner := reflect.New(into.Type().Elem())
		d.field(inner.Elem(), as, member)
		into.Set(inner)
	case reflect.String:
		text, _ := d.text()
		into.SetString(text)
	case reflect.Bool:
		yes, _ := d.boolean()
		into.SetBool(yes)
	case reflect.Int:
		n, _ := d.integer("Integer")
		into.SetInt(int64(n))
	case reflect.Int64:
		n, _ := d.integer("Long")
		into.SetInt(int64(n))
	case reflect.Struct:
		d.structure(into, as, member)
	case reflect.Slice:
		// An empty list is a list, and not an absent one.
		if elements := reflect.MakeSlice(into.Type(), 0, 4); d.list(as, func() {
			element := reflect.New(into.Type().Elem()).Elem()
			d.field(element, asElement, member)
			elements = reflect.Append(elements, element)
		}) {
			into.Set(elements)
		}
	default:
		d.document(into, as, member)
	}
}

// document reads a structure of which only a little is looked at.
func (d *decoder) document(into reflect.Value, as shape, member string) {
	d.peek()
	start := d.at
	if !d.object(as, classOf(member), func(string) { d.skip() }) {
		return
	}
	if err := json.Unmarshal([]byte(d.data[start:d.at]), into.Addr().Interface()); err != nil {
		d.fail("")
	}
}
