package intake

import (
	"time"

	"portolan/shared/fault"
)

// Remembered is how long the mark of an event is kept: longer than the event can
// wait in a dead-letter queue before somebody sends it again.
const Remembered = 15 * 24 * time.Hour

// attempts bounds how often a door decides anew before it leaves the event to be
// delivered again.
const attempts = 3

// Settle loads, decides and applies by calling attempt, and calls it again while
// somebody else was faster: at most three times, after which it returns the
// Conflict.
func Settle(attempt func() error) error {
	var err error
	for range attempts {
		if err = attempt(); !fault.IsConflict(err) {
			return err
		}
	}
	return err
}
