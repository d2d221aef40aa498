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
// and the hours until everything is at rest. One has as many drawn steps as each seed that CI
// runs; in another, as much happens in each hour to each cluster. A bubble wants a test around
// it.
func BenchmarkTenClustersOneDay(b *testing.B) {
	all := func(string, string) (bool, error) { return true, nil }
	for _, steps := range []int{usual.Steps, usual.Steps * 10 * 24 / (usual.Clusters * usual.Hours)} {
		b.Run(fmt.Sprintf("Steps=%d", steps), func(b *testing.B) {
			before := processorTime(b)
			for seed := uint64(1); b.Loop(); seed++ {
				day := func(t *testing.T) { run(t, Draw(seed, aDay(steps)), Bug{}) }
				if !testing.RunTests(all, []testing.InternalTest{{Name: "Day", F: day}}) {
					b.Fatalf("seed %d cannot be run", seed)
				}
			}
			b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
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
