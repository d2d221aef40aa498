package intake

import "portolan/shared/fault"

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
