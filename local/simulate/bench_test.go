package simulate

import (
	"syscall"
	"testing"
	"time"
)

// aDay is a day of ten clusters. In each hour as much happens to each of them as in
// the seeds that CI runs.
func aDay() Profile {
	p := usual
	p.Steps = p.Steps * 10 * 24 / (p.Clusters * p.Hours)
	p.Clusters, p.Hours = 10, 24
	return p
}

// BenchmarkTenClustersOneDay reports the processor time of a whole run: the start, the
// day, and the hours until everything is at rest. A bubble wants a test around it.
func BenchmarkTenClustersOneDay(b *testing.B) {
	all := func(string, string) (bool, error) { return true, nil }
	before := processorTime(b)
	for seed := uint64(1); b.Loop(); seed++ {
		day := func(t *testing.T) { run(t, Draw(seed, aDay()), Bug{}) }
		if !testing.RunTests(all, []testing.InternalTest{{Name: "Day", F: day}}) {
			b.Fatalf("seed %d cannot be run", seed)
		}
	}
	b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
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
