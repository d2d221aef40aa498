package dynamodb

import "strings"

const (
	batchGetMax   = 100
	batchWriteMax = 25
	// batchSizeMax is how much BatchGetItem answers before it leaves keys for the
	// next call: a megabyte and, but for a few bytes, one item of the largest size.
	batchSizeMax = 1<<20 + itemMax - 3
)

// parts reads the members whose shape is the operation's own. Which one it is
// can be told from the shape: of RequestItems a map of lists is for writes.
func (d *decoder) parts(r *request, name string) bool {
	switch {
	case name == "RequestItems" && r.operation == "BatchGetItem":
		d.batchGets(&r.batches)
	case name == "RequestItems" && r.operation == "BatchWriteItem":
		d.batchWrites(&r.batches)
	case name == "TransactItems" && r.operation == "TransactGetItems":
		d.transactionParts("TransactGetItem", r)
	case name == "TransactItems":
		d.transactionParts("TransactWriteItem", r)
	default:
		return false
	}
	return true
}

// batchNames checks RequestItems itself and the names of its tables.
func (v *violations) batchNames(b *batchMap) {
	if !b.present {
		v.missing("requestItems")
		return
	}
	if len(b.tables) == 0 {
		v.add("'{}'", "requestItems", "Member must have length greater than or equal to 1")
	}
	for _, one := range b.tables {
		if strings.HasPrefix(one.name, arnPrefix) {
			continue
		}
		if !isName(one.name) || len(one.name) < 3 || len(one.name) > 255 {
			v.add("'"+b.describe()+"'", "requestItems", mapKeys)
			break
		}
	}
}

// describe is RequestItems as messages print it, short of its contents.
func (b *batchMap) describe() string {
	var names []string
	for _, one := range b.tables {
		names = append(names, one.name+"=[...]")
	}
	return list(names)
}

func checkBatchGet(s *Server, r *request) *apiError {
	var v violations
	v.capacity(r)
	v.batchNames(&r.batches)
	for _, one := range r.batches.tables {
		at := "requestItems." + one.name + ".member.keys"
		switch {
		case !one.hasKeys:
			v.missing(at)
		case len(one.keys) == 0:
			v.add("'[]'", at, "Member must have length greater than or equal to 1")
		case len(one.keys) > batchGetMax:
			v.add("'["+strings.Repeat("{...}, ", len(one.keys)-1)+"{...}]'", at,
				"Member must have length less than or equal to 100")
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	total := 0
	for _, one := range r.batches.tables {
		if err := checkReadPart(s, one.get, one.keys...); err != nil {
			return err
		}
		if err := one.duplicateKeys(); err != nil {
			return err
		}
		total += len(one.keys)
	}
	if total > batchGetMax {
		return validation("Too many items requested for the BatchGetItem call")
	}
	return nil
}

func duplicates() *apiError { return validation("Provided list of item keys contains duplicates") }

func (b *tableBatch) duplicateKeys() *apiError {
	seen := make(map[string]bool, len(b.keys))
	for _, key := range b.keys {
		text := string(appendItem(nil, key.item))
		if seen[text] {
			return duplicates()
		}
		seen[text] = true
	}
	return nil
}

func (s *Server) batchGet(r *request, out []byte) ([]byte, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tables := make([]*table, len(r.batches.tables))
	for i, one := range r.batches.tables {
		t, err := s.active(one.name)
		if err != nil {
			return out, err
		}
		tables[i] = t
		for _, key := range one.keys {
			if err := t.schema.checkKey(key.item); err != nil {
				return out, err
			}
		}
		if err := one.get.checkAccess(t); err != nil {
			return out, err
		}
	}
	return s.answerBatchGet(r, tables, out), nil
}

func (s *Server) answerBatchGet(r *request, tables []*table, out []byte) []byte {
	var left []byte
	var usages []*usage
	size := 0
	out = append(out, `{"Responses":{`...)
	for i := range r.batches.tables {
		one, t := &r.batches.tables[i], tables[i]
		u := newUsage(t)
		usages = append(usages, u)
		out = append(member(out, one.name), '[')
		var unread []item
		for _, key := range one.keys {
			it, found := t.items.get(t.schema.place(key.item))
			if size += it.size(); size > batchSizeMax {
				size -= it.size()
				u.table++
				unread = append(unread, key.item)
				continue
			}
			u.table += readUnits(it.size(), one.get.consistent)
			if found {
				if out[len(out)-1] != '[' {
					out = append(out, ',')
				}
				out = appendItem(out, one.get.visible(it))
			}
		}
		out = append(out, ']')
		left = one.appendUnread(left, unread)
	}
	out = append(append(append(out, `},"UnprocessedKeys":{`...), left...), '}')
	return append(r.appendUsages(out, usages), '}')
}

// appendUnread appends the keys that are left for the next call, with the
// parameters that they came with.
func (b *tableBatch) appendUnread(out []byte, keys []item) []byte {
	if len(keys) == 0 {
		return out
	}
	if len(out) > 0 {
		out = append(out, ',')
	}
	out = append(appendText(out, b.name), `:{"Keys":[`...)
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendItem(out, key)
	}
	out = append(out, ']')
	if b.get.consistent {
		out = append(out, `,"ConsistentRead":true`...)
	}
	if b.get.projection.set {
		out = appendText(member(out, "ProjectionExpression"), b.get.projection.value)
	}
	if b.get.names.present {
		out = append(member(out, "ExpressionAttributeNames"), '{')
		for _, pair := range b.get.names.pairs {
			out = appendText(member(out, pair.placeholder), pair.name)
		}
		out = append(out, '}')
	}
	if b.get.attributesToGet.present {
		out = append(member(out, "AttributesToGet"), '[')
		for i, name := range b.get.attributesToGet.names {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendText(out, name)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

func checkBatchWrite(_ *Server, r *request) *apiError {
	var v violations
	v.capacity(r)
	v.oneOf(r.returnMetrics, "returnItemCollectionMetrics", metricsSet)
	v.batchNames(&r.batches)
	for _, one := range r.batches.tables {
		if n := len(one.writes); n == 0 || n > batchWriteMax {
			v.add("'"+r.batches.describe()+"'", "requestItems", "Map value must satisfy "+
				"constraint: [Member must have length less than or equal to 25, Member must have "+
				"length greater than or equal to 1]")
			break
		}
	}
	for _, one := range r.batches.tables {
		for i, w := range one.writes {
			at := "requestItems." + one.name + ".member." + itoa(i+1) + ".member."
			if w.delete != nil && !w.delete.key.present {
				v.missing(at + "deleteRequest.key")
			}
			if w.put != nil && !w.put.item.present {
				v.missing(at + "putRequest.item")
			}
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	return r.batches.checkWrites()
}

func (b *batchMap) checkWrites() *apiError {
	total := 0
	for _, one := range b.tables {
		for _, w := range one.writes {
			if (w.put == nil) == (w.delete == nil) {
				return validation(manyDatatypes)
			}
			if err := w.check(); err != nil {
				return err
			}
			total++
		}
	}
	if total > batchWriteMax {
		return validation("Too many items requested for the BatchWriteItem call")
	}
	return nil
}

func (w *writeRequest) check() *apiError {
	if w.delete != nil {
		return w.delete.key.invalidIn()
	}
	if err := w.put.item.invalidIn(); err != nil {
		return err
	}
	if w.put.item.item.size() > itemMax {
		return validation("Item size has exceeded the maximum allowed size")
	}
	return nil
}

func (s *Server) batchWrite(r *request, out []byte) ([]byte, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changes []change
	var usages []*usage
	for _, one := range r.batches.tables {
		t, err := s.active(one.name)
		if err != nil {
			return out, err
		}
		u := newUsage(t)
		usages = append(usages, u)
		seen := make(map[string]bool, len(one.writes))
		for _, w := range one.writes {
			c, err := w.change(t)
			if err != nil {
				return out, err
			}
			if seen[c.place] {
				return out, duplicates()
			}
			seen[c.place] = true
			u.write(c.old, c.changed, 1)
			changes = append(changes, c)
		}
	}
	if err := s.commit(changes, nil); err != nil {
		return out, err
	}
	out = append(out, `{"UnprocessedItems":{}`...)
	out = r.batchMetrics(out, changes)
	return append(r.appendUsages(out, usages), '}'), nil
}

func (w *writeRequest) change(t *table) (change, *apiError) {
	if w.delete != nil {
		if err := t.schema.checkKey(w.delete.key.item); err != nil {
			return change{}, err
		}
		return t.change(w.delete.key.item), nil
	}
	it := w.put.item.item
	for _, part := range t.schema.attributes() {
		if it.get(part.name).kind != part.kind {
			return change{}, validation(keyMismatch)
		}
	}
	if err := t.checkItem(it); err != nil {
		return change{}, err
	}
	c := t.change(it)
	c.changed = it
	return c, nil
}

// batchMetrics appends the member ItemCollectionMetrics of several writes.
func (r *request) batchMetrics(out []byte, changes []change) []byte {
	if r.returnMetrics.value != "SIZE" {
		return out
	}
	out = append(member(out, "ItemCollectionMetrics"), '{')
	var last *table
	for i := range changes {
		c := &changes[i]
		if !c.t.hasCollections() {
			continue
		}
		if c.t != last {
			if last != nil {
				out = append(out, ']')
			}
			out = append(member(out, c.t.spec.TableName), '[')
			last = c.t
		} else {
			out = append(out, ',')
		}
		it := c.changed
		if it == nil {
			it = c.old
		}
		out = c.t.appendMetrics(out, it)
	}
	if last != nil {
		out = append(out, ']')
	}
	return append(out, '}')
}
