package dynamodb

import (
	"slices"
	"time"
)

// A table is a definition and its items. The server's lock guards it.
type table struct {
	spec     tableSpec
	id       string
	created  time.Time
	activeAt time.Time

	schema  keySchema
	indexes []*index
	items   tree[item]
	// expiring holds the places of items with a time to live by that time.
	expiring tree[string]
	bytes    int
	stream   *stream
	// streams are the ones that were switched off, and can still be read.
	streams []*stream
}

// An index has the items of its table that have its key. Projection decides
// only what of them is seen.
type index struct {
	name       string
	schema     keySchema
	global     bool
	projection string
	include    []string
	entries    tree[item]
}

const (
	projectAll     = "ALL"
	projectKeys    = "KEYS_ONLY"
	projectInclude = "INCLUDE"
)

// indexKey tells whether an index has the attribute in its key.
func (t *table) indexKey(name string) bool {
	return slices.ContainsFunc(t.indexes, func(x *index) bool { return x.schema.has(name) })
}

func (t *table) index(name string) *index {
	for _, x := range t.indexes {
		if x.name == name {
			return x
		}
	}
	return nil
}

// projects tells whether an attribute of the table is in the index.
func (x *index) projects(t *table, name string) bool {
	return x.projection == projectAll || t.schema.has(name) || x.schema.has(name) ||
		x.projection == projectInclude && slices.Contains(x.include, name)
}

// view is the part of an item that the index has.
func (x *index) view(t *table, it item) item {
	if x.projection == projectAll {
		return it
	}
	kept := make(item, 0, len(it))
	for i := range it {
		if x.projects(t, it[i].name) {
			kept = append(kept, it[i])
		}
	}
	return kept
}

// replace puts a new item in the place of the old one, in the table and its
// indexes; either may be nil for none.
func (t *table) replace(place string, old, changed item) {
	if changed == nil {
		t.items.delete(place)
	} else {
		t.items.put(place, changed)
	}
	t.bytes += changed.size() - old.size()
	for _, x := range t.indexes {
		x.replace(t, old, changed)
	}
	t.replaceExpiry(place, old, changed)
}

func (x *index) replace(t *table, old, changed item) {
	before, was := "", false
	if old != nil {
		before, was = x.place(t, old)
	}
	now, is := "", false
	if changed != nil {
		now, is = x.place(t, changed)
	}
	if was && (!is || before != now) {
		x.entries.delete(before)
	}
	if is {
		x.entries.put(now, changed)
	}
}
