package lambda_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/lambda"
	"portolan/local/states"
)

// A host runs functions, and remembers when.
type host struct {
	t     *testing.T
	disk  *disk.Disk
	began time.Time
	clock *clock.Clock

	mu      sync.Mutex
	answer  func(payload string) error
	ran     []string
	letters []string
}

func (h *host) invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ran = append(h.ran, fmt.Sprintf("%s at %v", payload, h.clock.Now().Sub(h.began).Round(time.Second)))
	return nil, h.answer(string(payload))
}

// count is how often functions ran.
func (h *host) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ran)
}

func (h *host) deadLetter(_ string, payload, failure []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.letters = append(h.letters, fmt.Sprintf("%s: %s at %v", payload, failure, h.clock.Now().Sub(h.began).Round(time.Second)))
	return nil
}

// open starts a process over the host's disk.
func (h *host) open() *lambda.Async {
	h.t.Helper()
	a, err := lambda.NewAsync(lambda.AsyncConfig{Clock: h.clock, Disk: h.disk, Invoke: h.invoke, DeadLetter: h.deadLetter})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *host) is(what string, got []string, want ...string) {
	h.t.Helper()
	if !slices.Equal(got, want) {
		h.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

var failing = &states.FunctionError{Type: "Invalid", Payload: []byte(`{"errorType":"Invalid"}`)}

// onHost runs a test in virtual time.
func onHost(t *testing.T, answer func(string) error, act func(*host)) {
	synctest.Test(t, func(t *testing.T) {
		d, err := disk.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		h := &host{t: t, disk: d, clock: clock.New(1), answer: answer}
		h.began = h.clock.Now()
		act(h)
	})
}

func TestAFailingFunctionIsTriedTwiceMore(t *testing.T) {
	onHost(t, func(string) error { return failing }, func(h *host) {
		a := h.open()
		if err := a.Take(arn, []byte("taken")); err != nil {
			h.t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := a.Run(h.t.Context(), arn, []byte("run")); err != nil {
			h.t.Fatal(err)
		}
		time.Sleep(time.Hour)
		a.Close()
		h.is("ran", h.ran, "taken at 0s", "run at 1s", "taken at 1m0s", "run at 1m1s", "taken at 3m0s", "run at 3m1s")
		h.is("letters", h.letters, `taken: {"errorType":"Invalid"} at 3m0s`, `run: {"errorType":"Invalid"} at 3m1s`)
		h.open().Close()
		h.is("after a restart", h.ran[6:])
	})
}

// What failed is tried again by the process that comes next, when it is due, and as
// often as is left.
func TestInvocationsOutliveTheProcess(t *testing.T) {
	onHost(t, func(string) error { return failing }, func(h *host) {
		a := h.open()
		if err := a.Run(h.t.Context(), arn, []byte("run")); err != nil {
			h.t.Fatal(err)
		}
		a.Close()
		time.Sleep(30 * time.Second)
		b := h.open()
		time.Sleep(time.Minute)
		b.Close()
		time.Sleep(10 * time.Minute) // longer than the pause
		c := h.open()
		synctest.Wait()
		c.Close()
		h.is("ran", h.ran, "run at 0s", "run at 1m0s", "run at 11m30s")
		h.is("letters", h.letters, `run: {"errorType":"Invalid"} at 11m30s`)
		h.open().Close()
		h.is("after the end", h.ran[3:])
	})
}

// An event that was taken is not lost when the process ends before, or while, its
// function runs.
func TestWhatWasTakenRunsAfterARestart(t *testing.T) {
	onHost(t, nil, func(h *host) {
		blocked := make(chan struct{})
		h.answer = func(string) error { <-blocked; return context.Canceled }
		a := h.open()
		if err := a.Take(arn, []byte("first")); err != nil {
			h.t.Fatal(err)
		}
		synctest.Wait()
		go func() {
			time.Sleep(time.Second)
			close(blocked)
		}()
		a.Close() // it was killed while the function ran
		if err := a.Take(arn, []byte("second")); err != nil {
			h.t.Fatal(err)
		}
		h.answer = func(string) error { return nil }
		b := h.open()
		if err := b.Take(arn, []byte("third")); err != nil {
			h.t.Fatal(err)
		}
		synctest.Wait()
		b.Close()
		slices.Sort(h.ran)
		h.is("ran", h.ran, "first at 0s", "first at 1s", "second at 1s", "third at 1s")
		h.open().Close()
		h.is("after a restart", h.ran[4:])
	})
}

// Trouble of Lambda's own is waited out, for six hours.
func TestLambdaIsInTrouble(t *testing.T) {
	onHost(t, func(string) error { return errors.New("throttled") }, func(h *host) {
		a := h.open()
		if err := a.Take(arn, []byte("a")); err != nil {
			h.t.Fatal(err)
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		tried := h.count()
		if tried < 60 || tried > 80 {
			h.t.Errorf("tried %d times in five hours", tried)
		}
		a.Close()
		b := h.open()
		time.Sleep(5 * time.Hour)
		b.Close()
		h.is("letters", h.letters, "a: throttled at 5h58m31s")
	})
}

func TestTroubleThatEnds(t *testing.T) {
	onHost(t, nil, func(h *host) {
		h.answer = func(string) error {
			if len(h.ran) < 4 { // under the host's lock
				return errors.New("throttled")
			}
			return nil
		}
		a := h.open()
		if err := a.Take(arn, []byte("a")); err != nil {
			h.t.Fatal(err)
		}
		time.Sleep(time.Minute)
		a.Close()
		h.is("ran", h.ran, "a at 0s", "a at 1s", "a at 3s", "a at 7s")
		h.is("letters", h.letters)
	})
}

// A caller that can hand over again is told that an event was not taken.
func TestRunTakesNothingInTrouble(t *testing.T) {
	onHost(t, func(string) error { return errors.New("throttled") }, func(h *host) {
		a := h.open()
		if err := a.Run(h.t.Context(), arn, []byte("a")); err == nil {
			h.t.Error("taken")
		}
		ctx, cancel := context.WithCancel(h.t.Context())
		cancel()
		if err := a.Run(ctx, arn, []byte("b")); !errors.Is(err, context.Canceled) {
			h.t.Errorf("got %v", err)
		}
		time.Sleep(time.Hour)
		a.Close()
		h.is("ran", h.ran, "a at 0s")
	})
}
