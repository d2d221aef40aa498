package dynamodb

import "strings"

func checkUpdate(s *Server, r *request) *apiError {
	var v violations
	v.writes(r)
	if !r.key.present {
		v.missing("key")
	}
	for _, u := range r.updates.list {
		v.oneOf(u.action, "attributeUpdates."+u.name+".member.action", actionSet)
	}
	if err := v.err(); err != nil {
		return err
	}
	return checkUpdatePart(s, r)
}

// checkUpdatePart checks what UpdateItem and an Update in a transaction have in
// common.
func checkUpdatePart(s *Server, r *request) *apiError {
	if err := exclusive(r.legacyWrites(), []parameter{
		{"UpdateExpression", r.update.set}, {"ConditionExpression", r.condition.set},
	}); err != nil {
		return err
	}
	b, err := newBinder(&s.cache, r, r.update.set || r.condition.set,
		"UpdateExpression and ConditionExpression are null")
	if err != nil {
		return err
	}
	if err := r.key.invalidIn(); err != nil {
		return err
	}
	if err := r.updates.check(); err != nil {
		return err
	}
	return r.bindWrite(b)
}

// planUpdate works out what an update makes of an item, or of none.
func (r *request) planUpdate(t *table) (change, *apiError) {
	if err := t.schema.checkKey(r.key.item); err != nil {
		return change{}, err
	}
	if err := r.checkTargets(t); err != nil {
		return change{}, err
	}
	if err := r.checkAccess(t); err != nil {
		return change{}, err
	}
	c := t.change(r.key.item)
	if err := r.guarded(c.old); err != nil {
		return c, err
	}
	base := c.old
	if base == nil {
		for _, a := range r.key.item {
			base = append(base, attribute{strings.Clone(a.name), owned(a.value)})
		}
	}
	var err *apiError
	if r.plan.update != nil {
		c.changed, err = r.plan.update.apply(base)
	} else {
		c.changed, err = r.updates.apply(base)
	}
	switch {
	case err != nil:
		return c, err
	case c.changed.size() > itemMax:
		return c, validation("Item size to update has exceeded the maximum allowed size")
	case t.checkIndexKeys(c.changed) != nil:
		return c, validation("The update expression attempted to update the secondary index " +
			"key to unsupported type")
	}
	return c, nil
}

// checkTargets refuses an update of a key, and one that gives an index's key a
// value that it cannot have, as far as it is known without the item.
func (r *request) checkTargets(t *table) *apiError {
	for _, u := range r.updates.list {
		if t.schema.has(u.name) {
			return keyUpdate(u.name)
		}
	}
	var known item
	for _, u := range r.updates.list {
		known = append(known, attribute{u.name, u.value})
	}
	if err := t.checkIndexKeys(known.sorted()); err != nil {
		return err
	}
	e := r.plan.update
	if e == nil {
		return nil
	}
	for _, a := range e.actions {
		if name := a.target[0].resolve(e.names); t.schema.has(name) {
			return keyUpdate(name)
		}
	}
	for _, a := range e.actions {
		known = append(known, r.knownTarget(a)...)
	}
	if err := t.checkIndexKeys(known.sorted()); err != nil {
		return err
	}
	return keyAccess(t, e)
}

func keyUpdate(name string) *apiError {
	return invalidParameters("Cannot update attribute " + name +
		". This attribute is part of the key")
}

// knownTarget is what an action gives an attribute, as far as its type is known
// without the item.
func (r *request) knownTarget(a action) item {
	e := r.plan.update
	if len(a.target) > 1 || a.value == nil || a.verb == "DELETE" {
		return nil
	}
	v := value{}
	switch a.value.op {
	case opValue:
		v = e.values[a.value.value]
	case "+", "-":
		v = numberValue("0")
	case "list_append":
		v = listValue(nil)
	}
	if v.kind == kindNone {
		return nil
	}
	return item{{a.target[0].resolve(e.names), v}}
}

// check checks the legacy AttributeUpdates.
func (u *attributeUpdates) check() *apiError {
	for _, up := range u.list {
		action := up.action.value
		switch {
		case up.value.kind == kindInvalid:
			return validation(up.value.text)
		case !up.hasValue && action != "DELETE":
			return invalidParameters(
				"Only DELETE action is allowed when no attribute value is specified")
		case up.hasValue && action == "DELETE" && !up.value.isSet():
			return invalidParameters("DELETE action with value is not supported for the type " +
				up.value.kind.String())
		case action == "ADD" && !up.value.isSet() && up.value.kind != kindNumber &&
			up.value.kind != kindList:
			return invalidParameters("ADD action is not supported for the type " +
				up.value.kind.String())
		}
	}
	return nil
}

func (u *attributeUpdates) apply(it item) (item, *apiError) {
	errType := validation("Type mismatch for attribute to update")
	for _, up := range u.list {
		current, operand := it.get(up.name), owned(up.value)
		switch up.action.value {
		case "ADD":
			sum, ok, problem := add(current, operand)
			if problem != "" {
				return nil, validation(problem)
			}
			if !ok {
				return nil, errType
			}
			it = it.with(strings.Clone(up.name), sum)
		case "DELETE":
			rest := value{}
			if up.hasValue && current.kind != kindNone {
				if current.kind != operand.kind {
					return nil, errType
				}
				rest = subtractSet(current, operand)
			}
			if rest.kind == kindNone {
				it = it.without(up.name)
			} else {
				it = it.with(up.name, rest)
			}
		default:
			it = it.with(strings.Clone(up.name), operand)
		}
	}
	return it, nil
}
