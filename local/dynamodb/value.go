package dynamodb

import (
	"bytes"
	"slices"
	"strings"
)

// A kind is the type of a value, and of what cannot be one.
type kind uint8

const (
	kindNone kind = iota // no value: a path that leads nowhere
	kindString
	kindNumber
	kindBinary
	kindBool
	kindNull
	kindStringSet
	kindNumberSet
	kindBinarySet
	kindList
	kindMap
	// kindInvalid is a value of a request that AWS refuses. Its text says why, and
	// waits until the checks that come before are made.
	kindInvalid
)

// kindNames are the names on the wire; longNames those in messages about ADD
// and DELETE.
var (
	kindNames = [...]string{"", "S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M", ""}
	longNames = [...]string{"", "STRING", "NUMBER", "BINARY", "BOOLEAN", "NULL", "STRING_SET",
		"NUMBER_SET", "BINARY_SET", "LIST", "MAP", ""}
)

func (k kind) String() string { return kindNames[k] }

// A value is an attribute's value. It is never changed once it is made, so
// items, images and answers share it.
type value struct {
	kind kind
	yes  bool   // BOOL
	text string // S, N in canonical form, the bytes of B
	more *nested
}

// nested holds the members of sets, lists and maps.
type nested struct {
	set    []string
	list   []value
	fields item
}

// An attribute is a name and its value. An item has its attributes in the
// order of their names, each once.
type (
	attribute struct {
		name  string
		value value
	}
	item []attribute
)

func stringValue(text string) value { return value{kind: kindString, text: text} }
func numberValue(text string) value { return value{kind: kindNumber, text: text} }
func listValue(list []value) value  { return value{kind: kindList, more: &nested{list: list}} }
func mapValue(fields item) value    { return value{kind: kindMap, more: &nested{fields: fields}} }
func setValue(k kind, set []string) value {
	return value{kind: k, more: &nested{set: set}}
}
func invalid(problem string) value { return value{kind: kindInvalid, text: problem} }

func (v value) isSet() bool {
	return v.kind == kindStringSet || v.kind == kindNumberSet || v.kind == kindBinarySet
}

// element is the kind of a set's members.
func (k kind) element() kind {
	switch k {
	case kindStringSet:
		return kindString
	case kindNumberSet:
		return kindNumber
	case kindBinarySet:
		return kindBinary
	}
	return kindNone
}

// find returns the place of the name, or where it would be inserted.
func (it item) find(name string) (int, bool) {
	low, high := 0, len(it)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if it[middle].name < name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(it) && it[low].name == name
}

// get returns the attribute's value, or one of kindNone.
func (it item) get(name string) value {
	if at, found := it.find(name); found {
		return it[at].value
	}
	return value{}
}

// with returns a copy of the item in which name has the value.
func (it item) with(name string, v value) item {
	at, found := it.find(name)
	if found {
		changed := slices.Clone(it)
		changed[at].value = v
		return changed
	}
	changed := make(item, 0, len(it)+1)
	changed = append(changed, it[:at]...)
	changed = append(changed, attribute{name, v})
	return append(changed, it[at:]...)
}

// without returns the item, or a copy, that lacks name.
func (it item) without(name string) item {
	at, found := it.find(name)
	if !found {
		return it
	}
	changed := make(item, 0, len(it)-1)
	changed = append(changed, it[:at]...)
	return append(changed, it[at+1:]...)
}

// sorted puts the attributes in order; of those with one name the last stays.
func (it item) sorted() item {
	inOrder := true
	for i := 1; i < len(it) && inOrder; i++ {
		inOrder = it[i-1].name < it[i].name
	}
	if inOrder {
		return it
	}
	slices.SortStableFunc(it, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	kept := it[:1]
	for _, a := range it[1:] {
		if a.name == kept[len(kept)-1].name {
			kept[len(kept)-1] = a
		} else {
			kept = append(kept, a)
		}
	}
	return kept
}

// equal tells whether two values are the same; sets know no order.
func equal(a, b value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case kindString, kindNumber, kindBinary:
		return a.text == b.text
	case kindBool:
		return a.yes == b.yes
	case kindList:
		return slices.EqualFunc(a.more.list, b.more.list, equal)
	case kindMap:
		return equalItems(a.more.fields, b.more.fields)
	case kindStringSet, kindNumberSet, kindBinarySet:
		return equalSets(a.more.set, b.more.set)
	}
	return true
}

func equalItems(a, b item) bool {
	return slices.EqualFunc(a, b, func(x, y attribute) bool {
		return x.name == y.name && equal(x.value, y.value)
	})
}

func equalSets(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, member := range a {
		if !slices.Contains(b, member) {
			return false
		}
	}
	return true
}

// compare orders two values of one kind. Only strings, numbers and binaries
// have an order.
func compare(a, b value) (order int, ok bool) {
	if a.kind != b.kind {
		return 0, false
	}
	switch a.kind {
	case kindString, kindBinary:
		return strings.Compare(a.text, b.text), true
	case kindNumber:
		return compareNumbers(a.text, b.text), true
	}
	return 0, false
}

// sizeOfNumber is what a number counts: a byte for the exponent, one for each
// two digits, one for the sign.
func sizeOfNumber(text string) int {
	n, _ := parseNumber(text)
	var buffer [32]byte
	return len(n.appendTo(buffer[:0]))
}

// size is what the value counts towards capacity and the limit of an item.
func (v value) size() int {
	switch v.kind {
	case kindString, kindBinary:
		return len(v.text)
	case kindNumber:
		return sizeOfNumber(v.text)
	case kindBool, kindNull:
		return 1
	case kindList:
		total := 3
		for _, element := range v.more.list {
			total += 1 + element.size()
		}
		return total
	case kindMap:
		return 3 + len(v.more.fields) + v.more.fields.size()
	}
	total := 0
	if v.more != nil {
		for _, member := range v.more.set {
			if v.kind == kindNumberSet {
				total += sizeOfNumber(member)
			} else {
				total += len(member)
			}
		}
	}
	return total
}

// size is the sum of the sizes of the names and values.
func (it item) size() int {
	total := 0
	for i := range it {
		total += len(it[i].name) + it[i].value.size()
	}
	return total
}

// describe is the value as AWS prints it inside a message.
func (v value) describe() string {
	var b bytes.Buffer
	b.WriteString("{" + v.kind.String() + ":")
	switch {
	case v.kind == kindBool && v.yes, v.kind == kindNull:
		b.WriteString("true")
	case v.kind == kindBool:
		b.WriteString("false")
	case v.isSet():
		b.WriteString("[" + strings.Join(v.more.set, ",") + "]")
	default:
		b.WriteString(v.text)
	}
	b.WriteString("}")
	return b.String()
}
