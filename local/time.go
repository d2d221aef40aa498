package local

import (
	"fmt"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
)

// What the clock showed at the last write is kept under this key.
const (
	clockBucket = "clock"
	shownKey    = "shown"
)

// openDisk opens the directory and lets time go on from where the process before left
// it: what it had stored is never in the future, and what is due stays due.
func (l *Local) openDisk() (err error) {
	if l.disk, err = disk.Open(l.config.Directory); err != nil {
		return err
	}
	err = disk.LoadJSON(l.disk, clockBucket, func(_ string, last *time.Time) {
		l.Clock = clock.Resume(l.config.Speed, *last).Ordered()
	})
	if err != nil {
		return fmt.Errorf("reading the time: %w", err)
	}
	l.disk.OnUpdate(func(tx *disk.Tx) error {
		if l.config.Writing != nil {
			l.config.Writing()
		}
		return tx.PutJSON(clockBucket, shownKey, l.Clock.Now())
	})
	return nil
}
