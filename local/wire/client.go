package wire

import (
	"io"
	"net/http"
	"slices"
)

// Client calls the router in process: no socket, no goroutine of its own. A
// request whose context ends meanwhile fails with the context's error after the
// service has done its work, which is what a lost answer looks like.
func (r *Router) Client() *http.Client { return &http.Client{Transport: transport{r}} }

// Do is the HTTP client of SDK clients in process, who want nothing of what http.Client adds:
// redirects, cookies and a deadline.
func (r *Router) Do(req *http.Request) (*http.Response, error) { return transport{r}.RoundTrip(req) }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	inner := req.WithContext(ctx) // a copy, whose headers and URL nobody behind it may change
	if req.ContentLength == 0 && req.Body != nil && req.Body != http.NoBody {
		inner.ContentLength = -1 // a client's way to say that it does not know
	}
	inner.RequestURI = req.URL.RequestURI()
	inner.RemoteAddr = "127.0.0.1:0"
	if inner.Host == "" {
		inner.Host = req.URL.Host
	}
	w := &recorder{header: make(http.Header, 4)}
	t.handler.ServeHTTP(w, inner)
	if req.Body != nil {
		req.Body.Close()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return w.answer(req), nil
}

// A recorder keeps an answer in memory, and is the body that it is read from.
type recorder struct {
	header   http.Header
	status   int
	body     []byte
	read     int
	response http.Response
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

// keep is Write for a whole body that nobody changes any more.
func (w *recorder) keep(body []byte) {
	w.WriteHeader(http.StatusOK)
	w.body = slices.Clip(body)
}

// Read implements io.Reader.
func (w *recorder) Read(p []byte) (int, error) {
	n := copy(p, w.body[w.read:])
	w.read += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// WriteTo implements io.WriterTo.
func (w *recorder) WriteTo(into io.Writer) (int64, error) {
	n, err := into.Write(w.body[w.read:])
	w.read += n
	return int64(n), err
}

// Close implements io.Closer.
func (w *recorder) Close() error { return nil }

func (w *recorder) answer(req *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	w.response = http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, ContentLength: int64(len(w.body)), Body: w, Request: req,
	}
	return &w.response
}
