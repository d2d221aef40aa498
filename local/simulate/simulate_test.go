package simulate

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portolan"
)

var (
	from  = flag.Uint64("from", 1, "the first seed to run")
	to    = flag.Uint64("to", 3, "the last seed to run")
	by    = flag.Uint64("by", 1, "run each so many'th seed only, to share them with other processes")
	span  = flag.Duration("for", 0, "run seeds for so long, from the day's own first one")
	alike = flag.Int("alike", 1, "how many seeds to run twice")
	loud  = flag.Bool("timeline", false, "print the timeline of each seed")
	tries = flag.Int("tries", 30, "how many runs may be spent on shrinking a failing seed")
	keep  = flag.Bool("keep", false, "keep the plans of failing seeds in testdata/seeds")
)

// usual is the profile of the seeds that CI runs.
var usual = Profile{Clusters: 2, Hours: 5, Steps: 14, Errors: 0.01, Kills: 0.005, Events: 0.1, Skew: time.Minute,
	Stops: 0.1, Leases: 0.1, Takeovers: 0.1, Refusals: 1.0 / 3}

func init() {
	flag.IntVar(&usual.Clusters, "clusters", usual.Clusters, "clusters of each seed")
	flag.IntVar(&usual.Hours, "hours", usual.Hours, "simulated hours of each seed")
	flag.IntVar(&usual.Steps, "steps", usual.Steps, "drawn steps of each seed")
	flag.BoolVar(&usual.Swarm, "swarms", usual.Swarm, "new clusters on instances are Docker swarms")
	flag.Float64Var(&usual.Stops, "stops", usual.Stops, "chance that an execution is stopped after a step")
	flag.Float64Var(&usual.Leases, "leases", usual.Leases, "chance that a lease runs out after a step")
	flag.Float64Var(&usual.Takeovers, "takeovers", usual.Takeovers, "chance that a lease goes to another operation after a step")
	flag.Float64Var(&usual.Errors, "errors", usual.Errors, "chance that a call of AWS goes wrong")
	flag.Float64Var(&usual.Kills, "kills", usual.Kills, "chance that an invocation dies")
}

// Every tenth seed goes over days, in which more happens; halfway between them is one
// whose new clusters are in Amazon EKS, and two later one whose are Docker swarms.
const (
	tenth     = 10
	swarms    = 7
	daysHours = 48
	daysSteps = 40
)

// profileOf is the profile of a seed.
func profileOf(seed uint64) Profile {
	p := usual
	switch seed % tenth {
	case 0:
		p.Hours, p.Steps = daysHours, daysSteps
	case tenth / 2:
		p.EKS = true
	case swarms:
		p.Swarm = true
	}
	return p
}

// One processor at a time, so that goroutines take turns and do not race. A run makes
// hundreds of megabytes of garbage and keeps little of it: to collect it rarely saves time, and
// so does to take no samples of it. Who wants them says -memprofilerate with -memprofile.
func init() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(1600)
	runtime.MemProfileRate = 0
}

// run runs a plan in a bubble of its own.
func run(t *testing.T, plan Plan, bug Bug) (result Result) {
	t.Helper()
	w := &World{Plan: plan, Bug: bug, Files: portolan.Files}
	if bug.Files != nil {
		w.Files = bug.Files(w.Files)
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
	first, last := *from, *to
	if *span > 0 {
		first, last = uint64(time.Now().Unix()/86400)*1_000_000+*from, 1<<62
	}
	began, drawn, runs, ofSwarms := time.Now(), map[string]int{}, 0, 0
	for seed := first; seed <= last && (*span == 0 || time.Since(began) < *span); seed += *by {
		plan := Draw(seed, profileOf(seed))
		at := time.Now()
		result := run(t, plan, Bug{})
		t.Logf("seed %d: %d steps in %v", seed, len(plan.Steps), time.Since(at).Round(time.Millisecond))
		for name, times := range result.Drawn {
			drawn[name] += times
		}
		runs++
		if plan.Profile.Swarm {
			ofSwarms++
		}
		if *loud {
			t.Log(result.Timeline)
		}
		if result.Failed() {
			explain(t, plan, result)
		}
	}
	t.Logf("%d seeds drew %v", runs, drawn)
	for _, name := range append(deedNames(), faults...) {
		if runs >= enough && drawn[name] == 0 && (ofSwarms >= enoughSwarms || !onlyOfSwarms(name)) {
			t.Errorf("%d seeds drew no %q", runs, name)
		}
	}
}

// enough seeds draw every deed and every fault, and so many with swarms what only befalls
// those: of a process's share few may have some.
const (
	enough       = 50
	enoughSwarms = 20
)

func onlyOfSwarms(name string) bool {
	return name == string(RecoverSwarm) || slices.ContainsFunc(swarmChances, func(c chance) bool { return string(c.deed) == name })
}

func deedNames() (names []string) {
	for deed := range new(World).deeds() {
		names = append(names, string(deed))
	}
	slices.Sort(names)
	return names
}

// explain reports a failing plan.
func explain(t *testing.T, plan Plan, result Result) {
	t.Helper()
	text, short := explanation(t, plan, result, Bug{}, *tries)
	t.Error(text)
	if *keep {
		keepPlan(t, short)
	}
}

// explanation tells of a failing plan its seed, what was broken, the shortest workload
// that still breaks it, which it returns too, and what happened then.
func explanation(t *testing.T, plan Plan, result Result, bug Bug, tries int) (string, Plan) {
	t.Helper()
	kind := promiseOf(result.Violations[0])
	short := Shrink(plan, tries, func(p Plan) bool {
		again := run(t, p, bug)
		return slices.ContainsFunc(again.Violations, func(v string) bool { return promiseOf(v) == kind })
	})
	var steps []string
	for _, s := range short.Steps {
		steps = append(steps, s.String())
	}
	return fmt.Sprintf("seed %d broke:\n%s\n\n%d of %d steps still break %s:\n%s\n\n%s", plan.Seed,
		strings.Join(result.Violations, "\n"), len(short.Steps), len(plan.Steps), kind, strings.Join(steps, "\n"),
		run(t, short, bug).Timeline), short
}

func TestAFailureIsExplained(t *testing.T) {
	plan, bug := Draw(1, usual), Bug{Client: loseWish}
	result := run(t, plan, bug)
	if !result.Failed() {
		t.Fatal("a planted bug broke nothing")
	}
	text, short := explanation(t, plan, result, bug, 12)
	if len(short.Steps) >= len(plan.Steps) || short.Seed != plan.Seed {
		t.Errorf("%d steps were shrunk to %d", len(plan.Steps), len(short.Steps))
	}
	for _, part := range []string{"seed 1 broke:\n" + result.Violations[0], fmt.Sprintf("\n%d of %d steps", len(short.Steps), len(plan.Steps)),
		"\n" + short.Steps[0].String() + "\n", "the faults stop", "BROKEN"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not tell %q", part)
		}
	}
}

func promiseOf(violation string) string {
	kind, _, _ := strings.Cut(violation, ":")
	return kind
}

const kept = "testdata/seeds"

func keepPlan(t *testing.T, plan Plan) {
	t.Helper()
	text, err := json.MarshalIndent(plan, "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(kept, fmt.Sprintf("%d.json", plan.Seed)), append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestFoundSeeds runs the plans that once broke a promise.
func TestFoundSeeds(t *testing.T) {
	files, err := filepath.Glob(kept + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no plans in %s: %v", kept, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var plan Plan
		if err := json.Unmarshal(text, &plan); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if result := run(t, plan, Bug{}); result.Failed() {
			t.Errorf("%s:\n%s\n%s", file, strings.Join(result.Violations, "\n"), result.Timeline)
		}
	}
}

func TestTheSameSeedMakesTheSameRun(t *testing.T) {
	var seeds []uint64
	for seed := range uint64(*alike) {
		seeds = append(seeds, seed+1)
	}
	if *alike > 1 {
		seeds = append(seeds, tenth/2, tenth+swarms) // in Amazon EKS, and Docker swarms
	}
	for _, seed := range seeds {
		one, other := run(t, Draw(seed, profileOf(seed)), Bug{}), run(t, Draw(seed, profileOf(seed)), Bug{})
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

func TestShrinkKeepsWhatFails(t *testing.T) {
	plan := Draw(1, usual)
	needed := []Step{plan.Steps[3], plan.Steps[9]}
	short := Shrink(plan, 1000, func(p Plan) bool {
		return slices.Contains(p.Steps, needed[0]) && slices.Contains(p.Steps, needed[1])
	})
	if !slices.Equal(short.Steps, needed) {
		t.Errorf("shrunk to %v and not to %v", short.Steps, needed)
	}
}
