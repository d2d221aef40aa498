package dynamodb

import (
	"encoding/base64"
	"slices"
	"strings"
)

const (
	noDatatype = "Supplied AttributeValue is empty, must contain exactly one of the " +
		"supported datatypes"
	manyDatatypes = "Supplied AttributeValue has more than one datatypes set, " +
		"must contain exactly one of the supported datatypes"
	invalidValue = "One or more parameter values were invalid: "
)

// attributes is a map of attribute values as a request gave it.
type attributes struct {
	present bool
	item    item
	// problem is the first invalid value's message, and problemName its name.
	problem     string
	problemName string
}

// attributes reads a map from names to values.
func (d *decoder) attributes(as shape, into *attributes) {
	into.present = d.object(as, "java.util.Map<java.lang.String, "+modelClass+"AttributeValue>",
		func(name string) {
			v, present := d.value(asElement)
			if !present {
				return
			}
			if v.kind == kindInvalid && into.problem == "" {
				into.problem, into.problemName = v.text, name
			}
			into.item = append(into.item, attribute{name, v})
		})
	into.item = into.item.sorted()
}

// value reads an attribute value. One that AWS refuses comes back as
// kindInvalid, because it is refused only after other checks.
func (d *decoder) value(as shape) (value, bool) {
	var v value
	problem, types := "", 0
	d.nesting++
	defer func() { d.nesting-- }()
	present := d.object(as, "class "+modelClass+"AttributeValue", func(name string) {
		next, known := d.member(name)
		if !known {
			return
		}
		types++
		if next.kind == kindInvalid && problem == "" {
			problem = next.text
		}
		v = next
	})
	switch {
	case !present:
		return value{}, false
	case d.nesting > nestingMax+1:
		return invalid("Nesting Levels have exceeded supported limits"), true
	case problem != "":
		return invalid(problem), true
	case types == 0:
		return invalid(noDatatype), true
	case types > 1:
		return invalid(manyDatatypes), true
	}
	return v, true
}

// member reads one member of an attribute value.
func (d *decoder) member(name string) (value, bool) {
	switch name {
	case "S":
		text, present := d.text()
		return stringValue(text), present
	case "N":
		text, present := d.text()
		text, problem := canonical(text)
		if problem != "" {
			return invalid(problem), present
		}
		return numberValue(text), present
	case "B":
		text, present := d.blob()
		return value{kind: kindBinary, text: text}, present
	case "BOOL":
		yes, present := d.boolean()
		return value{kind: kindBool, yes: yes}, present
	case "NULL":
		yes, present := d.boolean()
		if !yes {
			return invalid(invalidValue +
				"Null attribute value types must have the value of true"), present
		}
		return value{kind: kindNull}, present
	case "SS", "NS", "BS":
		return d.set(name)
	case "L":
		return d.valueList()
	case "M":
		var fields attributes
		d.attributes(asField, &fields)
		if fields.problem != "" {
			return invalid(fields.problem), true
		}
		return mapValue(fields.item), fields.present
	}
	d.skip()
	return value{}, false
}

func (d *decoder) valueList() (value, bool) {
	var list []value
	problem := ""
	present := d.list(asField, func() {
		v, present := d.value(asElement)
		if v.kind == kindInvalid && problem == "" {
			problem = v.text
		}
		if present {
			list = append(list, v)
		}
	})
	if problem != "" {
		return invalid(problem), present
	}
	return listValue(list), present
}

// set reads the members of a set and checks what AWS does: that there are some,
// that numbers are numbers, that no two are the same.
func (d *decoder) set(name string) (value, bool) {
	var set, raw []string
	present := d.list(asField, func() {
		start := d.at
		read := d.text
		if name == "BS" {
			read = d.blob
		}
		if text, present := read(); present {
			set = append(set, text)
			if name == "BS" {
				raw = append(raw, strings.Trim(d.data[start:d.at], " \t\r\n\""))
			}
		}
	})
	kinds := map[string]kind{"SS": kindStringSet, "NS": kindNumberSet, "BS": kindBinarySet}
	if problem := checkSet(name, set, raw); problem != "" {
		return invalid(problem), present
	}
	return setValue(kinds[name], set), present
}

func checkSet(name string, set, raw []string) string {
	switch {
	case len(set) == 0 && name == "BS":
		return invalidValue + "Binary sets should not be empty"
	case len(set) == 0 && name == "NS":
		return invalidValue + "An number set  may not be empty"
	case len(set) == 0:
		return invalidValue + "An string set  may not be empty"
	}
	for i := range set {
		if name != "NS" {
			break
		}
		text, problem := canonical(set[i])
		if problem != "" {
			return problem
		}
		set[i] = text
	}
	if !hasDuplicates(set) {
		return ""
	}
	switch name {
	case "NS":
		return "Input collection contains duplicates"
	case "BS":
		return invalidValue + "Input collection [" + strings.Join(raw, ", ") +
			"]of type BS contains duplicates."
	}
	return invalidValue + "Input collection [" + strings.Join(set, ", ") +
		"] contains duplicates."
}

func hasDuplicates(set []string) bool {
	if len(set) < 2 {
		return false
	}
	sorted := slices.Sorted(slices.Values(set))
	return len(slices.Compact(sorted)) != len(set)
}

// blob reads bytes in base64.
func (d *decoder) blob() (string, bool) {
	if d.err != nil || d.null() {
		return "", false
	}
	switch d.peek() {
	case '"':
	case '[':
		d.fail("Unrecognized collection type class java.nio.ByteBuffer")
		return "", false
	case '{':
		d.fail(unexpectedObject)
		return "", false
	default:
		d.fail("only base-64-encoded strings are convertible to bytes")
		return "", false
	}
	text := d.quoted()
	if d.err != nil {
		return "", false
	}
	if len(text)%4 != 0 {
		d.fail("Base64 encoded length is expected a multiple of 4 bytes but found: " +
			itoa(len(text)))
		return "", false
	}
	data, problem := decodeBase64(text)
	if problem != "" {
		d.fail(problem)
	}
	return data, problem == ""
}

// decodeBase64 decodes padded base64. Bits that the last character has too many
// are refused too, as AWS does. The problem has AWS's own typing error.
func decodeBase64(text string) (data, problem string) {
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err == nil {
		return string(decoded), ""
	}
	for _, c := range strings.TrimRight(text, "=") {
		if c != '=' && !strings.ContainsRune("+/", c) && (c < '0' || c > '9') &&
			(c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "", "Invalid Base64 character: '" + string(c) + "'"
		}
	}
	return "", "Invalid last non-pad Base64 character dectected"
}
