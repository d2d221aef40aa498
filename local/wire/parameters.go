package wire

import "encoding/json"

// Parameters are the members that the client sent, as JSON has them, also where
// another protocol carried them. Of a form only what the operation knows is
// there, for a form alone has no types. It is nil where nothing was decoded.
func (x *Exchange) Parameters() map[string]any {
	if x.body == nil {
		return nil
	}
	var members map[string]any
	switch x.protocol {
	case Query, EC2Query:
		raw, err := json.Marshal(x.Input)
		if err != nil || json.Unmarshal(raw, &members) != nil {
			return nil
		}
		x.body.form.prune(members)
	case CBOR:
		if cborDecoding.Unmarshal(x.body.raw, &members) != nil {
			return nil
		}
	default:
		if json.Unmarshal(x.body.raw, &members) != nil {
			return nil
		}
	}
	return members
}

// prune removes the members that the form does not have: their zero values are
// the decoder's, not the client's.
func (n *node) prune(members map[string]any) {
	for name, value := range members {
		child := n.child(name, upperFirst(name))
		if child.value == "" && child.children == nil {
			delete(members, name)
			continue
		}
		switch v := value.(type) {
		case map[string]any:
			if len(child.items()) == 0 {
				child.prune(v)
			}
		case []any:
			items := child.items()
			for i, item := range v {
				if below, ok := item.(map[string]any); ok && i < len(items) {
					items[i].prune(below)
				}
			}
		}
	}
}
