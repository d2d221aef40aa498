package dynamodb

// itemMax is the largest item, names and values together.
const itemMax = 400 << 10

// legacyWrites are the parameters of a write that expressions replaced.
func (r *request) legacyWrites() []parameter {
	return []parameter{
		{"AttributeUpdates", r.updates.present}, {"Expected", r.expected.present},
		{"ConditionalOperator", r.conditionalOperator.set},
	}
}

// checkPutPart checks what PutItem and a Put in a transaction have in common.
func checkPutPart(s *Server, r *request) *apiError {
	if err := exclusive(r.legacyWrites(),
		[]parameter{{"ConditionExpression", r.condition.set}}); err != nil {
		return err
	}
	b, err := newBinder(&s.cache, r, r.condition.set, "ConditionExpression is null")
	if err != nil {
		return err
	}
	if err := r.item.invalidIn(); err != nil {
		return err
	}
	if r.item.item.size() > itemMax {
		return validation("Item size has exceeded the maximum allowed size")
	}
	if err := r.onlyOld(); err != nil {
		return err
	}
	return r.bindWrite(b)
}

// onlyOld checks ReturnValues of a put or a delete.
func (r *request) onlyOld() *apiError {
	if v := r.returnValues; v.set && v.value != "ALL_OLD" && v.value != "NONE" {
		return validation("ReturnValues can only be ALL_OLD or NONE")
	}
	return nil
}

// bindWrite checks and binds the conditions of a write, in either language.
func (r *request) bindWrite(b *binder) *apiError {
	if err := r.expected.checkExpected(); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	if r.update.set {
		e, err := b.bind("UpdateExpression", r.update.value, parseUpdate)
		if err != nil {
			return err
		}
		r.plan.update = e
	}
	if err := r.bindCondition(b); err != nil {
		return err
	}
	return b.unused()
}

func checkPut(s *Server, r *request) *apiError {
	var v violations
	v.writes(r)
	if !r.item.present {
		v.missing("item")
	}
	if err := v.err(); err != nil {
		return err
	}
	return checkPutPart(s, r)
}

func checkDelete(s *Server, r *request) *apiError {
	var v violations
	v.writes(r)
	if !r.key.present {
		v.missing("key")
	}
	if err := v.err(); err != nil {
		return err
	}
	return checkDeletePart(s, r)
}

// checkDeletePart checks what DeleteItem and a Delete or ConditionCheck in a
// transaction have in common.
func checkDeletePart(s *Server, r *request) *apiError {
	if err := exclusive(r.legacyWrites(),
		[]parameter{{"ConditionExpression", r.condition.set}}); err != nil {
		return err
	}
	b, err := newBinder(&s.cache, r, r.condition.set, "ConditionExpression is null")
	if err != nil {
		return err
	}
	if err := r.key.invalidIn(); err != nil {
		return err
	}
	if err := r.onlyOld(); err != nil {
		return err
	}
	return r.bindWrite(b)
}

// planPut works out what a put does to its table. The lock is held.
func (r *request) planPut(t *table) (change, *apiError) {
	it := r.item.item
	if err := t.checkItem(it); err != nil {
		return change{}, err
	}
	if err := r.checkAccess(t); err != nil {
		return change{}, err
	}
	c := t.change(it)
	c.changed = it
	return c, r.guarded(c.old)
}

// planDelete works out what a delete does.
func (r *request) planDelete(t *table) (change, *apiError) {
	if err := t.schema.checkKey(r.key.item); err != nil {
		return change{}, err
	}
	if err := r.checkAccess(t); err != nil {
		return change{}, err
	}
	c := t.change(r.key.item)
	return c, r.guarded(c.old)
}

// guarded fails unless the item meets the request's condition.
func (r *request) guarded(current item) *apiError {
	if r.plan.condition == nil || r.plan.condition.matches(current) {
		return nil
	}
	return conditionFailed(current, r.returnOnFailure.value == "ALL_OLD")
}

// change begins a change of the item with the key that it has.
func (t *table) change(key item) change {
	c := change{t: t, place: t.schema.place(key)}
	c.old, _ = t.items.get(c.place)
	return c
}

func (s *Server) putItem(r *request, out []byte) ([]byte, *apiError) {
	return s.write(r, out, (*request).planPut)
}

func (s *Server) deleteItem(r *request, out []byte) ([]byte, *apiError) {
	return s.write(r, out, (*request).planDelete)
}

func (s *Server) updateItem(r *request, out []byte) ([]byte, *apiError) {
	return s.write(r, out, (*request).planUpdate)
}

// write does a write of one item.
func (s *Server) write(r *request, out []byte,
	plan func(*request, *table) (change, *apiError)) ([]byte, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.active(r.tableName.value)
	if err != nil {
		return out, err
	}
	c, err := plan(r, t)
	if err != nil {
		return out, err
	}
	if err := s.commit([]change{c}, nil); err != nil {
		return out, err
	}
	out = append(out, '{')
	if answer := r.returned(c); len(answer) > 0 {
		out = appendItem(member(out, "Attributes"), answer)
	}
	if r.returnConsumed.set {
		u := newUsage(t)
		u.write(c.old, c.changed, 1)
		out = r.consumed(out, u)
	}
	if r.returnMetrics.set {
		key := c.changed
		if key == nil {
			key = r.key.item
		}
		out = r.metrics(out, t, key)
	}
	return append(out, '}'), nil
}

// returned is what ReturnValues asks for.
func (r *request) returned(c change) item {
	switch r.returnValues.value {
	case "ALL_OLD":
		return c.old
	case "ALL_NEW":
		return c.changed
	case "UPDATED_OLD":
		return r.updatedParts(c.old)
	case "UPDATED_NEW":
		return r.updatedParts(c.changed)
	}
	return nil
}

// updatedParts is what an item has where the update wrote.
func (r *request) updatedParts(it item) item {
	if e := r.plan.update; e != nil {
		paths := make([]path, len(e.actions))
		for i, a := range e.actions {
			paths[i] = a.target
		}
		return e.project(it, paths)
	}
	var names []string
	for _, u := range r.updates.list {
		names = append(names, u.name)
	}
	return named(it, names)
}
