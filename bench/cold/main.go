// Command cold measures how fast the functions start: the time from the start of
// the process to its first poll of the Lambda runtime API. It stands in for that
// API on the loopback interface, starts the functions and a bare handler in turns,
// so that whatever else the machine does falls on all of them, and compares medians.
//
// It fails when a door takes more than -limit times as long as the bare handler.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// doors are the functions that callers and events wake. Only they are held to the
// limit: nobody waits for the others.
var doors = []string{"api", "alarm", "pipeline", "trail"}

// bare is the handler that the others are compared with.
const bare = "bare"

func main() {
	rounds := flag.Int("rounds", 40, "how often each function is started")
	limit := flag.Float64("limit", 2.5, "how many times as long as the bare handler a door may take")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *limit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A subject is a function whose start is measured.
type subject struct {
	name    string
	program string
	starts  []time.Duration
}

func run(ctx context.Context, rounds int, limit float64) error {
	template, err := os.ReadFile("template.yaml")
	if err != nil {
		return fmt.Errorf("reading the template, which stands in the directory to run this in: %w", err)
	}
	variables, err := variablesOf(template)
	if err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "portolan-cold-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	subjects, err := build(ctx, directory)
	if err != nil {
		return err
	}
	runtime, err := listen()
	if err != nil {
		return err
	}
	defer runtime.close()
	if err := measure(ctx, subjects, rounds, runtime, environment(runtime.address, variables)); err != nil {
		return err
	}
	return report(subjects, limit)
}

// build builds the functions for this machine, as `make build` does for Lambda.
func build(ctx context.Context, directory string) ([]*subject, error) {
	mains, err := filepath.Glob("functions/*/lambda")
	if err != nil {
		return nil, err
	}
	subjects := []*subject{{name: bare}}
	packages := []string{"./bench/cold/bare"}
	for _, main := range mains {
		subjects = append(subjects, &subject{name: filepath.Base(filepath.Dir(main))})
		packages = append(packages, "./"+main)
	}
	for i, s := range subjects {
		s.program = filepath.Join(directory, s.name)
		command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
			"-ldflags", "-s -w", "-o", s.program, packages[i])
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", s.name, err, out)
		}
	}
	return subjects, nil
}

// measure starts each subject so often, one after the other. The first round only
// brings the programs into the page cache.
func measure(ctx context.Context, subjects []*subject, rounds int, r *runtime, env []string) error {
	for round := range rounds + 1 {
		for _, s := range subjects {
			took, err := r.start(ctx, s.program, env)
			if err != nil {
				return fmt.Errorf("starting %s: %w", s.name, err)
			}
			if round > 0 {
				s.starts = append(s.starts, took)
			}
		}
	}
	return nil
}

// report prints the medians, and fails when a door is above the limit.
func report(subjects []*subject, limit float64) error {
	base := median(subjects[0].starts)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "function\tkind\tfastest ms\tmedian ms\ttimes bare\t")
	var slow []string
	for _, s := range subjects {
		ratio := float64(median(s.starts)) / float64(base)
		kind := "step"
		switch {
		case s.name == bare:
			kind = ""
		case slices.Contains(doors, s.name):
			kind = "door"
			if ratio > limit {
				slow = append(slow, s.name)
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%.1f\t%.1f\t%.2f\t\n", s.name, kind, ms(slices.Min(s.starts)), ms(median(s.starts)), ratio)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(slow) > 0 {
		return fmt.Errorf("above %g times the bare handler: %v; GODEBUG=inittrace=1 shows what a program initialises", limit, slow)
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// median is the middle one, or the mean of the two in the middle.
func median(durations []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(durations))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
