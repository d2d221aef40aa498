package local_test

import (
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"portolan"
	"portolan/local"
)

// start starts all of it, with these around every call of AWS.
func start(t *testing.T, middleware ...func(http.Handler) http.Handler) *local.Local {
	t.Helper()
	l, err := local.Start(local.Config{Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Seed: 1,
		Log: slog.New(slog.NewJSONHandler(t.Output(), nil)), Middleware: middleware})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestStartsAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
