package orchestrator

import "testing"

func TestDrained(t *testing.T) {
	tests := []struct {
		status DrainStatus
		want   bool
	}{
		{DrainStatus{NodeDraining, 0}, true},
		{DrainStatus{NodeCordoned, 0}, true},
		{DrainStatus{NodeDraining, 1}, false},
		{DrainStatus{NodeReady, 0}, false},
		// A node that is not heard of may still run what it ran.
		{DrainStatus{NodeDown, 0}, false},
	}
	for _, test := range tests {
		if got := test.status.Drained(); got != test.want {
			t.Errorf("%+v: got %t, want %t", test.status, got, test.want)
		}
	}
}

func TestQuorumIsKeptByAMajority(t *testing.T) {
	tests := []struct {
		quorum Quorum
		want   bool
	}{
		{Quorum{1, 1}, true}, {Quorum{3, 2}, true}, {Quorum{3, 1}, false},
		{Quorum{4, 2}, false}, {Quorum{5, 3}, true}, {Quorum{0, 0}, false},
	}
	for _, test := range tests {
		if got := test.quorum.Kept(); got != test.want {
			t.Errorf("%+v: got %t, want %t", test.quorum, got, test.want)
		}
	}
}
