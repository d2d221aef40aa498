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
// deadline; and what of it falls to each simulated day. One run has as many drawn steps as
// each seed that CI runs; in another, as much happens in each hour to each cluster. A bubble
// wants a test around it.
func BenchmarkTenClustersOneDay(b *testing.B) {
	all := func(string, string) (bool, error) { return true, nil }
	for _, steps := range []int{usual.Steps, usual.Steps * 10 * 24 / (usual.Clusters * usual.Hours)} {
		b.Run(fmt.Sprintf("Steps=%d", steps), func(b *testing.B) {
			before, lasted := processorTime(b), time.Duration(0)
			for seed := uint64(1); b.Loop(); seed++ {
				day := func(t *testing.T) { lasted += run(t, Draw(seed, aDay(steps)), Bug{}).Lasted }
				if !testing.RunTests(all, []testing.InternalTest{{Name: "Day", F: day}}) {
					b.Fatalf("seed %d cannot be run", seed)
				}
			}
			used, days := (processorTime(b) - before).Seconds(), lasted.Hours()/24
			b.ReportMetric(used/float64(b.N), "cpu-s/op")
			b.ReportMetric(days/float64(b.N), "days/op")
			b.ReportMetric(used/days, "cpu-s/day")
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
