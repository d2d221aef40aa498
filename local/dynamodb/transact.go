package dynamodb

import (
	"slices"

	"portolan/local/disk"
)

const (
	transactionMax     = 100
	transactionSizeMax = 4 << 20
)

// A cancellation is why a part of a transaction, or none, cancelled it.
type cancellation struct {
	code    string
	message string
	item    item
}

// codeNone is the reason of a part that had nothing against it.
const codeNone = "None"

func appendReasons(out []byte, reasons []cancellation) []byte {
	out = append(out, '[')
	for i, reason := range reasons {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(append(out, `{"Code":`...), reason.code)
		if reason.message != "" {
			out = appendText(append(out, `,"Message":`...), reason.message)
		}
		if reason.item != nil {
			out = appendItem(append(out, `,"Item":`...), reason.item)
		}
		out = append(out, '}')
	}
	return append(out, ']')
}

// cancelled is the answer to a transaction with reasons, nil when all are none.
func cancelled(reasons []cancellation) *apiError {
	codes := make([]string, len(reasons))
	for i, reason := range reasons {
		codes[i] = reason.code
	}
	if !slices.ContainsFunc(codes, func(code string) bool { return code != codeNone }) {
		return nil
	}
	message := "Transaction cancelled, please refer cancellation reasons for specific reasons ["
	for i, code := range codes {
		if i > 0 {
			message += ", "
		}
		message += code
	}
	err := failure("TransactionCanceledException", message+"]")
	err.reasons = reasons
	return err
}

// reason turns the error of a part into its reason.
func reason(err *apiError) cancellation {
	switch err.kind {
	case model + "ConditionalCheckFailedException":
		return cancellation{"ConditionalCheckFailed", err.message, err.item}
	}
	return cancellation{code: "ValidationError", message: err.message}
}

// one is the only request of a part, and how many it has.
func (p *transactionPart) one() (r *request, count int) {
	for _, candidate := range []*request{p.check, p.put, p.delete, p.update, p.get} {
		if candidate != nil {
			r = candidate
			count++
		}
	}
	return r, count
}

func (v *violations) transaction(r *request) {
	if !r.hasTransaction {
		v.missing("transactItems")
		return
	}
	switch n := len(r.transaction); {
	case n == 0:
		v.add("'[]'", "transactItems", "Member must have length greater than or equal to 1")
	case n > transactionMax:
		v.add("'[...]'", "transactItems", "Member must have length less than or equal to "+
			itoa(transactionMax))
	}
	for i := range r.transaction {
		v.transactionPart(&r.transaction[i], "transactItems."+itoa(i+1)+".member.")
	}
}

func (v *violations) transactionPart(p *transactionPart, at string) {
	keyed := func(r *request, name string) {
		if r == nil {
			return
		}
		v.oneOf(r.returnOnFailure, at+name+".returnValuesOnConditionCheckFailure", failureSet)
		if !r.key.present {
			v.missing(at + name + ".key")
		}
		v.tableName(r.tableName, at+name+".tableName")
	}
	keyed(p.check, "conditionCheck")
	keyed(p.delete, "delete")
	keyed(p.update, "update")
	keyed(p.get, "get")
	if p.check != nil && !p.check.condition.set {
		v.missing(at + "conditionCheck.conditionExpression")
	}
	if p.update != nil && !p.update.update.set {
		v.missing(at + "update.updateExpression")
	}
	if p.put != nil {
		v.oneOf(p.put.returnOnFailure, at+"put.returnValuesOnConditionCheckFailure", failureSet)
		if !p.put.item.present {
			v.missing(at + "put.item")
		}
		v.tableName(p.put.tableName, at+"put.tableName")
	}
}

func checkTransactGet(s *Server, r *request) *apiError {
	var v violations
	v.capacity(r)
	v.transaction(r)
	if err := v.err(); err != nil {
		return err
	}
	for i := range r.transaction {
		if r.transaction[i].get == nil {
			return wrongPart()
		}
		if err := checkReadPart(s, r.transaction[i].get); err != nil {
			return err
		}
	}
	return nil
}

func wrongPart() *apiError {
	return validation("TransactItems can only contain one of Check, Put, Update or Delete")
}

func checkTransactWrite(s *Server, r *request) *apiError {
	var v violations
	v.capacity(r)
	v.oneOf(r.returnMetrics, "returnItemCollectionMetrics", metricsSet)
	if r.token.set && (len(r.token.value) < 1 || len(r.token.value) > 36) {
		bound := "greater than or equal to 1"
		if len(r.token.value) > 36 {
			bound = "less than or equal to 36"
		}
		v.add("'"+r.token.value+"'", "clientRequestToken", "Member must have length "+bound)
	}
	v.transaction(r)
	if err := v.err(); err != nil {
		return err
	}
	for i := range r.transaction {
		if err := r.transaction[i].checkWrite(s); err != nil {
			return err
		}
	}
	return nil
}

func (p *transactionPart) checkWrite(s *Server) *apiError {
	one, count := p.one()
	if count != 1 {
		return wrongPart()
	}
	switch one {
	case p.put:
		return checkPutPart(s, one)
	case p.update:
		return checkUpdatePart(s, one)
	case p.get:
		return wrongPart()
	}
	return checkDeletePart(s, one)
}

// change works out what a part does. A check changes nothing.
func (p *transactionPart) change(t *table) (change, *apiError) {
	switch {
	case p.put != nil:
		return p.put.planPut(t)
	case p.update != nil:
		return p.update.planUpdate(t)
	case p.delete != nil:
		return p.delete.planDelete(t)
	}
	c, err := p.check.planDelete(t)
	c.changed = c.old
	return c, err
}

func (s *Server) transactWrite(r *request, out []byte) ([]byte, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fingerprint := r.fingerprint()
	repeat, err := s.tokens.check(r.token, fingerprint, s.now())
	if err != nil {
		return out, err
	}
	if repeat {
		return r.answerRepeat(s, out)
	}
	changes, err := s.planTransaction(r)
	if err != nil {
		return out, err
	}
	effective := slices.Clone(changes)
	for i := len(effective) - 1; i >= 0; i-- {
		if r.transaction[i].check != nil {
			effective = slices.Delete(effective, i, i+1)
		}
	}
	entry := s.tokens.entry(r.token, fingerprint, s.now())
	if err := s.commit(effective, func(tx *disk.Tx) error { return entry.persist(tx) }); err != nil {
		return out, err
	}
	s.tokens.add(entry)
	out = r.batchMetrics(append(out, '{'), changes)
	return append(r.appendUsages(out, transactionUsages(changes)), '}'), nil
}

// transactionUsages counts every write twice, as a transaction costs.
func transactionUsages(changes []change) []*usage {
	var usages []*usage
	for _, c := range changes {
		u := usageOf(&usages, c.t)
		u.write(c.old, c.changed, 2)
		u.writes = u.total()
	}
	return usages
}

// usageOf finds a table's usage among others, or adds it.
func usageOf(usages *[]*usage, t *table) *usage {
	for _, u := range *usages {
		if u.t == t {
			return u
		}
	}
	u := newUsage(t)
	*usages = append(*usages, u)
	return u
}

// answerRepeat answers a transaction whose token was seen: it costs what
// reading its items costs, and changes nothing.
func (r *request) answerRepeat(s *Server, out []byte) ([]byte, *apiError) {
	var usages []*usage
	for i := range r.transaction {
		one, _ := r.transaction[i].one()
		t, err := s.active(one.tableName.value)
		if err != nil {
			return out, err
		}
		key := one.key.item
		if one.item.present {
			key = one.item.item
		}
		it, _ := t.items.get(t.schema.place(key))
		u := usageOf(&usages, t)
		u.table += 2 * readUnits(it.size(), true)
		u.reads = u.table
	}
	return append(r.appendUsages(append(out, '{'), usages), '}'), nil
}

// planTransaction works out all changes, or the reasons against them.
func (s *Server) planTransaction(r *request) ([]change, *apiError) {
	tables, err := s.transactionTables(r)
	if err != nil {
		return nil, err
	}
	if err := r.distinctItems(tables); err != nil {
		return nil, err
	}
	changes := make([]change, len(tables))
	reasons := make([]cancellation, len(tables))
	size := 0
	for i := range r.transaction {
		reasons[i].code = codeNone
		c, err := r.transaction[i].change(tables[i])
		if err != nil {
			reasons[i] = reason(err)
		}
		changes[i] = c
		size += max(c.old.size(), c.changed.size())
	}
	if err := cancelled(reasons); err != nil {
		return nil, err
	}
	if size > transactionSizeMax {
		return nil, validation("Transaction request cannot include more than 4 MB of data")
	}
	return changes, nil
}

func (s *Server) transactionTables(r *request) ([]*table, *apiError) {
	tables := make([]*table, len(r.transaction))
	for i := range r.transaction {
		one, _ := r.transaction[i].one()
		t, err := s.active(one.tableName.value)
		if err != nil {
			return nil, err
		}
		tables[i] = t
	}
	return tables, nil
}

// distinctItems refuses two parts on one item. Parts with keys that do not fit
// are left for the reasons to tell.
func (r *request) distinctItems(tables []*table) *apiError {
	type target struct {
		t     *table
		place string
	}
	seen := make(map[target]bool, len(tables))
	for i, t := range tables {
		one, _ := r.transaction[i].one()
		key := one.key.item
		if one.item.present {
			key = t.schema.of(one.item.item)
		}
		if t.schema.checkKey(key) != nil {
			continue
		}
		at := target{t, t.schema.place(key)}
		if seen[at] {
			return validation("Transaction request cannot include multiple operations on one item")
		}
		seen[at] = true
	}
	return nil
}

func (s *Server) transactGet(r *request, out []byte) ([]byte, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tables, err := s.transactionTables(r)
	if err != nil {
		return out, err
	}
	if err := r.distinctItems(tables); err != nil {
		return out, err
	}
	reasons := make([]cancellation, len(tables))
	for i, t := range tables {
		get := r.transaction[i].get
		reasons[i].code = codeNone
		if err := t.schema.checkKey(get.key.item); err != nil {
			reasons[i] = reason(err)
		} else if err := get.checkAccess(t); err != nil {
			reasons[i] = reason(err)
		}
	}
	if err := cancelled(reasons); err != nil {
		return out, err
	}
	var usages []*usage
	out = append(out, `{"Responses":[`...)
	for i, t := range tables {
		get := r.transaction[i].get
		it, found := t.items.get(t.schema.place(get.key.item))
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '{')
		if found {
			out = appendItem(member(out, "Item"), get.visible(it))
		}
		out = append(out, '}')
		u := usageOf(&usages, t)
		u.table += 2 * readUnits(it.size(), true)
		u.reads = u.table
	}
	return append(r.appendUsages(append(out, ']'), usages), '}'), nil
}
