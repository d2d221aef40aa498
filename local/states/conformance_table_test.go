package states_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"portolan/local/states"
)

// The shares of a corpus that have to agree with AWS.
const (
	resultShare = 0.98
	causeShare  = 0.95
)

// TestConformance runs executions that were recorded from AWS and prints how
// many agree, by feature: on status, output and error; on the cause too; and on
// which events the history has.
func TestConformance(t *testing.T) {
	type tally struct{ cases, results, causes, histories, events int }
	var total tally
	features := map[string]*tally{}
	add := func(c *tally, r *recording, v verdict) {
		c.cases++
		for _, count := range []struct {
			n  *int
			ok bool
		}{{&c.results, v.result}, {&c.causes, v.cause}, {&c.histories, r.Events != nil}, {&c.events, v.events}} {
			if count.ok {
				*count.n++
			}
		}
	}
	for _, r := range recordings(t) {
		v := r.run(t)
		if !v.cause {
			t.Logf("disagrees: %s\n    %s", r.Name, v.why)
		} else if r.Events != nil && !v.events && os.Getenv("ASL_EVENTS") != "" {
			t.Logf("other events: %s", r.Name)
		}
		add(&total, r, v)
		for _, tag := range r.Tags {
			if tag == "core" || tag == "jsonpath" || tag == "pure" || strings.HasPrefix(tag, "group:") {
				continue
			}
			if features[tag] == nil {
				features[tag] = &tally{}
			}
			add(features[tag], r, v)
		}
	}
	var table strings.Builder
	row := func(name string, c *tally) {
		fmt.Fprintf(&table, "%-40s %6d %8d %8d %6d/%d\n", name, c.cases, c.results, c.causes, c.events, c.histories)
	}
	fmt.Fprintf(&table, "%-40s %6s %8s %8s %9s\n", "feature", "cases", "result", "cause", "events")
	names := make([]string, 0, len(features))
	for name := range features {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		row(name, features[name])
	}
	row("all", &total)
	share := func(n int) float64 { return float64(n) / float64(max(total.cases, 1)) }
	t.Logf("\n%s%.1f %% agree on status, output and error; %.1f %% on the cause too",
		table.String(), 100*share(total.results), 100*share(total.causes))
	if share(total.results) < resultShare || share(total.causes) < causeShare {
		t.Errorf("fewer than %.0f %% and %.0f %% agree", 100*resultShare, 100*causeShare)
	}
}

// sameEvents says whether the history has the recorded events, in whichever
// order: what runs in parallel was recorded as it happened to run.
func (r *recording) sameEvents(t *testing.T, s *states.Server, arn string) bool {
	t.Helper()
	history, err := s.History(arn)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, text := range history {
		var e struct {
			Type    string `json:"type"`
			Entered *struct {
				Name string `json:"name"`
			} `json:"stateEnteredEventDetails"`
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		line := e.Type
		if e.Entered != nil {
			line += ":" + e.Entered.Name
		}
		got = append(got, line)
	}
	for _, e := range r.Events {
		want = append(want, strings.Join(e, ":"))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) && os.Getenv("ASL_EVENTS") != "" {
		t.Logf("%s\n got  %v\n want %v", r.Name, got, want)
	}
	return slices.Equal(got, want)
}
