package main

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		durations []time.Duration
		want      time.Duration
	}{
		{[]time.Duration{7}, 7},
		{[]time.Duration{9, 1, 5}, 5},
		{[]time.Duration{100, 2, 4, 1}, 3},
	} {
		if got := median(test.durations); got != test.want {
			t.Errorf("the median of %v is %v, not %v", test.durations, got, test.want)
		}
	}
}

func TestVariablesOfTheTemplate(t *testing.T) {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	names, err := variablesOf(template)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"TABLE_NAME", "OPERATION_ROLE_ARN"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not among %v", name, names)
		}
	}
}

func TestReportFailsForSlowDoorsOnly(t *testing.T) {
	subjects := func(door, step time.Duration) []*subject {
		return []*subject{
			{name: bare, starts: []time.Duration{10}},
			{name: "api", starts: []time.Duration{door}},
			{name: "stack", starts: []time.Duration{step}},
		}
	}
	if err := report(subjects(25, 90), 2.5); err != nil {
		t.Errorf("a door at the limit is refused: %v", err)
	}
	if err := report(subjects(26, 20), 2.5); err == nil {
		t.Error("a door above the limit passes")
	}
}
