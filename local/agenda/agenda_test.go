package agenda_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portolan/local/agenda"
	"portolan/local/clock"
)

func TestEntriesRunWhenAndInTheOrderTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(1)
		a := agenda.New(c)
		defer a.Close()
		var done []string
		note := func(key string, d time.Duration) {
			a.At(key, c.Now().Add(d), func() { done = append(done, key) })
		}
		note("late", 2*time.Second)
		note("second", time.Second)
		note("third", time.Second)
		note("moved", time.Millisecond)
		note("moved", 3*time.Second)
		note("cancelled", time.Second)
		a.Cancel("cancelled")
		a.At("chain", c.Now(), func() { note("chained", 500*time.Millisecond) })
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, want := strings.Join(done, " "), "chained second third late moved"; got != want {
			t.Errorf("done: %s, want %s", got, want)
		}
	})
}

func TestNothingIsDoneWhileTheClockIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(1)
		release := c.Hold()
		a := agenda.New(c)
		defer a.Close()
		var done []string
		for _, key := range []string{"first", "second"} {
			a.At(key, c.Now(), func() { done = append(done, key) })
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if done != nil {
			t.Errorf("done: %v", done)
		}
		release()
		synctest.Wait()
		if got, want := strings.Join(done, " "), "first second"; got != want {
			t.Errorf("done: %s, want %s", got, want)
		}
	})
}

func TestCloseForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(1)
		a := agenda.New(c)
		a.At("x", c.Now().Add(time.Second), func() { t.Error("done after Close") })
		a.Close()
		a.At("y", c.Now(), func() { t.Error("noted after Close") })
		time.Sleep(time.Minute)
	})
}

func TestEffectsRunInOrderAlsoWhenNested(t *testing.T) {
	var e agenda.Effects
	var done []string
	note := func(name string) func() { return func() { done = append(done, name) } }
	e.Add(note("a"), func() {
		e.Add(note("d"))
		e.Run()
		done = append(done, "b")
	}, note("c"))
	e.Run()
	e.Run()
	if got, want := strings.Join(done, " "), "a b c d"; got != want {
		t.Errorf("done: %s, want %s", got, want)
	}
}
