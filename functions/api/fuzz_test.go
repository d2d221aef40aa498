package api

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/problem"
	"portolan/shared/store"
)

// FuzzRead sends anything. What is refused is refused with a problem that names
// what to correct, and what is accepted can be decoded into the contract's types.
func FuzzRead(f *testing.F) {
	for _, seed := range []struct {
		method, path, body, key string
		base64                  bool
	}{
		{"POST", clusters, onEC2, "", false},
		{"PUT", theService, wildfly, "k", false},
		{"PUT", demo + "/policies/high", high, "", false},
		{"PUT", demo + "/bindings/main", shop, "", false},
		{"PUT", demo + "/node-pools/main", `{"size":4}`, "", false},
		{"PATCH", demo, `{"drift":"report"}`, "", false},
		{"GET", clusters + "?limit=2&next=e30", "", "", false},
		{"GET", "/v1/audit?cluster=demo&day=2026-11-23", "", "", false},
		{"DELETE", demo, "", "k", false},
		{"POST", clusters, "e30=", "", true},
		{"POST", clusters, `{"name":"a","name":"b"}`, "", false},
		{"POST", clusters, "{\"name\":\"\xff\"}", "", false},
	} {
		f.Add(seed.method, seed.path, seed.body, seed.key, seed.base64)
	}
	f.Fuzz(func(t *testing.T, method, path, body, key string, base64 bool) {
		e := event(method, path, body, keyed, key)
		e.IsBase64Encoded = base64
		r, err := read(&e)
		if err == nil {
			decodes(t, r)
			return
		}
		p := problem.Document(err, "request-1")
		if p.Status < 400 || p.Status >= 500 || p.Detail == "" {
			t.Fatalf("refused with %+v", p)
		}
		for _, field := range p.Errors {
			if field.Detail == "" {
				t.Fatalf("a field is blamed for nothing: %+v", p)
			}
		}
	})
}

func decodes(t *testing.T, r *request) {
	var err error
	switch r.operation.ID {
	case "createCluster":
		_, err = decode[contract.ClusterSpec](r)
	case "changeCluster":
		_, err = decode[contract.ClusterChange](r)
	case "scaleNodePool":
		_, err = decode[contract.NodePoolScale](r)
	case "putService":
		_, err = decode[contract.ServiceSpec](r)
	case "putPolicy":
		_, err = decode[contract.PolicySpec](r)
	case "putBinding":
		_, err = decode[contract.BindingSpec](r)
	default:
		if r.body != nil {
			t.Fatalf("%s has a body", r.operation.ID)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestADoorWithoutTableAnswersWhatNeedsNone sees that bad input is refused before
// anything is read.
func TestADoorWithoutTableAnswersWhatNeedsNone(t *testing.T) {
	h := &Handler{
		Store: store.New(&troubled{reading: errors.New("read")}, "none"), Checks: Checks(), JobChecks: JobChecks(), Now: time.Now,
		NewID: func() string { return "" }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for name, c := range unreadable {
		x, err := h.Handle(t.Context(), event(c.method, c.path, c.body, c.headers...))
		var p contract.Problem
		if err != nil || json.Unmarshal([]byte(x.Body), &p) != nil || p.Status != c.status {
			t.Errorf("%s: %v %+v", name, err, x)
		}
	}
}
