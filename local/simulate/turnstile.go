package simulate

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
)

// A turnstile lets one goroutine through at a time, and the next only once all
// that it set in motion waits for something. Who waits is ordered by what it is
// about to do, and the seed draws who is next: the order in which the runtime
// happens to wake goroutines does not show.
type turnstile struct {
	random  *rand.Rand
	arrived chan struct{}

	mu      sync.Mutex
	waiting []*passer
	open    bool // lets everybody through
}

type passer struct {
	what func() string
	name string
	turn chan struct{}
}

func newTurnstile(random *rand.Rand) *turnstile {
	return &turnstile{random: random, arrived: make(chan struct{}, 1)}
}

// pass returns when it is the caller's turn. what says what it is about to do; it is
// asked only when there is somebody to be told from.
func (t *turnstile) pass(what func() string) {
	t.mu.Lock()
	if t.open {
		t.mu.Unlock()
		return
	}
	p := &passer{what: what, turn: make(chan struct{})}
	t.waiting = append(t.waiting, p)
	t.mu.Unlock()
	select {
	case t.arrived <- struct{}{}:
	default:
	}
	<-p.turn
}

// run turns until ctx ends, and then lets everybody through.
func (t *turnstile) run(ctx context.Context) {
	for {
		select {
		case <-t.arrived:
		case <-ctx.Done():
			t.mu.Lock()
			defer t.mu.Unlock()
			t.open = true
			for _, p := range t.waiting {
				close(p.turn)
			}
			return
		}
		for {
			synctest.Wait()
			p := t.next()
			if p == nil {
				break
			}
			close(p.turn)
		}
	}
}

func (t *turnstile) next() *passer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		return nil
	}
	if len(t.waiting) > 1 {
		for _, p := range t.waiting {
			if p.name == "" {
				p.name = p.what()
			}
		}
		slices.SortStableFunc(t.waiting, func(a, b *passer) int { return strings.Compare(a.name, b.name) })
	}
	i := t.random.IntN(len(t.waiting))
	p := t.waiting[i]
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return p
}
