package dynamodb

import "slices"

// plan is what a request's checks leave for its execution: the expressions,
// bound to the request.
type plan struct {
	condition  guard
	update     *bound
	filter     guard
	filterExpr *bound
	projection *bound
	keys       []keyCondition
}

// A guard is a condition in either language.
type guard interface{ matches(it item) bool }

// itemRequest decodes, checks and does an item operation.
func (s *Server) itemRequest(name, body string, out []byte, check func(*Server, *request) *apiError,
	do func(*Server, *request, []byte) ([]byte, *apiError)) ([]byte, *apiError) {
	r := &request{operation: name}
	d := decoder{data: body}
	if d.peek() != '{' {
		return out, serialization("")
	}
	d.request(r, func(name string) bool { return d.parts(r, name) })
	if d.err == nil && d.peek() != 0 {
		d.fail("")
	}
	if d.err != nil {
		return out, d.err
	}
	if err := check(s, r); err != nil {
		return out, err
	}
	return do(s, r, out)
}

// nonExpression and the like name the parameters of the two languages that a
// request may not mix, in the order in which AWS lists them.
type parameter struct {
	name    string
	present bool
}

// exclusive refuses a request with parameters of both languages.
func exclusive(legacy, modern []parameter) *apiError {
	old, now := present(legacy), present(modern)
	if len(old) == 0 || len(now) == 0 {
		return nil
	}
	return validation("Can not use both expression and non-expression parameters in the same " +
		"request: Non-expression parameters: " + list(old) + " Expression parameters: " + list(now))
}

func present(parameters []parameter) []string {
	var names []string
	for _, p := range parameters {
		if p.present {
			names = append(names, p.name)
		}
	}
	return names
}

// invalidIn refuses an invalid value in a map of a request.
func (a *attributes) invalidIn() *apiError {
	if a.problem != "" {
		return validation(a.problem)
	}
	return nil
}

// attributesOnce refuses a name that AttributesToGet has twice.
func (l nameList) attributesOnce() *apiError {
	for i, name := range l.names {
		if slices.Contains(l.names[:i], name) {
			return invalidParameters("Duplicate value in attribute name: " + name)
		}
	}
	return nil
}

// bindCondition binds ConditionExpression, or takes the legacy Expected.
func (r *request) bindCondition(b *binder) *apiError {
	if r.condition.set {
		e, err := b.bind("ConditionExpression", r.condition.value, parseCondition)
		if err != nil {
			return err
		}
		r.plan.condition = e
		return nil
	}
	if len(r.expected.list) > 0 {
		r.plan.condition = legacyGuard{r.expected.list, r.conditionalOperator.value == "OR"}
	}
	return nil
}

// bindProjection binds ProjectionExpression, if there is one.
func (r *request) bindProjection(b *binder) *apiError {
	if !r.projection.set {
		return nil
	}
	e, err := b.bind("ProjectionExpression", r.projection.value, parseProjection)
	r.plan.projection = e
	return err
}

// visible is the part of an item that the request asked for.
func (r *request) visible(it item) item {
	switch {
	case r.plan.projection != nil:
		return r.plan.projection.project(it, r.plan.projection.paths)
	case r.attributesToGet.present:
		return named(it, r.attributesToGet.names)
	}
	return it
}

// checkAccess refuses expressions that reach into a key of the table.
func (r *request) checkAccess(t *table) *apiError {
	if e, ok := r.plan.condition.(*bound); ok {
		if err := keyAccess(t, e); err != nil {
			return err
		}
	}
	if r.plan.projection != nil {
		return keyAccess(t, r.plan.projection)
	}
	return nil
}
