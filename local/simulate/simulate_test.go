package simulate

import (
	"flag"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portolan"
)

var (
	seeds = flag.Int("seeds", 10, "how many seeds to run")
	first = flag.Uint64("seed", 0, "run this one seed")
	alike = flag.Int("alike", 3, "how many seeds to run twice")
	loud  = flag.Bool("timeline", false, "print the timeline of each seed")
)

// usual is the profile of the seeds that CI runs.
var usual = Profile{Clusters: 2, Hours: 5, Steps: 14, Errors: 0.01, Kills: 0.005, Events: 0.1, Skew: time.Minute}

func init() { runtime.GOMAXPROCS(1) }

// run runs a plan in a bubble of its own.
func run(t *testing.T, plan Plan, bug Bug) (result Result) {
	t.Helper()
	files := portolan.Files
	w := &World{Plan: plan, Bug: bug, Files: files}
	if bug.Files != nil {
		w.Files = bug.Files(files)
	}
	synctest.Test(t, func(t *testing.T) {
		var err error
		if result, err = w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	return result
}

func TestSeeds(t *testing.T) {
	from, to := uint64(1), uint64(*seeds)
	if *first > 0 {
		from, to = *first, *first
	}
	for seed := from; seed <= to; seed++ {
		began := time.Now()
		result := run(t, Draw(seed, usual), Bug{})
		if result.Failed() {
			t.Errorf("seed %d:\n%s", seed, strings.Join(result.Violations, "\n"))
		}
		if *loud {
			t.Log(result.Timeline)
		}
		t.Logf("seed %d: %v", seed, time.Since(began).Round(time.Millisecond))
	}
}

func TestTheSameSeedMakesTheSameRun(t *testing.T) {
	for seed := uint64(1); seed <= uint64(*alike); seed++ {
		one, other := run(t, Draw(seed, usual), Bug{}), run(t, Draw(seed, usual), Bug{})
		if one.Timeline == other.Timeline {
			continue
		}
		a, b := strings.Split(one.Timeline, "\n"), strings.Split(other.Timeline, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Errorf("seed %d differs at line %d:\n%s\n\n%s", seed, i,
					strings.Join(a[max(0, i-3):i+2], "\n"), strings.Join(b[max(0, i-3):i+2], "\n"))
				break
			}
		}
	}
}
