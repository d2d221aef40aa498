package swarm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// connectPatience is how long a client waits for a machine that does not answer.
const connectPatience = 10 * time.Second

// bodyMax is the largest request that an engine reads.
const bodyMax = 8 << 20

// WrapTransport returns a transport that brings requests for the machines' addresses to
// their engines, and all others to next, by whose settings of TLS an engine knows who
// calls.
func (e *Engines) WrapTransport(next http.RoundTripper) http.RoundTripper { return &transport{e, next} }

type transport struct {
	engines *Engines
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	n, state := t.engines.lookUp(r.URL.Hostname())
	if n == nil {
		return t.next.RoundTrip(r)
	}
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := t.engines.connect(r.Context(), r.URL.Host, state); err != nil {
		return nil, err
	}
	switch err := n.shake(t.next, r); {
	case errors.Is(err, errPlain):
		body := err.Error() + "\n"
		return answered(r, http.StatusBadRequest, http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
			io.NopCloser(strings.NewReader(body)), int64(len(body))), nil
	case err != nil:
		return nil, err
	}
	return n.roundTrip(r)
}

func (e *Engines) lookUp(host string) (n *engine, state string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n = e.byAddress[host]; n != nil {
		state = n.State
	}
	return n, state
}

// connect fails as the network does where nothing answers at an address.
func (e *Engines) connect(ctx context.Context, address, state string) error {
	refused := syscall.ECONNREFUSED
	switch state {
	case running:
		return ctx.Err()
	case cut, dead:
		if err := e.config.Clock.Sleep(ctx, connectPatience); err != nil {
			return err
		}
		refused = syscall.ETIMEDOUT
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: tcpAddress(address), Err: os.NewSyscallError("connect", refused)}
}

// tcpAddress is an address as errors of package net show it.
type tcpAddress string

// Network implements net.Addr.
func (tcpAddress) Network() string { return "tcp" }

// String implements net.Addr.
func (a tcpAddress) String() string { return string(a) }

// roundTrip answers a request in process: no socket and, but for events, no goroutine of
// its own. A request whose context ends meanwhile fails with the context's error after
// its work was done, which is what a lost answer looks like.
func (n *engine) roundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	inner := r.Clone(ctx)
	inner.RequestURI, inner.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if inner.Host == "" {
		inner.Host = r.URL.Host
	}
	if strings.HasSuffix(r.URL.Path, "/events") {
		return n.stream(r, inner)
	}
	w := &recorder{header: http.Header{}, code: http.StatusOK}
	n.ServeHTTP(w, inner)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return answered(r, w.code, w.header, io.NopCloser(&w.body), int64(w.body.Len())), nil
}

func answered(r *http.Request, code int, header http.Header, body io.ReadCloser, length int64) *http.Response {
	return &http.Response{Status: http.StatusText(code), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: length, Body: body, Request: r}
}

// A recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(code int)        { w.code = code }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }

// stream answers piece by piece, in a goroutine that ends with the handler.
func (n *engine) stream(r, inner *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	from, to := io.Pipe()
	w := &streamer{header: http.Header{}, to: to, begun: make(chan int, 1)}
	stop := context.AfterFunc(r.Context(), func() { from.CloseWithError(r.Context().Err()) })
	go func() {
		defer cancel()
		defer stop()
		n.ServeHTTP(w, inner.WithContext(ctx))
		w.WriteHeader(http.StatusOK)
		to.Close()
	}()
	select {
	case code := <-w.begun:
		return answered(r, code, w.header, &streamBody{PipeReader: from, cancel: cancel}, -1), nil
	case <-r.Context().Done():
		cancel()
		from.Close()
		return nil, r.Context().Err()
	}
}

// A streamer hands an answer to a reader as it is written.
type streamer struct {
	header http.Header
	to     *io.PipeWriter
	begun  chan int
	once   sync.Once
}

func (w *streamer) Header() http.Header  { return w.header }
func (w *streamer) WriteHeader(code int) { w.once.Do(func() { w.begun <- code }) }

func (w *streamer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.to.Write(p)
}

// A streamBody ends the request when it is closed.
type streamBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *streamBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}
