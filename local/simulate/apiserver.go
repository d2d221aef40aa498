package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// kubernetesService is the service of calls of Kubernetes API servers.
const kubernetesService = "kubernetes"

// An apiServers is how functions reach the clusters' API servers: through the
// turnstile, under the eyes of those who watch, and with what befalls a call.
type apiServers struct {
	w    *World
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a apiServers) RoundTrip(r *http.Request) (*http.Response, error) {
	w := a.w
	name, server := w.at(r.URL.Hostname())
	if server == nil {
		server = a.next
	}
	c := &call{service: kubernetesService, operation: r.Method + " " + r.URL.RequestURI(), cluster: name,
		invocation: invocationOf(r.Context())}
	if r.Body != nil {
		var err error
		if c.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	w.turn.pass(c.name)
	if c.invocation != nil && !c.invocation.survives() {
		return nil, errors.New("the function was killed")
	}
	return w.sufferThere(c, r, server)
}

// at is the cluster of Kubernetes whose API server has that name.
func (w *World) at(host string) (name string, server http.RoundTripper) {
	if c := w.adopted[strings.TrimSuffix(host, domain)]; c != nil {
		return c.name, c.Server
	}
	for _, name := range w.watch.clusterNames() {
		c, err := w.mirror.cluster(name)
		if err == nil && c.Facts.Kubernetes != nil && strings.TrimPrefix(c.Facts.Kubernetes.Endpoint, "https://") == host {
			return name, nil
		}
	}
	return host, nil
}

// sufferThere makes the call, unless something goes wrong before or after it.
func (w *World) sufferThere(c *call, r *http.Request, server http.RoundTripper) (*http.Response, error) {
	watches := strings.Contains(c.operation, "watch=true")
	if !w.befalls(w.Plan.Profile.Errors) {
		answer, err := w.effectThere(c, r, server)
		if err == nil && watches {
			answer.Body = &stream{answer.Body, w, c}
		}
		return answer, err
	}
	if c.invocation != nil {
		c.invocation.suffered = true
	}
	kind := w.random.IntN(6)
	when := "before"
	if kind >= 3 && !watches {
		when = "after"
		answer, err := w.effectThere(c, r, server)
		if err != nil {
			return nil, err
		}
		answer.Body.Close()
	}
	switch kind % 3 {
	case 0:
		w.fault("throttled "+when, "%s of %s is throttled %s its effect", c.operation, c.cluster, when)
		return refusal(r, http.StatusTooManyRequests, "TooManyRequests"), nil
	case 1:
		w.fault("failed "+when, "%s of %s fails %s its effect", c.operation, c.cluster, when)
		return refusal(r, http.StatusInternalServerError, "InternalError"), nil
	}
	w.fault("unanswered "+when, "%s of %s does not answer, %s its effect", c.operation, c.cluster, when)
	timer := w.Clock.NewTimer(65 * time.Second)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-timer.C:
		return refusal(r, http.StatusGatewayTimeout, "Timeout"), nil
	}
}

func (w *World) effectThere(c *call, r *http.Request, server http.RoundTripper) (*http.Response, error) {
	w.watch.called(c)
	r = r.WithContext(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	return server.RoundTrip(r)
}

// refusal is an API server's answer to what it did not do, or does not know of.
func refusal(r *http.Request, code int, reason string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"drawn by the simulation"}`,
		reason, code)
	return &http.Response{Status: http.StatusText(code), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}, "Retry-After": {"1"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: r}
}

// A stream is what a watch tells. Of two that tell at once, the turnstile says which is
// heard first.
type stream struct {
	io.ReadCloser
	w *World
	c *call
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.w.turn.pass(func() string { return "told " + s.c.name() + " " + hash(p[:n]) })
	return n, err
}
