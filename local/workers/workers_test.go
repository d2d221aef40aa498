package workers_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portolan/local/workers"
)

func TestAllWorkIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool workers.Pool
		var done atomic.Int64
		for round := range 3 {
			for range 100 {
				pool.Go(func() {
					time.Sleep(time.Second) // all at once, or it would take longer
					done.Add(1)
				})
			}
			time.Sleep(1500 * time.Millisecond)
			if want := int64(100 * (round + 1)); done.Load() != want {
				t.Fatalf("%d of %d are done", done.Load(), want)
			}
		}
		pool.Go(func() { pool.Go(func() { done.Add(1) }) })
		pool.Close()
		pool.Go(func() { done.Add(1) })
		synctest.Wait()
		if done.Load() != 302 {
			t.Errorf("%d of 302 are done", done.Load())
		}
	})
}
