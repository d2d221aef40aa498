package clock_test

import (
	"context"
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
