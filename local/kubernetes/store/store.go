package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/unique"
)

// An Object is anything that a cluster keeps. What was handed to the store is
// shared from then on: whoever wants to change it changes a DeepCopy.
type Object interface {
	runtime.Object
	metav1.Object
}

// A Type is one type of object, under the name of its resource, which is unique in
// a store, such as pods.
type Type struct {
	Resource string
	New      func() Object
}

// Config is what a Store is made of.
type Config struct {
	Clock  *clock.Clock
	Disk   *disk.Disk
	IDs    *unique.Source
	Bucket string // the first part of the names of the buckets on disk
	Types  []Type

	// History is how many changes of each resource are remembered; 1000 where it is 0.
	History int
}

// A Store holds the objects. Its first revision is 1.
type Store struct {
	config Config

	mu        sync.Mutex
	revision  int64
	tables    map[string]*table // by resource
	listeners []func(Event)
}

// A table holds the objects of one resource.
type table struct {
	entries map[string]*Entry // by namespace/name
	order   []string          // the keys, sorted
	history []Event           // the oldest first

	// forgotten is the revision of the newest change that is not in history.
	forgotten int64
	changed   chan struct{} // closed at the next change
}

// An Entry is an object as it was at one revision.
type Entry struct {
	Object Object
	once   sync.Once
	raw    []byte
}

// JSON returns the object without kind and apiVersion. It must not be changed.
func (e *Entry) JSON() []byte {
	e.once.Do(func() {
		raw, err := json.Marshal(e.Object)
		if err != nil {
			panic(fmt.Sprintf("encoding a %T: %v", e.Object, err)) // all of its types are Kubernetes's
		}
		e.raw = raw
	})
	return e.raw
}

// Open returns the store with what is on disk.
func Open(config Config) (*Store, error) {
	if config.History == 0 {
		config.History = 1000
	}
	s := &Store{config: config, revision: 1, tables: map[string]*table{}}
	err := config.Disk.Load(s.bucket(), func(_, value []byte) (err error) {
		s.revision, err = strconv.ParseInt(string(value), 10, 64)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the revision of %s: %w", config.Bucket, err)
	}
	for _, t := range config.Types {
		if err := s.load(t); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Store) bucket(resource ...string) string {
	name := s.config.Bucket
	for _, r := range resource {
		name += "/" + r
	}
	return name
}

func (s *Store) load(t Type) error {
	loaded := &table{entries: map[string]*Entry{}, forgotten: s.revision, changed: make(chan struct{})}
	s.tables[t.Resource] = loaded
	return s.config.Disk.Load(s.bucket(t.Resource), func(key, value []byte) error {
		object := t.New()
		if err := json.Unmarshal(value, object); err != nil {
			return fmt.Errorf("reading %s of %s: %w", key, s.bucket(t.Resource), err)
		}
		loaded.entries[string(key)] = &Entry{Object: object}
		loaded.order = append(loaded.order, string(key))
		return nil
	})
}

// Listen calls fn after each change, in their order, with the store locked: fn must
// not call the store.
func (s *Store) Listen(fn func(Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, fn)
}

// Drop forgets everything, on disk too. The store must not be used any more.
func (s *Store) Drop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Disk.Update(func(tx *disk.Tx) error {
		if err := tx.Drop(s.bucket()); err != nil {
			return err
		}
		for _, t := range s.config.Types {
			if err := tx.Drop(s.bucket(t.Resource)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) now() time.Time { return s.config.Clock.Now() }

func (t *table) insert(key string, e *Entry) {
	if _, ok := t.entries[key]; !ok {
		at, _ := slices.BinarySearch(t.order, key)
		t.order = slices.Insert(t.order, at, key)
	}
	t.entries[key] = e
}

func (t *table) remove(key string) {
	delete(t.entries, key)
	if at, ok := slices.BinarySearch(t.order, key); ok {
		t.order = slices.Delete(t.order, at, at+1)
	}
}
