package dynamodb

// pageMax is the stored size behind which a page ends; the item that reaches it
// is still in it.
const pageMax = 1 << 20

// A page is one answer of a query or a scan.
type page struct {
	r *request
	q querySchema

	items   []item
	count   int
	scanned int
	size    int
	stored  int
	fetched float64 // units for what a local index lacks
	last    item
	// more tells that the page ended before the entries did.
	more bool
}

func newPage(r *request, q querySchema) *page { return &page{r: r, q: q} }

// entries are the entries that the page reads from.
func (p *page) entries() *tree[item] {
	if p.q.x != nil {
		return &p.q.x.entries
	}
	return &p.q.t.items
}

// read collects the entries of a span, in the request's direction, from behind
// the starting key until the page is full.
func (p *page) read(over span) {
	if p.r.startKey.present {
		at := p.q.place(p.r.startKey.item)
		if p.r.backward {
			over.to = min(over.to, at)
		} else {
			over.from = max(over.from, at+"\x00")
		}
	}
	visit := func(place string, it item) bool {
		if p.r.backward && place < over.from || !p.r.backward && place >= over.to {
			return false
		}
		p.more = !p.take(it)
		return !p.more
	}
	if p.r.backward {
		p.entries().descend(over.to, visit)
	} else {
		p.entries().ascend(over.from, visit)
	}
}

// take adds an entry, and tells whether there is room for another.
func (p *page) take(it item) bool {
	seen := it
	if p.q.x != nil {
		seen = p.q.x.view(p.q.t, it)
	}
	p.size += seen.size()
	p.stored += storedSize(seen, p.q.t.schema.sort.name)
	p.scanned++
	p.last = it
	if filter := p.r.plan.filter; filter == nil || filter.matches(p.readable(it, seen)) {
		p.count++
		if p.r.selected.value != "COUNT" {
			p.items = append(p.items, p.shown(it, seen))
		}
	}
	return p.stored < pageMax && (!p.r.limit.set || p.scanned < p.r.limit.value)
}

// readable is what a filter sees.
func (p *page) readable(it, seen item) item {
	if p.fetches() {
		return it
	}
	return seen
}

// fetches tells whether the table is read for what a local index lacks.
func (p *page) fetches() bool {
	if p.q.x == nil || p.q.x.global || p.q.x.projection == projectAll {
		return false
	}
	if p.r.selected.value == "ALL_ATTRIBUTES" {
		return true
	}
	for _, name := range p.r.wanted() {
		if !p.q.x.projects(p.q.t, name) {
			return true
		}
	}
	return false
}

func (p *page) shown(it, seen item) item {
	if p.fetches() {
		p.fetched += readUnits(it.size(), p.r.consistent)
		return p.r.visible(it)
	}
	return p.r.visible(seen)
}

// answer appends the page.
func (p *page) answer(out []byte) []byte {
	out = append(out, `{"Count":`...)
	out = append(out, itoa(p.count)...)
	out = append(out, `,"ScannedCount":`...)
	out = append(out, itoa(p.scanned)...)
	if p.r.selected.value != "COUNT" {
		out = append(out, `,"Items":[`...)
		for i, it := range p.items {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendItem(out, it)
		}
		out = append(out, ']')
	}
	if p.more {
		out = appendItem(member(out, "LastEvaluatedKey"), p.q.startKey(p.last))
	}
	if p.r.returnConsumed.set {
		u := newUsage(p.q.t)
		units := readUnits(p.size, p.r.consistent)
		if p.q.x == nil {
			u.table = units
		} else {
			u.index(p.q.x, units)
			u.table = p.fetched
		}
		out = p.r.consumed(out, u)
	}
	return append(out, '}')
}

// storedSize is what an item takes of a page. Pages are measured by how items
// are stored and not by their size: a name is one byte, a text has its length
// before it, and every three kilobytes have a head with the range key in it.
func storedSize(it item, rangeKey string) int {
	size, head := 0, 18
	for i := range it {
		if it[i].name == rangeKey && rangeKey != "" {
			head += it[i].value.size()
		} else {
			size += 1 + storedValue(it[i].value)
		}
	}
	return 2 + size + (1+(1+size)/3072)*head
}

func storedValue(v value) int {
	switch v.kind {
	case kindString:
		switch size := len(v.text); {
		case size < 128:
			return size + 1
		case size < 16384:
			return size + 2
		default:
			return size + 3
		}
	case kindBinary, kindNumber:
		return v.size() + 1
	case kindNull:
		return 0
	case kindList:
		size := 3
		for _, element := range v.more.list {
			size += 1 + storedValue(element)
		}
		return size
	case kindMap:
		size := 3
		for _, a := range v.more.fields {
			size += 2 + storedValue(a.value)
		}
		return size
	case kindStringSet, kindNumberSet, kindBinarySet:
		return v.size() + len(v.more.set) + 1
	}
	return v.size()
}
