package store

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"portolan/local/disk"
)

// An Event is one change of one object. Before is nil when it was created, and After
// when it was removed; After then has no revision, and Last tells what it was like.
type Event struct {
	Resource string
	Revision int64
	Before   *Entry
	After    *Entry

	// Last is a removed object at the revision of its removal.
	Last *Entry
}

// Object is what the event is about, as it is now or was last.
func (e Event) Object() Object {
	if e.After != nil {
		return e.After.Object
	}
	return e.Last.Object
}

// A Tx reads and changes a store that it has locked. It must not be kept.
type Tx struct {
	store  *Store
	events []Event
	start  int64
}

// View runs fn on the store as it is at one moment.
func (s *Store) View(fn func(*Tx)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&Tx{store: s, start: s.revision})
}

// Change runs fn. All that it changed is kept and told, or nothing when it returns an
// error, which Change returns.
func (s *Store) Change(fn func(*Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := &Tx{store: s, start: s.revision}
	err := fn(tx)
	if err == nil {
		err = tx.write()
	}
	if err != nil {
		tx.undo()
		return err
	}
	tx.tell()
	return nil
}

// write brings the changes to disk.
func (tx *Tx) write() error {
	s := tx.store
	if len(tx.events) == 0 || s.config.Disk == nil {
		return nil
	}
	err := s.config.Disk.Update(func(to *disk.Tx) error {
		for _, e := range tx.events {
			bucket, key := s.bucket(e.Resource), []byte(KeyOf(e.Object()))
			var err error
			if e.After == nil {
				err = to.Delete(bucket, key)
			} else {
				err = to.Put(bucket, key, e.After.JSON())
			}
			if err != nil {
				return err
			}
		}
		return to.Put(s.bucket(), []byte("revision"), []byte(strconv.FormatInt(s.revision, 10)))
	})
	if err != nil {
		return fmt.Errorf("writing objects of %s: %w", s.config.Bucket, err)
	}
	return nil
}

func (tx *Tx) undo() {
	for i := len(tx.events) - 1; i >= 0; i-- {
		e := tx.events[i]
		if e.Before == nil {
			tx.table(e.Resource).remove(KeyOf(e.Object()))
		} else {
			tx.table(e.Resource).insert(KeyOf(e.Object()), e.Before)
		}
	}
	tx.store.revision = tx.start
}

// tell lets those who watch know, and notes the changes for those who will.
func (tx *Tx) tell() {
	limit := tx.store.config.History
	for _, e := range tx.events {
		t := tx.table(e.Resource)
		t.history = append(t.history, e)
		if len(t.history) >= 2*limit {
			t.forgotten = t.history[limit-1].Revision
			t.history = append([]Event(nil), t.history[limit:]...)
		}
		close(t.changed)
		t.changed = make(chan struct{})
	}
	for _, e := range tx.events {
		for _, listen := range tx.store.listeners {
			listen(e)
		}
	}
}

func (tx *Tx) table(resource string) *table {
	t, ok := tx.store.tables[resource]
	if !ok {
		panic("there are no " + resource + " in the store")
	}
	return t
}

// KeyOf is what an object is kept under: namespace/name, or its name alone where it
// has no namespace.
func KeyOf(o metav1.Object) string { return Key(o.GetNamespace(), o.GetName()) }

// Key is what the object of that namespace and name is kept under.
func Key(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// Put keeps the object in place of the one of its name, at a new revision, which it
// writes into the object. A new object gets its time of creation, and a uid unless it
// has one.
func (tx *Tx) Put(resource string, object Object) Object {
	t, key := tx.table(resource), KeyOf(object)
	before := t.entries[key]
	if before == nil {
		if object.GetUID() == "" {
			object.SetUID(tx.NewUID())
		}
		object.SetCreationTimestamp(metav1.NewTime(tx.store.now()).Rfc3339Copy())
	}
	tx.store.revision++
	object.SetResourceVersion(strconv.FormatInt(tx.store.revision, 10))
	after := &Entry{Object: object}
	t.insert(key, after)
	tx.events = append(tx.events, Event{Resource: resource, Revision: tx.store.revision, Before: before, After: after})
	return object
}

// NewUID makes a uid.
func (tx *Tx) NewUID() types.UID { return types.UID(tx.store.config.IDs.UUID()) }

// Remove forgets the object and returns it as it was last; nil when there is none.
func (tx *Tx) Remove(resource, namespace, name string) Object {
	t, key := tx.table(resource), Key(namespace, name)
	before := t.entries[key]
	if before == nil {
		return nil
	}
	t.remove(key)
	tx.store.revision++
	last := before.Object.DeepCopyObject().(Object)
	last.SetResourceVersion(strconv.FormatInt(tx.store.revision, 10))
	tx.events = append(tx.events, Event{Resource: resource, Revision: tx.store.revision, Before: before,
		Last: &Entry{Object: last}})
	return last
}

// FreeName returns base with five letters that make it unique, as generateName does.
func (tx *Tx) FreeName(resource, namespace, base string) string {
	const longest = 63 - 5
	base = base[:min(len(base), longest)]
	for {
		name := base + rand.SafeEncodeString(tx.store.config.IDs.Hex(5))
		if _, taken := tx.table(resource).entries[Key(namespace, name)]; !taken {
			return name
		}
	}
}
