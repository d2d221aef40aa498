// Package clock is the time of the embedded AWS. Everything in local that
// waits or stamps does so through a Clock, so that a day of AWS can pass in a
// minute for a person, and in no time at all in a testing/synctest bubble.
//
// It must never know what is waited for.
package clock

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Clock runs Speed times as fast as the machine's own clock.
//
// At speed 1 it is the clock of package time, and so the virtual clock inside
// a testing/synctest bubble.
type Clock struct {
	start time.Time // the machine's
	at    time.Time // what this clock showed at start
	speed float64

	ordered bool
	set     atomic.Int64  // how many timers were set
	held    chan struct{} // closed by release; nil for a clock that was never held
}

// New returns a clock that starts now. A speed that is not above zero is 1.
func New(speed float64) *Clock {
	now := time.Now()
	return startAt(now, now, speed)
}

// Resume returns a clock that goes on from what another showed last. While neither
// runs, time stands still, so that nothing becomes due that nobody could do.
func Resume(speed float64, last time.Time) *Clock { return startAt(time.Now(), last, speed) }

func startAt(now, at time.Time, speed float64) *Clock {
	if speed <= 0 {
		speed = 1
	}
	return &Clock{start: now, at: at, speed: speed}
}

// Ordered makes timers that are due at the same instant fire in the order in which
// they were set, by a few nanoseconds each. Without it, a testing/synctest bubble
// fires them in a random order.
func (c *Clock) Ordered() *Clock {
	c.ordered = true
	return c
}

// Hold lets whoever waits for the clock wait until release is called, once: while services
// start one after another, none may act on those that are not there yet. It must be called
// before anything waits.
func (c *Clock) Hold() (release func()) {
	c.held = make(chan struct{})
	return sync.OnceFunc(func() { close(c.held) })
}

// Wait returns nil once nobody holds the clock, or ctx's error as soon as ctx ends.
func (c *Clock) Wait(ctx context.Context) error {
	if c.held == nil {
		return nil
	}
	select {
	case <-c.held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// timer is how long a timer over d runs on the machine's own clock.
func (c *Clock) timer(d time.Duration) time.Duration {
	if !c.ordered {
		return c.Real(d)
	}
	return c.Real(d) + time.Duration(c.set.Add(1)%int64(time.Millisecond))
}

// Now is the time that the embedded AWS believes in, in UTC.
func (c *Clock) Now() time.Time {
	elapsed := time.Since(c.start)
	return c.at.Add(time.Duration(float64(elapsed) * c.speed)).UTC()
}

// Until is the time left before t, negative once t has passed.
func (c *Clock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }

// Real is how long d of this clock lasts on the machine's own clock.
func (c *Clock) Real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.speed)
}

// Local is how much of this clock passes while d passes on the machine's own.
func (c *Clock) Local(d time.Duration) time.Duration {
	return time.Duration(float64(d) * c.speed)
}

// Machine is the machine's own time at which this clock shows t.
func (c *Clock) Machine(t time.Time) time.Time { return time.Now().Add(c.Real(c.Until(t))).UTC() }

// AfterFunc calls f in its own goroutine once d of this clock has passed.
func (c *Clock) AfterFunc(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(c.timer(d), f)
}

// NewTimer returns a timer that fires once d of this clock has passed. The
// value that it sends is the machine's time, and of no use.
func (c *Clock) NewTimer(d time.Duration) *time.Timer {
	return time.NewTimer(c.timer(d))
}

// Sleep returns nil after d of this clock, or ctx's error as soon as ctx ends.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := c.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
