// Package records keeps the entities of one kind that a service of the embedded
// AWS has: in memory for reading, and on disk as they are written.
//
// It must never know what an entity means. It has no lock of its own: a service
// guards all its records with one, since calls change several together.
package records

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"portolan/local/disk"
)

// Of holds entities by their ids. An entity is a value: whoever changes one gets
// it, changes the copy without writing into its slices and maps, and puts it back.
type Of[T any] struct {
	disk   *disk.Disk
	bucket string
	idOf   func(T) string
	byID   map[string]T
}

// Load reads the bucket back. Its entities must survive encoding as JSON.
func Load[T any](d *disk.Disk, bucket string, idOf func(T) string) (*Of[T], error) {
	r := &Of[T]{disk: d, bucket: bucket, idOf: idOf, byID: map[string]T{}}
	err := d.Load(bucket, func(key, value []byte) error {
		var entity T
		if err := json.Unmarshal(value, &entity); err != nil {
			return fmt.Errorf("reading %s of %s: %w", key, bucket, err)
		}
		r.byID[string(key)] = entity
		return nil
	})
	return r, err
}

// Put keeps the entity in place of the one with its id, on disk first and in one
// write with what also writes.
func (r *Of[T]) Put(entity T, also ...func(*disk.Tx) error) error {
	id := r.idOf(entity)
	err := r.disk.Update(func(tx *disk.Tx) error {
		for _, more := range also {
			if err := more(tx); err != nil {
				return err
			}
		}
		return tx.PutJSON(r.bucket, id, entity)
	})
	if err != nil {
		return fmt.Errorf("writing %s to %s: %w", id, r.bucket, err)
	}
	r.byID[id] = entity
	return nil
}

// With is the write of an entity for the Put of another one, which keeps both or none.
func (r *Of[T]) With(entity T) func(*disk.Tx) error {
	return func(tx *disk.Tx) error {
		id := r.idOf(entity)
		tx.OnCommit(func() { r.byID[id] = entity })
		return tx.PutJSON(r.bucket, id, entity)
	}
}

// Remove forgets the entity; removing what is not there is no error.
func (r *Of[T]) Remove(id string) error {
	err := r.disk.Update(func(tx *disk.Tx) error { return tx.Delete(r.bucket, []byte(id)) })
	if err != nil {
		return fmt.Errorf("removing %s from %s: %w", id, r.bucket, err)
	}
	delete(r.byID, id)
	return nil
}

// Get is the entity of that id, and whether there is one.
func (r *Of[T]) Get(id string) (T, bool) {
	entity, ok := r.byID[id]
	return entity, ok
}

// All lists the entities in the order of their ids.
func (r *Of[T]) All() []T {
	all := make([]T, 0, len(r.byID))
	for _, id := range slices.Sorted(maps.Keys(r.byID)) {
		all = append(all, r.byID[id])
	}
	return all
}

// Find lists the entities that match, in the order of their ids.
func (r *Of[T]) Find(match func(T) bool) []T {
	var found []T
	for _, entity := range r.All() {
		if match(entity) {
			found = append(found, entity)
		}
	}
	return found
}

// First is the first entity that matches, and whether there is one.
func (r *Of[T]) First(match func(T) bool) (T, bool) {
	for _, id := range slices.Sorted(maps.Keys(r.byID)) {
		if match(r.byID[id]) {
			return r.byID[id], true
		}
	}
	var none T
	return none, false
}

// Len is how many entities there are.
func (r *Of[T]) Len() int { return len(r.byID) }
