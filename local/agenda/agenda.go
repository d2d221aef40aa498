// Package agenda does what is due, in the order in which it is due: one timer
// for all that a service of the embedded AWS has pending. Two things due at the
// same instant are done in the order in which they were noted, which timers of
// their own would not promise.
//
// It must never know what is done. It keeps nothing across a restart: a service
// stores due times in its entities and notes them again when it starts.
package agenda

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"portolan/local/clock"
)

// An Agenda holds at most one entry for each key.
type Agenda struct {
	clock *clock.Clock

	mu      sync.Mutex
	entries entries
	byKey   map[string]*entry
	noted   uint64
	timer   *time.Timer
	running bool
	closed  bool
	idle    *sync.Cond
}

type entry struct {
	key   string
	due   time.Time
	order uint64
	do    func()
	index int
}

// New returns an empty agenda by the clock.
func New(c *clock.Clock) *Agenda {
	a := &Agenda{clock: c, byKey: map[string]*entry{}}
	a.idle = sync.NewCond(&a.mu)
	return a
}

// At notes to call do at due, or at once if that has passed, in place of what was
// noted for the key; but not while somebody holds the clock. Calls never overlap: do
// must not wait. A closed agenda notes nothing.
func (a *Agenda) At(key string, due time.Time, do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	a.remove(key)
	a.noted++
	e := &entry{key: key, due: due, order: a.noted, do: do}
	a.byKey[key] = e
	heap.Push(&a.entries, e)
	a.arm()
}

// Cancel forgets what was noted for the key.
func (a *Agenda) Cancel(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(key)
}

// Close forgets everything, and returns when nothing is being done any more. It
// must not be called from within an entry.
func (a *Agenda) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.entries, a.byKey = nil, nil
	if a.timer != nil {
		a.timer.Stop()
	}
	for a.running {
		a.idle.Wait()
	}
}

func (a *Agenda) remove(key string) {
	if e, ok := a.byKey[key]; ok {
		heap.Remove(&a.entries, e.index)
		delete(a.byKey, key)
	}
}

// arm sets the timer to the first entry; while entries run, run itself looks
// again at the end.
func (a *Agenda) arm() {
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.running || a.closed || len(a.entries) == 0 {
		return
	}
	a.timer = a.clock.AfterFunc(max(0, a.clock.Until(a.entries[0].due)), a.run)
}

func (a *Agenda) run() {
	_ = a.clock.Wait(context.Background())
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running {
		return
	}
	a.running = true
	for len(a.entries) > 0 && !a.closed && a.clock.Until(a.entries[0].due) <= 0 {
		e := heap.Pop(&a.entries).(*entry)
		delete(a.byKey, e.key)
		a.mu.Unlock()
		e.do()
		a.mu.Lock()
	}
	a.running = false
	a.idle.Broadcast()
	a.arm()
}

// entries is a heap by due time, and by the order of noting within one instant.
type entries []*entry

func (h entries) Len() int { return len(h) }

func (h entries) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].order < h[j].order
	}
	return h[i].due.Before(h[j].due)
}

func (h entries) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *entries) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *entries) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
