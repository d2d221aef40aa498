package cost_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"portolan/local/cost"
)

var update = flag.Bool("update", false, "write docs/cost.md again")

const page = "../../docs/cost.md"

// TestPage keeps docs/cost.md what a run measures.
func TestPage(t *testing.T) {
	var got string
	synctest.Test(t, func(t *testing.T) {
		measured, err := cost.Measure(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = cost.Page(measured)
	})
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range changed(got, string(want)) {
		t.Error(line)
	}
	if t.Failed() {
		t.Error("if that is meant, write docs/cost.md again with go test ./local/cost -update")
	}
}

// changed is the lines that only one of two pages has.
func changed(got, want string) []string {
	before, after := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out []string
	for _, line := range before {
		if !slices.Contains(after, line) {
			out = append(out, "- "+line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			out = append(out, "+ "+line)
		}
	}
	return out
}
