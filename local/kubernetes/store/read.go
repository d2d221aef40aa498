package store

import (
	"errors"
	"maps"
	"slices"
	"sort"
	"strings"
)

// ErrForgotten is for a revision whose following changes are not all remembered.
var ErrForgotten = errors.New("the revision is too old")

// Revision is that of the last change.
func (tx *Tx) Revision() int64 { return tx.store.revision }

// Get is the object of that name, and nil when there is none. It must not be changed.
func (tx *Tx) Get(resource, namespace, name string) Object {
	if e := tx.Entry(resource, namespace, name); e != nil {
		return e.Object
	}
	return nil
}

// Entry is the object of that name with its JSON, and nil when there is none.
func (tx *Tx) Entry(resource, namespace, name string) *Entry {
	return tx.table(resource).entries[Key(namespace, name)]
}

// List lists the objects of a resource in one namespace, or in all when it is empty,
// in the order of namespaces and names.
func (tx *Tx) List(resource, namespace string) []*Entry {
	t := tx.table(resource)
	return pick(t.order, t.entries, namespace)
}

func pick(order []string, entries map[string]*Entry, namespace string) []*Entry {
	first, prefix := 0, ""
	if namespace != "" {
		prefix = namespace + "/"
		first, _ = slices.BinarySearch(order, prefix)
	}
	var list []*Entry
	for _, key := range order[first:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		list = append(list, entries[key])
	}
	return list
}

// ListAt lists the objects as List would have at an earlier revision.
func (tx *Tx) ListAt(resource, namespace string, revision int64) ([]*Entry, error) {
	later, err := tx.Since(resource, revision)
	if err != nil {
		return nil, err
	}
	if len(later) == 0 {
		return tx.List(resource, namespace), nil
	}
	entries := maps.Clone(tx.table(resource).entries)
	for _, e := range slices.Backward(later) {
		if e.Before == nil {
			delete(entries, KeyOf(e.Object()))
		} else {
			entries[KeyOf(e.Object())] = e.Before
		}
	}
	return pick(slices.Sorted(maps.Keys(entries)), entries, namespace), nil
}

// Since lists the changes of a resource after a revision. It is ErrForgotten when not
// all of them are remembered. The slice must not be changed.
func (tx *Tx) Since(resource string, revision int64) ([]Event, error) {
	t := tx.table(resource)
	if revision < t.forgotten {
		return nil, ErrForgotten
	}
	first := sort.Search(len(t.history), func(i int) bool { return t.history[i].Revision > revision })
	return t.history[first:len(t.history):len(t.history)], nil
}

// Changed is closed at the next change of the resource.
func (tx *Tx) Changed(resource string) <-chan struct{} { return tx.table(resource).changed }

// Find lists the objects of a resource that match, as their own type.
func Find[T Object](tx *Tx, resource, namespace string, match func(T) bool) []T {
	var found []T
	for _, e := range tx.List(resource, namespace) {
		if o := e.Object.(T); match == nil || match(o) {
			found = append(found, o)
		}
	}
	return found
}

// Get is the object of that name as its own type, and false when there is none.
func Get[T Object](tx *Tx, resource, namespace, name string) (T, bool) {
	o, ok := tx.Get(resource, namespace, name).(T)
	return o, ok
}
