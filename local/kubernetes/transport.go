package kubernetes

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
)

// RoundTrip answers a request in process: no socket and, but for a watch, no goroutine
// of its own. A request whose context ends meanwhile fails with the context's error
// after its work was done, which is what a lost answer looks like.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) { return RoundTrip(s, r) }

// RoundTrip lets a handler answer a request in process, as Server.RoundTrip does.
func RoundTrip(h http.Handler, r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	inner := r.WithContext(ctx) // a copy, whose headers and URL nobody behind it may change
	inner.RequestURI, inner.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if inner.Host == "" {
		inner.Host = r.URL.Host
	}
	if r.Body != nil {
		defer r.Body.Close()
	}
	if watches(r) {
		return stream(h, r, inner)
	}
	w := &recorder{header: http.Header{}, code: http.StatusOK}
	h.ServeHTTP(w, inner)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return response(r, w.code, w.header, io.NopCloser(&w.body), int64(w.body.Len())), nil
}

func watches(r *http.Request) bool {
	v := r.URL.Query().Get("watch")
	return r.Method == http.MethodGet && (v == "true" || v == "1") || strings.Contains(r.URL.Path, "/watch/")
}

func response(r *http.Request, code int, header http.Header, body io.ReadCloser, length int64) *http.Response {
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
func stream(h http.Handler, r, inner *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	from, to := io.Pipe()
	w := &streamer{header: http.Header{}, to: to, begun: make(chan begun, 1)}
	// A reader learns at once that its context is over.
	stop := context.AfterFunc(r.Context(), func() { from.CloseWithError(r.Context().Err()) })
	go func() {
		defer cancel()
		defer stop()
		h.ServeHTTP(w, inner.WithContext(ctx))
		w.WriteHeader(http.StatusOK)
		to.Close()
	}()
	select {
	case b := <-w.begun:
		return response(r, b.code, b.header, &streamBody{PipeReader: from, cancel: cancel}, -1), nil
	case <-r.Context().Done():
		cancel()
		from.Close()
		return nil, r.Context().Err()
	}
}

// begun is how an answer begins.
type begun struct {
	code   int
	header http.Header
}

// A streamer hands an answer to a reader as it is written.
type streamer struct {
	header http.Header
	to     *io.PipeWriter
	begun  chan begun
	once   sync.Once
}

func (w *streamer) Header() http.Header { return w.header }

func (w *streamer) WriteHeader(code int) {
	w.once.Do(func() { w.begun <- begun{code, w.header.Clone()} })
}

func (w *streamer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.to.Write(p)
}

// A streamBody ends the request when it is closed.
type streamBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *streamBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}
