package dynamodb

import (
	"crypto/md5"
	"strings"
)

const (
	hashKeyMax  = 2048
	rangeKeyMax = 1024
)

// A keyAttribute is a part of a primary key, of kind S, N or B.
type keyAttribute struct {
	name string
	kind kind
}

// A keySchema is a hash key and, unless its name is empty, a range key.
type keySchema struct{ hash, sort keyAttribute }

func (k keySchema) has(name string) bool {
	return name == k.hash.name || k.sort.name != "" && name == k.sort.name
}

// attributes are the parts of the key, in order.
func (k keySchema) attributes() []keyAttribute {
	if k.sort.name == "" {
		return []keyAttribute{k.hash}
	}
	return []keyAttribute{k.hash, k.sort}
}

// of cuts an item down to its key.
func (k keySchema) of(it item) item {
	key := make(item, 0, 2)
	for i := range it {
		if k.has(it[i].name) {
			key = append(key, it[i])
		}
	}
	return key
}

// appendPart appends a key's value so that the bytes sort as the values do and
// no value is the beginning of another.
func appendPart(to []byte, v value) []byte {
	if v.kind == kindNumber {
		n, _ := parseNumber(v.text)
		return append(n.appendTo(to), 0)
	}
	text := v.text
	for {
		at := strings.IndexByte(text, 0)
		if at < 0 {
			break
		}
		to = append(append(to, text[:at]...), 0, 0xff)
		text = text[at+1:]
	}
	return append(append(to, text...), 0, 1)
}

func rawBytes(v value) []byte {
	if v.kind == kindNumber {
		n, _ := parseNumber(v.text)
		return n.appendTo(nil)
	}
	return []byte(v.text)
}

// hashSize is how many bytes of the hash go before the key. A scan runs in
// their order, and its segments divide their first twelve bits.
const hashSize = 3

// appendHash appends the beginning of the hash that DynamoDB spreads items by.
// The salt was found by those who compared scans of the service.
func appendHash(to []byte, values ...value) []byte {
	data := append(make([]byte, 0, 128), "Outliers"...)
	for _, v := range values {
		data = append(data, rawBytes(v)...)
	}
	sum := md5.Sum(data)
	return append(to, sum[:hashSize]...)
}

// partition is the beginning of the place of every item with a hash key.
func partition(hash value) []byte {
	return appendPart(appendHash(make([]byte, 0, 64), hash), hash)
}

// place is where an item stands in its table.
func (k keySchema) place(it item) string {
	to := partition(it.get(k.hash.name))
	if k.sort.name != "" {
		to = appendPart(to, it.get(k.sort.name))
	}
	return string(to)
}

// place is where an item of a table stands in the index, if it does: one that
// lacks a part of the index's key is not in it. Items with the same key of the
// index follow each other by the hash of their own key.
func (x *index) place(t *table, it item) (string, bool) {
	hash := it.get(x.schema.hash.name)
	if hash.kind != x.schema.hash.kind {
		return "", false
	}
	to := partition(hash)
	if x.schema.sort.name != "" {
		v := it.get(x.schema.sort.name)
		if v.kind != x.schema.sort.kind {
			return "", false
		}
		to = appendPart(to, v)
	}
	own := make([]value, 0, 2)
	for _, part := range t.schema.attributes() {
		own = append(own, it.get(part.name))
	}
	to = appendHash(to, own...)
	for _, v := range own {
		to = appendPart(to, v)
	}
	return string(to), true
}

// after is the first place behind all that begin with prefix.
func after(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return "\xff\xff\xff\xff"
}

// checkKey checks the key of a request against the schema.
func (k keySchema) checkKey(key item) *apiError {
	parts := k.attributes()
	if len(key) != len(parts) {
		return validation(keyMismatch)
	}
	for _, part := range parts {
		if key.get(part.name).kind != part.kind {
			return validation(keyMismatch)
		}
	}
	return k.checkSizes(key)
}

// checkSizes checks that no part of a key is empty or too long.
func (k keySchema) checkSizes(it item) *apiError {
	for i, part := range k.attributes() {
		v := it.get(part.name)
		size := v.size()
		switch {
		case size == 0:
			return invalidParameters(emptyKey(part))
		case i == 0 && size > hashKeyMax:
			return invalidParameters(
				"Size of hashkey has exceeded the maximum size limit of2048 bytes")
		case i == 1 && size > rangeKeyMax:
			return invalidParameters(
				"Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
		}
	}
	return nil
}

func emptyKey(part keyAttribute) string {
	what := "string"
	if part.kind == kindBinary {
		what = "binary"
	}
	return "The AttributeValue for a key attribute cannot contain an empty " + what +
		" value. Key: " + part.name
}

// checkItem checks an item to be put against the table's keys and indexes.
func (t *table) checkItem(it item) *apiError {
	for _, part := range t.schema.attributes() {
		v := it.get(part.name)
		if v.kind == kindNone {
			return invalidParameters("Missing the key " + part.name + " in the item")
		}
		if v.kind != part.kind {
			return invalidParameters("Type mismatch for key " + part.name + " expected: " +
				part.kind.String() + " actual: " + v.kind.String())
		}
		if v.kind != kindNumber && v.text == "" {
			return validation("One or more parameter values are not valid. " + emptyKey(part))
		}
	}
	if err := t.checkIndexKeys(it); err != nil {
		return err
	}
	return t.schema.checkSizes(it)
}

// checkIndexKeys checks that an attribute that is a key of an index has the
// index's type.
func (t *table) checkIndexKeys(it item) *apiError {
	for _, x := range t.indexes {
		for _, part := range x.schema.attributes() {
			v := it.get(part.name)
			if v.kind != kindNone && v.kind != part.kind {
				return invalidParameters("Type mismatch for Index Key " + part.name +
					" Expected: " + part.kind.String() + " Actual: " + v.kind.String() +
					" IndexName: " + x.name)
			}
			if v.kind == part.kind && v.kind != kindNumber && v.text == "" &&
				!t.schema.has(part.name) {
				return validation("One or more parameter values are not valid. A value specified " +
					"for a secondary index key is not supported. " + emptyIndexKey(part, x.name))
			}
		}
	}
	return nil
}

func emptyIndexKey(part keyAttribute, index string) string {
	what := "string"
	if part.kind == kindBinary {
		what = "binary"
	}
	return "The AttributeValue for a key attribute cannot contain an empty " + what +
		" value. IndexName: " + index + ", IndexKey: " + part.name
}
