package dynamodb

import (
	"math"
	"strconv"
)

const (
	readUnit  = 4096
	writeUnit = 1024
)

// Usage is the capacity that a request consumed of a table and its indexes, the
// latter in the order of the table's.
type usage struct {
	t       *table
	table   float64
	indexes []float64
	touched []bool
	// reads and writes are set for transactions, which count them apart.
	reads, writes float64
}

func newUsage(t *table) *usage { return &usage{t: t} }

// readUnits is what reading so many bytes costs.
func readUnits(size int, consistent bool) float64 {
	units := math.Ceil(float64(max(size, 1)) / readUnit)
	if !consistent {
		units /= 2
	}
	return units
}

func writeUnits(size int) float64 { return math.Ceil(float64(max(size, 1)) / writeUnit) }

// index adds units of an index.
func (u *usage) index(x *index, units float64) {
	if u.indexes == nil {
		u.indexes = make([]float64, len(u.t.indexes))
		u.touched = make([]bool, len(u.t.indexes))
	}
	for i, known := range u.t.indexes {
		if known == x {
			u.indexes[i] += units
			u.touched[i] = true
		}
	}
}

// write adds what replacing an item costs: the larger of the two for the table,
// and for each index a write for each entry that changes.
func (u *usage) write(old, changed item, factor float64) {
	u.table += factor * writeUnits(max(old.size(), changed.size()))
	for _, x := range u.t.indexes {
		before, was := "", false
		if old != nil {
			before, was = x.place(u.t, old)
		}
		now, is := "", false
		if changed != nil {
			now, is = x.place(u.t, changed)
		}
		switch {
		case was && is && before == now:
			a, b := x.view(u.t, old), x.view(u.t, changed)
			if !equalItems(a, b) {
				u.index(x, factor*writeUnits(max(a.size(), b.size())))
			}
		default:
			if was {
				u.index(x, factor*writeUnits(x.view(u.t, old).size()))
			}
			if is {
				u.index(x, factor*writeUnits(x.view(u.t, changed).size()))
			}
		}
	}
}

func (u *usage) total() float64 {
	total := u.table
	for _, units := range u.indexes {
		total += units
	}
	return total
}

// appendUnits appends a number as AWS prints one of type double.
func appendUnits(out []byte, units float64) []byte {
	out = strconv.AppendFloat(out, units, 'f', -1, 64)
	if units == math.Trunc(units) {
		out = append(out, ".0"...)
	}
	return out
}

func appendCapacity(out []byte, units float64) []byte {
	return append(appendUnits(append(out, `{"CapacityUnits":`...), units), '}')
}

// append appends the structure ConsumedCapacity; how is TOTAL or INDEXES.
func (u *usage) append(out []byte, how string) []byte {
	out = append(out, `{"TableName":`...)
	out = appendText(out, u.t.spec.TableName)
	out = appendUnits(append(out, `,"CapacityUnits":`...), u.total())
	if u.reads > 0 {
		out = appendUnits(append(out, `,"ReadCapacityUnits":`...), u.reads)
	}
	if u.writes > 0 {
		out = appendUnits(append(out, `,"WriteCapacityUnits":`...), u.writes)
	}
	if how == "INDEXES" {
		out = appendCapacity(append(out, `,"Table":`...), u.table)
		out = u.appendIndexes(out, "LocalSecondaryIndexes", false)
		out = u.appendIndexes(out, "GlobalSecondaryIndexes", true)
	}
	return append(out, '}')
}

func (u *usage) appendIndexes(out []byte, name string, global bool) []byte {
	opened := false
	for i, x := range u.t.indexes {
		if x.global != global || u.touched == nil || !u.touched[i] {
			continue
		}
		if !opened {
			out = append(append(append(out, `,"`...), name...), `":{`...)
			opened = true
		} else {
			out = append(out, ',')
		}
		out = appendText(out, x.name)
		out = appendCapacity(append(out, ':'), u.indexes[i])
	}
	if opened {
		out = append(out, '}')
	}
	return out
}

// consumed appends the member ConsumedCapacity of a request for one table, if
// it was asked for.
func (r *request) consumed(out []byte, u *usage) []byte {
	if how := r.returnConsumed.value; how == "TOTAL" || how == "INDEXES" {
		out = u.append(member(out, "ConsumedCapacity"), how)
	}
	return out
}

// appendUsages appends the member ConsumedCapacity of a batch or transaction.
func (r *request) appendUsages(out []byte, usages []*usage) []byte {
	how := r.returnConsumed.value
	if how != "TOTAL" && how != "INDEXES" {
		return out
	}
	out = append(member(out, "ConsumedCapacity"), '[')
	for i, u := range usages {
		if i > 0 {
			out = append(out, ',')
		}
		out = u.append(out, how)
	}
	return append(out, ']')
}

// hasCollections tells whether items of the table form item collections, which
// only local indexes make.
func (t *table) hasCollections() bool {
	for _, x := range t.indexes {
		if !x.global {
			return true
		}
	}
	return false
}

// appendMetrics appends one structure ItemCollectionMetrics.
func (t *table) appendMetrics(out []byte, it item) []byte {
	key := item{{t.schema.hash.name, it.get(t.schema.hash.name)}}
	out = appendItem(append(out, `{"ItemCollectionKey":`...), key)
	return append(out, `,"SizeEstimateRangeGB":[0.0,1.0]}`...)
}

func (r *request) metrics(out []byte, t *table, it item) []byte {
	if r.returnMetrics.value == "SIZE" && t.hasCollections() {
		out = t.appendMetrics(member(out, "ItemCollectionMetrics"), it)
	}
	return out
}
