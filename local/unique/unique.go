// Package unique makes the ids and the chances of the embedded AWS from one
// seed, so that the same calls in the same order give the same ids again.
//
// It must never know what an id is for.
package unique

import (
	"math/rand/v2"
	"sync"
	"time"
)

// A Source is a stream of random values. It is safe for concurrent use; whoever
// needs the same values again must ask in the same order.
type Source struct {
	mu     sync.Mutex
	random *rand.Rand
}

// New returns the stream of the seed.
func New(seed uint64) *Source {
	return &Source{random: rand.New(rand.NewPCG(seed, 0x706f72746f6c616e))}
}

// Fork returns a stream of its own that starts from where s stands, so that
// services do not disturb one another's order.
func (s *Source) Fork() *Source { return New(s.uint64()) }

func (s *Source) uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.Uint64()
}

// Hex returns n hexadecimal digits.
func (s *Source) Hex(n int) string { return s.pick(n, "0123456789abcdef") }

// Base32 returns n capital letters and digits, as in access keys.
func (s *Source) Base32(n int) string { return s.pick(n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") }

// Base36 returns n small letters and digits, as in the ids of swarms.
func (s *Source) Base36(n int) string { return s.pick(n, "0123456789abcdefghijklmnopqrstuvwxyz") }

// Digits returns n decimal digits, the first of them not zero.
func (s *Source) Digits(n int) string { return s.pick(1, "123456789") + s.pick(n-1, "0123456789") }

func (s *Source) pick(n int, alphabet string) string {
	id := make([]byte, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fill(id, alphabet)
	return string(id)
}

// fill draws each byte of id. s.mu must be held.
func (s *Source) fill(id []byte, alphabet string) {
	for i := range id {
		id[i] = alphabet[s.random.Uint64()%uint64(len(alphabet))]
	}
}

// UUID returns a random UUID.
func (s *Source) UUID() string {
	const hex = "0123456789abcdef"
	id := []byte("00000000-0000-4000-8000-000000000000")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fill(id[0:8], hex)
	s.fill(id[9:13], hex)
	s.fill(id[15:18], hex)
	s.fill(id[19:20], "89ab")
	s.fill(id[20:23], hex)
	s.fill(id[24:36], hex)
	return string(id)
}

// Between returns a duration from low up to high, in milliseconds.
func (s *Source) Between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	span := uint64((high - low) / time.Millisecond)
	return low + time.Duration(s.uint64()%(span+1))*time.Millisecond
}
