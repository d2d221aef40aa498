package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"portolan/local/clock"
)

func TestClockRunsFasterThanTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(60)
		began, real := c.Now(), time.Now()
		if err := c.Sleep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if got := c.Now().Sub(began); got != time.Hour {
			t.Errorf("an hour of the clock lasted %v of its own time", got)
		}
		if got := time.Since(real); got != time.Minute {
			t.Errorf("an hour at speed 60 lasted %v, want a minute", got)
		}
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := clock.New(1).Sleep(ctx, time.Hour); err != context.DeadlineExceeded {
			t.Errorf("Sleep = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestAHeldClockIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(1)
		if err := c.Wait(t.Context()); err != nil {
			t.Errorf("nobody holds the clock, and waiting for it ended in %v", err)
		}
		release := c.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a held clock ended in %v", err)
		}
		release()
		release()
		if err := c.Wait(t.Context()); err != nil {
			t.Errorf("the clock was released, and waiting for it ended in %v", err)
		}
	})
}

func TestResumedClockGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := clock.New(100)
		time.Sleep(time.Second)
		last := first.Now()
		time.Sleep(time.Hour)
		second := clock.Resume(20, last)
		if got := second.Now(); !got.Equal(last) {
			t.Errorf("the clock goes on at %v, and the one before ended at %v", got, last)
		}
		time.Sleep(time.Second)
		if got := second.Now().Sub(last); got != 20*time.Second {
			t.Errorf("in a second, %v passed at speed 20", got)
		}
	})
}
