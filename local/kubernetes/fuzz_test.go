package kubernetes_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"

	"portolan/local/clock"
	"portolan/local/kubernetes"
	"portolan/local/unique"
)

// FuzzRequests sends anything to a server. Whatever it is, the answer is JSON, and the
// server goes on.
func FuzzRequests(f *testing.F) {
	const web = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"app":"x"}},` +
		`"template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"i:1"}]}}}}`
	const of = "/apis/apps/v1/namespaces/default/deployments"
	f.Add("POST", of, "application/json", web)
	f.Add("PATCH", of+"/web?fieldManager=a&force=true", asApplied, web)
	f.Add("PATCH", of+"/web", "application/merge-patch+json", `{"spec":{"strategy":null,"replicas":null}}`)
	f.Add("PATCH", of+"/web", "application/strategic-merge-patch+json", `{"spec":{"template":{"spec":{"containers":[{"$patch":"replace"}]}}}}`)
	f.Add("PATCH", of+"/web", "application/json-patch+json", `[{"op":"remove","path":"/spec/selector"}]`)
	f.Add("PATCH", of+"/web/scale", "application/merge-patch+json", `{"spec":{"replicas":3}}`)
	f.Add("PUT", of+"/web/status", "application/json", web)
	f.Add("POST", "/api/v1/namespaces/default/pods/x/eviction", "application/json", `{"apiVersion":"policy/v1","kind":"Eviction"}`)
	f.Add("POST", "/apis/batch/v1/namespaces/default/cronjobs", "application/json", `{"kind":"CronJob","apiVersion":"batch/v1","metadata":{"name":"x"}}`)
	f.Add("POST", "/apis/apps/v1/namespaces/default/daemonsets", "application/json",
		`{"metadata":{"name":"x"},"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"x%"}}}}`)
	f.Add("GET", "/api/v1/pods?limit=1&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0&labelSelector=a%21%3Db", "", "")
	f.Add("DELETE", of+"?fieldSelector=metadata.name%3Dx", "application/json", `{"propagationPolicy":"Orphan"}`)
	f.Fuzz(func(t *testing.T, method, path, media, body string) {
		at, err := url.Parse("https://x" + path)
		if err != nil || at.Host != "x" || at.Query().Has("watch") {
			return
		}
		request, err := http.NewRequest(method, at.String(), bytes.NewReader([]byte(body)))
		if err != nil {
			return
		}
		request.Header.Set("Content-Type", media)
		server, err := kubernetes.New(kubernetes.Config{Clock: clock.New(1), IDs: unique.New(1)})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		for _, r := range []*http.Request{seeded(t, of, web), request} {
			response, err := server.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.Header.Get("Content-Type") == "application/json" && !json.Valid(raw) {
				t.Errorf("%s %s is answered %q", method, path, raw)
			}
		}
	})
}

const asApplied = "application/apply-patch+yaml"

// seeded is a request that makes what the others may be about.
func seeded(t *testing.T, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "https://x"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
