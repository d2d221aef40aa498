package dynamodb

// KeyText is an attribute of the item's key, which is a string or a number.
func (r *Record) KeyText(name string) string { return r.keys.get(name).text }

// Document is the item after the change as a JSON document, in which values stand for
// themselves, without their types in DynamoDB. It is nil where the item was removed,
// and in a stream that does not have new images.
func (r *Record) Document() []byte {
	if r.newImage == nil {
		return nil
	}
	return appendMembers(nil, r.newImage, appendPlain)
}

// appendPlain appends a value without its type.
func appendPlain(out []byte, v value) []byte {
	switch v.kind {
	case kindString:
		return appendText(out, v.text)
	case kindNumber:
		return append(out, v.text...)
	case kindBinary:
		return appendBase64(out, v.text)
	case kindBool:
		return appendBool(out, v.yes)
	case kindNull:
		return append(out, "null"...)
	case kindMap:
		return appendMembers(out, v.more.fields, appendPlain)
	}
	elements := v.more.list
	for _, member := range v.more.set {
		elements = append(elements, value{kind: v.kind.element(), text: member})
	}
	out = append(out, '[')
	for i, element := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendPlain(out, element)
	}
	return append(out, ']')
}
