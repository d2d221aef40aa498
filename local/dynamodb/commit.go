package dynamodb

import (
	"fmt"

	"portolan/local/disk"
)

// A change is what a write does to one item: from old to changed, where nil is
// none.
type change struct {
	t            *table
	place        string
	old, changed item
	// expired marks a deletion by time to live, which its stream record tells.
	expired bool
}

// commit makes changes to different items durable together and then visible.
// also adds to the same write to disk. The lock is held.
func (s *Server) commit(changes []change, also func(*disk.Tx) error) *apiError {
	now := s.now()
	var records []*Record
	for i := range changes {
		if record := s.record(&changes[i], now); record != nil {
			records = append(records, record)
		}
	}
	if s.config.Disk != nil {
		if err := s.config.Disk.Update(func(tx *disk.Tx) error {
			return s.persist(tx, changes, records, also)
		}); err != nil {
			return internal(fmt.Errorf("writing items to disk: %w", err))
		}
	}
	for _, c := range changes {
		c.t.replace(c.place, c.old, c.changed)
		if c.t.expiresSooner(c.changed, s) {
			s.armExpiry()
		}
	}
	for _, record := range records {
		record.stream.append(record)
	}
	return nil
}

func (s *Server) persist(tx *disk.Tx, changes []change, records []*Record,
	also func(*disk.Tx) error) error {
	for _, c := range changes {
		bucket := itemBucket(c.t.id)
		if c.changed == nil {
			if err := tx.Delete(bucket, []byte(c.place)); err != nil {
				return err
			}
			continue
		}
		if err := tx.Put(bucket, []byte(c.place), appendItem(nil, c.changed)); err != nil {
			return err
		}
	}
	for _, record := range records {
		if err := record.persist(tx); err != nil {
			return err
		}
	}
	if also != nil {
		return also(tx)
	}
	return nil
}
