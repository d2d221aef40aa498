package simulate

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// aDay is a day of ten clusters, with so many drawn steps.
func aDay(steps int) Profile {
	p := usual
	p.Clusters, p.Hours, p.Steps = 10, 24, steps
	return p
}

// BenchmarkTenClustersOneDay reports the processor time of whole runs: the start, the day,
// and the hours until everything is at rest, which are days when an operation runs to its
// deadline; what of it falls to each simulated day; and the run that took most. One run has
// as many drawn steps as each seed that CI runs; in another, as much happens in each hour to
// each cluster. What a process does once, for all of its seeds, is not counted: a day goes
// before them. A bubble wants a test around it.
func BenchmarkTenClustersOneDay(b *testing.B) {
	all := func(string, string) (bool, error) { return true, nil }
	live := func(b *testing.B, seed uint64, steps int) (lasted time.Duration) {
		day := func(t *testing.T) { lasted = run(t, Draw(seed, aDay(steps)), Bug{}).Lasted }
		if !testing.RunTests(all, []testing.InternalTest{{Name: "Day", F: day}}) {
			b.Fatalf("seed %d cannot be run", seed)
		}
		return lasted
	}
	live(b, 0, usual.Steps)
	for _, steps := range []int{usual.Steps, usual.Steps * 10 * 24 / (usual.Clusters * usual.Hours)} {
		b.Run(fmt.Sprintf("Steps=%d", steps), func(b *testing.B) {
			var used, longest, lasted time.Duration
			for seed := uint64(1); b.Loop(); seed++ {
				before := processorTime(b)
				lasted += live(b, seed, steps)
				took := processorTime(b) - before
				used, longest = used+took, max(longest, took)
			}
			days := lasted.Hours() / 24
			b.ReportMetric(used.Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(longest.Seconds(), "longest-cpu-s")
			b.ReportMetric(days/float64(b.N), "days/op")
			b.ReportMetric(used.Seconds()/days, "cpu-s/day")
		})
	}
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
