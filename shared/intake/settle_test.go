package intake

import (
	"errors"
	"testing"

	"portolan/shared/fault"
)

func TestSettle(t *testing.T) {
	conflict, other := fault.New(fault.Conflict, "changed"), errors.New("other")
	tests := []struct {
		name    string
		results []error
		want    error
	}{
		{"at once", []error{nil}, nil},
		{"at the third", []error{conflict, conflict, nil}, nil},
		{"never", []error{conflict, conflict, conflict}, conflict},
		{"another error", []error{conflict, other}, other},
	}
	for _, test := range tests {
		calls := 0
		err := Settle(func() error { calls++; return test.results[calls-1] })
		if err != test.want || calls != len(test.results) {
			t.Errorf("%s: got %v after %d calls", test.name, err, calls)
		}
	}
}
