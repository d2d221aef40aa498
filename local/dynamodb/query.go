package dynamodb

func checkQuery(s *Server, r *request) *apiError {
	var v violations
	v.oneOf(r.selected, "select", selectSet)
	v.name(r.indexName, "indexName")
	v.capacity(r)
	v.operators(&r.queryFilter, "queryFilter", true)
	v.tableName(r.tableName, "tableName")
	v.oneOf(r.conditionalOperator, "conditionalOperator", operatorSet)
	v.attributesToGet(r)
	v.atLeast(r.limit, "limit", 1)
	v.operators(&r.keyConditions, "keyConditions", true)
	if err := v.err(); err != nil {
		return err
	}
	if err := exclusive([]parameter{
		{"AttributesToGet", r.attributesToGet.present}, {"QueryFilter", r.queryFilter.present},
		{"ConditionalOperator", r.conditionalOperator.set},
		{"KeyConditions", r.keyConditions.present && r.keyCondition.set},
	}, []parameter{
		{"ProjectionExpression", r.projection.set}, {"FilterExpression", r.filter.set},
		{"KeyConditionExpression", r.keyCondition.set},
	}); err != nil {
		return err
	}
	b, err := newBinder(&s.cache, r, r.filter.set || r.keyCondition.set || r.projection.set,
		"FilterExpression and KeyConditionExpression are null")
	if err != nil {
		return err
	}
	if err := r.queryFilter.check(); err != nil {
		return err
	}
	if err := r.checkReading(); err != nil {
		return err
	}
	if err := r.keyConditions.check(); err != nil {
		return err
	}
	return r.bindQuery(b)
}

// checkReading checks what queries and scans have in common besides filters.
func (r *request) checkReading() *apiError {
	if err := r.attributesToGet.attributesOnce(); err != nil {
		return err
	}
	if err := r.startKey.checkStart(); err != nil {
		return err
	}
	return r.checkSelect()
}

// checkStart refuses a starting key with invalid values. AWS says of some that
// the key is invalid, and of others only what is wrong.
func (a *attributes) checkStart() *apiError {
	switch a.problem {
	case "":
		return nil
	case noDatatype, manyDatatypes,
		invalidValue + "Null attribute value types must have the value of true",
		invalidValue + "An string set  may not be empty",
		invalidValue + "Binary sets should not be empty":
		return validation(badStart + ": " + a.problem)
	}
	return validation(a.problem)
}

func (r *request) checkSelect() *apiError {
	specific := r.attributesToGet.present || r.projection.set
	switch {
	case !r.selected.set:
		return nil
	case r.selected.value == "SPECIFIC_ATTRIBUTES" && !specific:
		return validation("Must specify the AttributesToGet or ProjectionExpression when " +
			"choosing to get SPECIFIC_ATTRIBUTES")
	case r.selected.value == "SPECIFIC_ATTRIBUTES":
		return nil
	case r.selected.value == "ALL_PROJECTED_ATTRIBUTES" && !r.indexName.set:
		return invalidParameters("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using " +
			"an IndexName")
	case specific && r.projection.set:
		return validation("Cannot specify the ProjectionExpression when choosing to get " +
			r.selected.value)
	case specific:
		return validation("Cannot specify the AttributesToGet when choosing to get " +
			r.selected.value)
	}
	return nil
}

func (r *request) bindQuery(b *binder) *apiError {
	if err := b.check(); err != nil {
		return err
	}
	var keys *bound
	if r.keyCondition.set {
		var err *apiError
		keys, err = b.bind("KeyConditionExpression", r.keyCondition.value, parseCondition)
		if err != nil {
			return err
		}
	}
	if err := r.bindFilter(b, r.queryFilter); err != nil {
		return err
	}
	if err := b.unused(); err != nil {
		return err
	}
	var err *apiError
	switch {
	case keys != nil:
		r.plan.keys, err = keys.keyConditions()
	case r.keyConditions.present:
		r.plan.keys, err = r.keyConditions.legacyKeys()
	default:
		err = validation("Either the KeyConditions or KeyConditionExpression parameter must be " +
			"specified in the request.")
	}
	return err
}

// bindFilter binds the filter, in either language, and the projection.
func (r *request) bindFilter(b *binder, legacy conditions) *apiError {
	if r.filter.set {
		e, err := b.bind("FilterExpression", r.filter.value, parseCondition)
		if err != nil {
			return err
		}
		r.plan.filter, r.plan.filterExpr = e, e
	} else if len(legacy.list) > 0 {
		r.plan.filter = legacyGuard{legacy.list, r.conditionalOperator.value == "OR"}
	}
	return r.bindProjection(b)
}

// schema finds the table and index that a query or scan reads.
func (s *Server) schema(r *request) (querySchema, *apiError) {
	t, err := s.active(r.tableName.value)
	if err != nil {
		return querySchema{}, err
	}
	q := querySchema{t: t, keys: t.schema}
	if !r.indexName.set {
		return q, nil
	}
	q.x = t.index(r.indexName.value)
	if q.x == nil {
		return q, validation("The table does not have the specified index: " + r.indexName.value)
	}
	q.keys = q.x.schema
	if q.x.global && r.consistent {
		return q, validation("Consistent reads are not supported on global secondary indexes")
	}
	return q, nil
}

func (s *Server) query(r *request, out []byte) ([]byte, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	q, err := s.schema(r)
	if err != nil {
		return out, err
	}
	hash, sort, err := q.choose(r.plan.keys, r.startKey)
	if err != nil {
		return out, err
	}
	if err := q.checkStartConditions(r.startKey, hash, sort); err != nil {
		return out, err
	}
	if err := r.checkFilterKeys(q); err != nil {
		return out, err
	}
	if err := r.checkProjected(q); err != nil {
		return out, err
	}
	if err := r.checkFilterAccess(q.t); err != nil {
		return out, err
	}
	p := newPage(r, q)
	p.read(q.span(hash, sort))
	return p.answer(out), nil
}

// checkFilterKeys refuses a filter on what the key conditions are for.
func (r *request) checkFilterKeys(q querySchema) *apiError {
	for _, c := range r.queryFilter.list {
		if q.keys.has(c.name) {
			return validation("QueryFilter can only contain non-primary key attributes: " +
				"Primary key attribute: " + c.name)
		}
	}
	if e := r.plan.filterExpr; e != nil {
		for _, p := range e.allPaths() {
			if name := p[0].resolve(e.names); q.keys.has(name) {
				return validation("Filter Expression can only contain non-primary key " +
					"attributes: Primary key attribute: " + name)
			}
		}
	}
	return nil
}

func (r *request) checkFilterAccess(t *table) *apiError {
	if e := r.plan.filterExpr; e != nil {
		if err := keyAccess(t, e); err != nil {
			return err
		}
	}
	return r.checkAccess(t)
}

// checkProjected refuses to read attributes that a global index does not have.
func (r *request) checkProjected(q querySchema) *apiError {
	if q.x == nil || !q.x.global || q.x.projection == projectAll {
		return nil
	}
	if r.selected.value == "ALL_ATTRIBUTES" {
		return invalidParameters("Select type ALL_ATTRIBUTES is not supported for global " +
			"secondary index " + q.x.name + " because its projection type is not ALL")
	}
	for _, name := range r.wanted() {
		if !q.x.projects(q.t, name) {
			return invalidParameters("Global secondary index " + q.x.name +
				" does not project " + list([]string{name}))
		}
	}
	return nil
}

// wanted are the top-level attributes that the request names.
func (r *request) wanted() []string {
	if e := r.plan.projection; e != nil {
		var names []string
		for _, p := range e.paths {
			names = append(names, p[0].resolve(e.names))
		}
		return names
	}
	return r.attributesToGet.names
}

// A span is the places from one up to, and without, another.
type span struct{ from, to string }

// span is where all entries stand that can meet the conditions.
func (q querySchema) span(hash, sort *keyCondition) span {
	prefix := partition(hash.operands[0])
	whole := span{string(prefix), after(string(prefix))}
	if sort == nil {
		return whole
	}
	at := func(v value) string { return string(appendPart(prefix[:len(prefix):len(prefix)], v)) }
	switch first := sort.operands[0]; sort.op {
	case "=":
		return span{at(first), after(at(first))}
	case "<":
		return span{whole.from, at(first)}
	case "<=":
		return span{whole.from, after(at(first))}
	case ">":
		return span{after(at(first)), whole.to}
	case ">=":
		return span{at(first), whole.to}
	case "BETWEEN":
		return span{at(first), after(at(sort.operands[1]))}
	default:
		// The two bytes that end a part are not part of what it begins with.
		begin := at(first)
		return span{begin[:len(begin)-2], after(begin[:len(begin)-2])}
	}
}
