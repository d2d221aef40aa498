// Package disk keeps the state of the embedded AWS in one file, so that it goes
// on where it was after the process was killed.
//
// It must never know what a key or a value means: each service owns buckets of
// its own and reads them back when it starts.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// A Disk holds buckets of keys and values. The nil Disk keeps nothing: every
// write succeeds and every load is empty, which is how tests run in memory.
type Disk struct {
	db       *bbolt.DB
	onUpdate func(*Tx) error
}

// lockTimeout is how long Open waits for another process to let go of the file.
const lockTimeout = 2 * time.Second

// Open opens or creates DIR/aws.db. It fails when another process has it open.
func Open(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the data directory: %w", err)
	}
	path := filepath.Join(dir, "aws.db")
	// NoSync: what a killed process wrote is the kernel's, and survives it. Only
	// a power cut can lose it, and a laptop's embedded AWS need not outlive that.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockTimeout, NoSync: true, NoFreelistSync: true,
		FreelistType: bbolt.FreelistMapType,
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("opening %s: another portolan is using it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return &Disk{db: db}, nil
}

// A Tx is a set of writes that reach the file together or not at all.
type Tx struct{ tx *bbolt.Tx }

// OnUpdate adds writes to every update. It must be called before the first.
func (d *Disk) OnUpdate(fn func(*Tx) error) {
	if d != nil {
		d.onUpdate = fn
	}
}

// Update runs fn and keeps all its writes, or none when it returns an error.
// When Update returns nil, a killed process finds the writes again.
func (d *Disk) Update(fn func(*Tx) error) error {
	if d == nil {
		return fn(&Tx{})
	}
	return d.db.Update(func(tx *bbolt.Tx) error {
		if err := fn(&Tx{tx}); err != nil || d.onUpdate == nil {
			return err
		}
		return d.onUpdate(&Tx{tx})
	})
}

// Keeps says whether what is written is kept.
func (t *Tx) Keeps() bool { return t.tx != nil }

// OnCommit calls fn once the writes have reached the file, and never when they do not.
func (t *Tx) OnCommit(fn func()) {
	if t.tx == nil {
		fn()
		return
	}
	t.tx.OnCommit(fn)
}

// Put writes value under key, in place of what was there.
func (t *Tx) Put(bucket string, key, value []byte) error {
	if t.tx == nil {
		return nil
	}
	b, err := t.tx.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return err
	}
	return b.Put(key, value)
}

// Delete removes key; removing what is not there is no error.
func (t *Tx) Delete(bucket string, key []byte) error {
	if t.tx == nil {
		return nil
	}
	b := t.tx.Bucket([]byte(bucket))
	if b == nil {
		return nil
	}
	return b.Delete(key)
}

// Drop removes a whole bucket; removing what is not there is no error.
func (t *Tx) Drop(bucket string) error {
	if t.tx == nil || t.tx.Bucket([]byte(bucket)) == nil {
		return nil
	}
	return t.tx.DeleteBucket([]byte(bucket))
}

// Load calls fn for each key of the bucket, in the order of the keys' bytes. The
// slices are valid only until fn returns.
func (d *Disk) Load(bucket string, fn func(key, value []byte) error) error {
	if d == nil {
		return nil
	}
	return d.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.ForEach(fn)
	})
}

// Close lets go of the file.
func (d *Disk) Close() error {
	if d == nil {
		return nil
	}
	return d.db.Close()
}
