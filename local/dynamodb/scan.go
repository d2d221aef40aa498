package dynamodb

func checkScan(s *Server, r *request) *apiError {
	var v violations
	v.oneOf(r.selected, "select", selectSet)
	v.name(r.indexName, "indexName")
	v.atLeast(r.totalSegments, "totalSegments", 1)
	v.capacity(r)
	v.tableName(r.tableName, "tableName")
	v.oneOf(r.conditionalOperator, "conditionalOperator", operatorSet)
	v.operators(&r.scanFilter, "scanFilter", true)
	v.atLeast(r.segment, "segment", 0)
	v.atLeast(r.limit, "limit", 1)
	v.attributesToGet(r)
	if err := v.err(); err != nil {
		return err
	}
	if err := exclusive([]parameter{
		{"AttributesToGet", r.attributesToGet.present}, {"ScanFilter", r.scanFilter.present},
		{"ConditionalOperator", r.conditionalOperator.set},
	}, []parameter{
		{"ProjectionExpression", r.projection.set}, {"FilterExpression", r.filter.set},
	}); err != nil {
		return err
	}
	b, err := newBinder(&s.cache, r, r.filter.set || r.projection.set, "FilterExpression is null")
	if err != nil {
		return err
	}
	if err := r.attributesToGet.attributesOnce(); err != nil {
		return err
	}
	if err := r.scanFilter.check(); err != nil {
		return err
	}
	if err := r.checkReading(); err != nil {
		return err
	}
	if err := r.checkSegments(); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	if err := r.bindFilter(b, r.scanFilter); err != nil {
		return err
	}
	return b.unused()
}

func (r *request) checkSegments() *apiError {
	switch {
	case r.segment.set && !r.totalSegments.set:
		return validation("The TotalSegments parameter is required but was not present in the " +
			"request when Segment parameter is present")
	case !r.segment.set && r.totalSegments.set:
		return validation("The Segment parameter is required but was not present in the request " +
			"when parameter TotalSegments is present")
	case r.segment.set && r.segment.value >= r.totalSegments.value:
		return validation("The Segment parameter is zero-based and must be less than parameter " +
			"TotalSegments: Segment: " + itoa(r.segment.value) + " is not less than " +
			"TotalSegments: " + itoa(r.totalSegments.value))
	}
	return nil
}

func (s *Server) scan(r *request, out []byte) ([]byte, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	q, err := s.schema(r)
	if err != nil {
		return out, err
	}
	if err := q.checkScanStart(r); err != nil {
		return out, err
	}
	over := span{to: "\xff\xff\xff\xff"}
	if r.segment.set {
		over = segment(r.segment.value, r.totalSegments.value)
		if r.startKey.present {
			if at := q.place(r.startKey.item); at < over.from || at >= over.to {
				return out, validation(badStart + ": Invalid ExclusiveStartKey. Please use " +
					"ExclusiveStartKey with correct Segment. TotalSegments: " +
					itoa(r.totalSegments.value) + " Segment: " + itoa(r.segment.value))
			}
		}
	}
	if err := r.checkFilterAccess(q.t); err != nil {
		return out, err
	}
	r.backward = false
	p := newPage(r, q)
	p.read(over)
	return p.answer(out), nil
}

// checkScanStart checks the starting key, and between its two parts what the
// index has.
func (q querySchema) checkScanStart(r *request) *apiError {
	if q.x == nil {
		if r.startKey.present && q.t.schema.checkKey(r.startKey.item) != nil {
			return validation(badStart + ": " + keyMismatch)
		}
		return nil
	}
	if err := q.checkStartHash(r.startKey); err != nil {
		return err
	}
	if err := q.checkStartRange(r.startKey); err != nil {
		return err
	}
	if err := r.checkProjected(q); err != nil {
		return err
	}
	return q.checkStartTable(r.startKey)
}

// segment is the part of all places that one of several parallel scans reads:
// they share the first twelve bits of the hash evenly.
func segment(number, total int) span {
	edge := func(n int) string {
		first := (4096*n + total - 1) / total
		if first >= 4096 {
			return "\xff\xff\xff\xff"
		}
		return string([]byte{byte(first >> 4), byte(first << 4)})
	}
	return span{edge(number), edge(number + 1)}
}
