// Package workers runs work on goroutines that ran other work before. A call through an SDK
// needs a deep stack, which each new goroutine would grow again, step by step.
//
// It must never know what the work is.
package workers

import "sync"

// A Pool has as many goroutines as there is work at once. Its zero value is of use.
type Pool struct {
	mu     sync.Mutex
	idle   []chan func()
	closed bool
	all    sync.WaitGroup
}

// idleMax is how many goroutines wait for work at most.
const idleMax = 64

// Go runs work on a goroutine, and returns at once.
func (p *Pool) Go(work func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		p.idle[n-1] <- work
		p.idle = p.idle[:n-1]
		return
	}
	p.all.Go(func() { p.serve(work) })
}

// serve does work, and then what comes, until the pool has enough of the likes of it.
func (p *Pool) serve(work func()) {
	next := make(chan func(), 1)
	for ok := true; ok; work, ok = <-next {
		work()
		if !p.rest(next) {
			return
		}
	}
}

func (p *Pool) rest(next chan func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == idleMax {
		return false
	}
	p.idle = append(p.idle, next)
	return true
}

// Close lets all goroutines end with their work, and returns when they have.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, next := range p.idle {
		close(next)
	}
	p.idle = nil
	p.mu.Unlock()
	p.all.Wait()
}
