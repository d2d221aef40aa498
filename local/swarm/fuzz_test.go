package swarm_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"portolan/local/clock"
	engines "portolan/local/swarm"
	"portolan/local/unique"
)

// FuzzRequest sends anything to an engine: whatever it answers, it answers.
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct{ method, path, body string }{
		{"POST", "/v1.41/swarm/init", `{"ListenAddr":"0.0.0.0:2377"}`},
		{"POST", "/v1.41/swarm/join", `{"ListenAddr":"x","RemoteAddrs":["10.0.0.9:2377"],"JoinToken":"SWMTKN-1-a-b"}`},
		{"POST", "/v1.41/services/create", `{"Name":"web","TaskTemplate":{"ContainerSpec":{"Image":"web"}},"EndpointSpec":{"Ports":[{"TargetPort":80}]}}`},
		{"GET", "/v1.41/tasks?filters=%7B%22service%22%3A%5B%22web%22%5D%7D", ""},
		{"GET", "/v1.41/events?since=1&until=2", ""},
		{"POST", "/v1.41/networks/create", `{"Name":"n","Driver":"overlay","IPAM":{"Config":[{"Subnet":"fd00::/64"}]}}`},
		{"POST", "/v1.41/services/web/update?version=1", `{"Name":"web","Mode":{"Global":{}}}`},
	} {
		f.Add(seed.method, seed.path, []byte(seed.body))
	}
	e, err := engines.New(engines.Config{Clock: clock.New(1e6), IDs: unique.New(1)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(e.Close)
	e.Launch(engines.Machine{ID: "i-1", Address: "10.0.0.9", CPUs: 1, MemoryMiB: 512})
	send := func(method, path string, body []byte) {
		r, err := http.NewRequest(method, "http://10.0.0.9:2376"+path, bytes.NewReader(body))
		if err != nil || r.URL.Hostname() != "10.0.0.9" {
			return
		}
		response, err := e.WrapTransport(refusing{}).RoundTrip(r)
		if err != nil {
			return
		}
		if response.StatusCode < 200 || response.StatusCode > 599 {
			f.Fatalf("%s %s: %d", method, path, response.StatusCode)
		}
		// Events end only with their reader.
		done := time.AfterFunc(50*time.Millisecond, func() { _ = response.Body.Close() })
		_, _ = io.Copy(io.Discard, response.Body)
		done.Stop()
	}
	send("POST", "/v1.41/swarm/init", []byte(`{"ListenAddr":"0.0.0.0:2377"}`))
	f.Fuzz(func(t *testing.T, method, path string, body []byte) { send(method, path, body) })
}
