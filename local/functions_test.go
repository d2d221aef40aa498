package local

import (
	"context"
	"testing"

	"portolan/shared/environment"
)

// TestAnswerStaysItsCallers guards against an answer that is a buffer which the next call
// of the function writes into.
func TestAnswerStaysItsCallers(t *testing.T) {
	type echo struct{}
	build := func(*environment.Environment) *echo { return &echo{} }
	handle := func(_ *echo, _ context.Context, in string) (string, error) { return in, nil }
	h := of(build, handle)(&environment.Environment{})
	first, err := h.Invoke(t.Context(), []byte(`"<first>"`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Invoke(t.Context(), []byte(`"<other>"`)); err != nil {
		t.Fatal(err)
	}
	if got, want := string(first), `"<first>"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
