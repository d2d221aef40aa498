package agenda

import "sync"

// Effects are what a service lets others know after it changed, in the order of
// its changes. They run without the service's lock, so that they may wait, or
// call the service back.
type Effects struct {
	mu      sync.Mutex
	queue   []func()
	running bool
}

// Add notes effects. The service calls it with its lock held: that is what makes
// the order the order of changes.
func (e *Effects) Add(effects ...func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, effects...)
}

// Run runs what was noted, and returns at once where another goroutine, or an
// effect further up the stack, is at it already.
func (e *Effects) Run() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		return
	}
	e.running = true
	defer func() { e.running = false }()
	for len(e.queue) > 0 {
		effect := e.queue[0]
		e.queue = e.queue[1:]
		e.mu.Unlock()
		effect()
		e.mu.Lock()
	}
}
