package sdktask

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"portolan/local/states/value"
)

// encodeForm writes a request of the query protocol.
func encodeForm(operation, version string, given *value.Object) []byte {
	form := url.Values{"Action": {operation}, "Version": {version}}
	addForm(form, "", given)
	return []byte(form.Encode())
}

func addForm(form url.Values, name string, doc any) {
	switch doc := doc.(type) {
	case *value.Object:
		for i := range doc.Len() {
			member, v := doc.At(i)
			addForm(form, join(name, member), v)
		}
	case []any:
		for i, v := range doc {
			addForm(form, join(name, "member."+strconv.Itoa(i+1)), v)
		}
		if len(doc) == 0 {
			form.Set(name, "")
		}
	case string:
		form.Set(name, doc)
	case nil:
	default:
		form.Set(name, value.Text(doc))
	}
}

func join(name, member string) string {
	if name == "" {
		return member
	}
	return name + "." + member
}

// An element is a piece of an XML answer.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func (e *element) child(name string) *element {
	for i := range e.Children {
		if e.Children[i].XMLName.Local == name {
			return &e.Children[i]
		}
	}
	return nil
}

// decodeXML reads what is within the <OperationResult> of an answer.
func decodeXML(operation string, s *shape, body []byte) (*value.Object, error) {
	var root element
	if err := xml.Unmarshal(body, &root); err != nil {
		return nil, err
	}
	result := root.child(operation + "Result")
	if result == nil {
		return value.NewObject(0), nil
	}
	v, err := s.read(result)
	if err != nil {
		return nil, err
	}
	return v.(*value.Object), nil
}

func (s *shape) read(e *element) (any, error) {
	text := strings.TrimSpace(e.Text)
	switch s.kind {
	case structureShape:
		o := value.NewObject(len(e.Children))
		for i := range e.Children {
			c := &e.Children[i]
			member := s.members[c.XMLName.Local]
			if member == nil {
				member = textShape // what is not in the table is text
			}
			v, err := member.read(c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.XMLName.Local, err)
			}
			o.Set(c.XMLName.Local, v)
		}
		return o, nil
	case listShape:
		list := make([]any, 0, len(e.Children))
		for i := range e.Children {
			v, err := s.of.read(&e.Children[i])
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case numberKind:
		if n, ok := readNumber(text); ok {
			return n, nil
		}
		return nil, fmt.Errorf("%q is no number", text)
	case booleanKind:
		return text == "true", nil
	}
	return e.Text, nil
}

func readNumber(text string) (any, bool) {
	v, err := value.ParseString(text)
	_, ok := v.(value.Number)
	return v, err == nil && ok
}
