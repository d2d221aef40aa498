package dynamodb

func checkGet(s *Server, r *request) *apiError {
	var v violations
	v.attributesToGet(r)
	v.capacity(r)
	if !r.key.present {
		v.missing("key")
	}
	v.tableName(r.tableName, "tableName")
	if err := v.err(); err != nil {
		return err
	}
	return checkReadPart(s, r)
}

// checkReadPart checks what GetItem and each table of BatchGetItem have: keys
// and a projection.
func checkReadPart(s *Server, r *request, keys ...attributes) *apiError {
	if err := exclusive([]parameter{{"AttributesToGet", r.attributesToGet.present}},
		[]parameter{{"ProjectionExpression", r.projection.set}}); err != nil {
		return err
	}
	b, err := newBinder(&s.cache, r, r.projection.set, "")
	if err != nil {
		return err
	}
	for i := range keys {
		if err := keys[i].invalidIn(); err != nil {
			return err
		}
	}
	if err := r.key.invalidIn(); err != nil {
		return err
	}
	if err := r.attributesToGet.attributesOnce(); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	if err := r.bindProjection(b); err != nil {
		return err
	}
	return b.unused()
}

func (s *Server) getItem(r *request, out []byte) ([]byte, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.active(r.tableName.value)
	if err != nil {
		return out, err
	}
	if err := t.schema.checkKey(r.key.item); err != nil {
		return out, err
	}
	if err := r.checkAccess(t); err != nil {
		return out, err
	}
	it, found := t.items.get(t.schema.place(r.key.item))
	out = append(out, '{')
	if found {
		out = appendItem(member(out, "Item"), r.visible(it))
	}
	u := newUsage(t)
	u.table = readUnits(it.size(), r.consistent)
	return append(r.consumed(out, u), '}'), nil
}
