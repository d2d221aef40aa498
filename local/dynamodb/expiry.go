package dynamodb

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
)

// expiryDelay is how long after its time an item is deleted. AWS promises a few
// days; here it is soon enough to be seen, and late enough not to be relied on.
const expiryDelay = time.Minute

// expiryTooOld is how far back a time may lie for the item to be deleted:
// AWS keeps what expired more than five years ago.
const expiryTooOld = 5 * 365 * 24 * time.Hour

// expiresAt is the time to live of an item, which is a number of seconds.
func (t *table) expiresAt(it item) (int64, bool) {
	if t.spec.TimeToLive == nil || it == nil {
		return 0, false
	}
	v := it.get(t.spec.TimeToLive.AttributeName)
	if v.kind != kindNumber {
		return 0, false
	}
	whole, _, _ := strings.Cut(v.text, ".")
	at, err := strconv.ParseInt(whole, 10, 64)
	return at, err == nil && at > 0 && at < math.MaxInt32*100
}

func expiryPlace(at int64, place string) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(at))) + place
}

// replaceExpiry keeps the order of times to live when an item changes.
func (t *table) replaceExpiry(place string, old, changed item) {
	if at, ok := t.expiresAt(old); ok {
		t.expiring.delete(expiryPlace(at, place))
	}
	if at, ok := t.expiresAt(changed); ok {
		t.expiring.put(expiryPlace(at, place), place)
	}
}

// indexExpiry builds the order anew after time to live was switched.
func (t *table) indexExpiry() {
	t.expiring = tree[string]{}
	t.items.ascend("", func(place string, it item) bool {
		t.replaceExpiry(place, nil, it)
		return true
	})
}

// nextExpiry is when the table's first item is to be deleted.
func (t *table) nextExpiry() (time.Time, bool) {
	found := false
	var at time.Time
	t.expiring.ascend("", func(key, _ string) bool {
		at = time.Unix(int64(binary.BigEndian.Uint64([]byte(key[:8]))), 0)
		found = true
		return false
	})
	return at.Add(expiryDelay), found
}

// expiresSooner tells whether an item that was just written comes first, so
// that the timer must be set again.
func (t *table) expiresSooner(changed item, s *Server) bool {
	at, ok := t.expiresAt(changed)
	if !ok {
		return false
	}
	first, _ := t.nextExpiry()
	return s.expiry == nil || first.Equal(time.Unix(at, 0).Add(expiryDelay))
}

// armExpiry sets the timer to the next item of any table. The lock is held.
func (s *Server) armExpiry() {
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
	if s.closed {
		return
	}
	var next time.Time
	for _, name := range s.tableNames() {
		if at, ok := s.tables[name].nextExpiry(); ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if !next.IsZero() {
		s.expiry = s.config.Clock.AfterFunc(max(s.config.Clock.Until(next), 0), s.expire)
	}
}

// expire deletes every item whose time has come.
func (s *Server) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	now := s.now()
	for _, name := range s.tableNames() {
		if err := s.expireItems(s.tables[name], now); err != nil {
			// The disk refused; the items stay, and are tried again later.
			s.expiry = s.config.Clock.AfterFunc(expiryDelay, s.expire)
			return
		}
	}
	s.armExpiry()
}

func (s *Server) expireItems(t *table, now time.Time) *apiError {
	var due []string
	var times []int64
	t.expiring.ascend("", func(key, place string) bool {
		at := int64(binary.BigEndian.Uint64([]byte(key[:8])))
		if time.Unix(at, 0).Add(expiryDelay).After(now) {
			return false
		}
		due, times = append(due, place), append(times, at)
		return true
	})
	for i, place := range due {
		if now.Sub(time.Unix(times[i], 0)) > expiryTooOld {
			t.expiring.delete(expiryPlace(times[i], place))
			continue
		}
		old, _ := t.items.get(place)
		if err := s.commit([]change{{t: t, place: place, old: old, expired: true}}, nil); err != nil {
			return err
		}
	}
	return nil
}
