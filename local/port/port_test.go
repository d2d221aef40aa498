package port_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"portolan/local/port"
)

const target = "Quick_1.Do"

func isQuick(target string) bool { return strings.HasPrefix(target, "Quick_1.") }

// echo tells what it was asked, and who served it.
func echo(w http.ResponseWriter, r *http.Request) {
	by := "port"
	if r.Context().Value(http.ServerContextKey) != nil {
		by = "net/http"
	}
	body, err := io.ReadAll(r.Body)
	w.Header().Set("X-Asked", fmt.Sprintf("%s %s %s %s %v", r.Method, r.URL, r.Host, r.Header.Get("X-Extra"), err))
	w.Header().Set("X-By", by)
	if strings.HasPrefix(string(body), "{") {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = w.Write(body)
}

// serve serves a handler on a port of its own.
func serve(t *testing.T, handler http.HandlerFunc) (address string, listener *port.Listener) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener = port.Listen(inner, handler, isQuick)
	server := &http.Server{Handler: handler}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return inner.Addr().String(), listener
}

// A caller is a connection with what came back on it.
type caller struct {
	*testing.T
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, address string) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &caller{t, conn, bufio.NewReader(conn)}
}

func (c *caller) send(text string) {
	c.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.Fatal(err)
	}
}

func (c *caller) answer() (*http.Response, string) {
	c.Helper()
	r, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		c.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.Fatal(err)
	}
	return r, string(body)
}

func call(body string, more ...string) string {
	return "POST / HTTP/1.1\r\nHost: 127.0.0.1:4566\r\nX-Amz-Target: " + target + "\r\n" + strings.Join(more, "") +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// Whoever serves a call, its answer is the same but for its Date.
func TestWhoServesWhat(t *testing.T) {
	address, _ := serve(t, echo)
	alone := &http.Server{Handler: http.HandlerFunc(echo)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = alone.Serve(listener) }()
	t.Cleanup(func() { _ = alone.Close() })
	long := strings.Repeat("x", 1<<20)
	tests := []struct{ name, text, by string }{
		{"a call", call("{}"), "port"},
		{"without a body", call(""), "port"},
		{"with a long body", call(long), "port"},
		{"with a longer body", call(long + "x"), "net/http"},
		{"names in lower case", "POST / HTTP/1.1\r\nhost: a\r\nx-amz-target: " + target + "\r\nx-extra: 7\r\ncontent-length: 2\r\n\r\n{}", "port"},
		{"values with blanks", call("text", "x-extra:  7 8\t\r\n"), "port"},
		{"a header twice", call("text", "X-Extra: 1\r\nX-Extra: 2\r\n"), "port"},
		{"kept alive", call("text", "Connection: Keep-Alive\r\n"), "port"},
		{"not kept alive", call("text", "Connection: close\r\n"), "net/http"},
		{"in chunks", "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: " + target + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "net/http"},
		{"an older version", strings.Replace(call("{}"), "HTTP/1.1", "HTTP/1.0", 1), "net/http"},
		{"another path", strings.Replace(call("{}"), "POST /", "POST /a?b=c", 1), "net/http"},
		{"another method", strings.Replace(call("{}"), "POST", "PUT", 1), "net/http"},
		{"another service", strings.Replace(call("{}"), target, "Slow_1.Do", 1), "net/http"},
		{"no host", strings.Replace(call("{}"), "Host: 127.0.0.1:4566\r\n", "", 1), ""},
		{"two hosts", call("{}", "Host: b\r\n"), ""},
		{"two lengths", call("{}", "Content-Length: 3\r\n"), ""},
		{"no length", "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: " + target + "\r\n\r\n", "net/http"},
		{"a bad length", "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: " + target + "\r\nContent-Length: +2\r\n\r\n{}", ""},
		{"a bad name", call("{}", "X Extra: 1\r\n"), ""},
		{"a bad value", call("{}", "X-Extra: a\x00b\r\n"), ""},
		{"a folded line", call("{}", "X-Extra: a\r\n b\r\n"), "net/http"},
		{"no HTTP", "hello\r\n\r\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ours, theirs := dial(t, address), dial(t, listener.Addr().String())
			ours.send(test.text)
			theirs.send(test.text)
			got, body := ours.answer()
			want, wantBody := theirs.answer()
			if by := got.Header.Get("X-By"); by != test.by {
				t.Errorf("it was served by %q and not %q: %.99s", by, test.by, body)
			}
			for _, h := range []http.Header{got.Header, want.Header} {
				h.Del("X-By")
				h.Del("Date")
				h.Del("Content-Length") // net/http sends what is long in chunks
			}
			if got.Status != want.Status || body != wantBody || fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
				t.Errorf("got %s %v %.99q, want %s %v %.99q", got.Status, got.Header, body, want.Status, want.Header, wantBody)
			}
		})
	}
}

// A connection goes over to net/http with what was read of it, and stays there.
func TestOneConnectionForAll(t *testing.T) {
	address, _ := serve(t, echo)
	c := dial(t, address)
	c.send(call("one") + call("two")) // both at once
	c.send(call("three")[:40])
	c.send(call("three")[40:])
	for _, want := range []string{"one port", "two port", "three"} {
		r, body := c.answer()
		if got := body + " " + r.Header.Get("X-By"); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	c.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n" + call("four"))
	for _, want := range []string{" net/http", "four net/http"} {
		r, body := c.answer()
		if got := body + " " + r.Header.Get("X-By"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A head that comes in pieces is left to net/http, and a body that does is waited for.
func TestPieces(t *testing.T) {
	address, _ := serve(t, echo)
	text := call("a body")
	c := dial(t, address)
	c.send(text[:len(text)-3])
	c.send(text[len(text)-3:])
	if r, body := c.answer(); body != "a body" || r.Header.Get("X-By") == "" {
		t.Errorf("got %s by %s", body, r.Header.Get("X-By"))
	}
	c = dial(t, address)
	c.send(text[:len(text)-3])
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.answers.ReadByte(); err != io.EOF {
		t.Errorf("half a body is answered: %v", err)
	}
}

// What panics ends its connection, and no other.
func TestAPanicEndsItsConnection(t *testing.T) {
	address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Extra") != "" {
			panic(http.ErrAbortHandler)
		}
		echo(w, r)
	})
	other, c := dial(t, address), dial(t, address)
	other.send(call("one"))
	other.answer()
	c.send(call("{}", "X-Extra: 1\r\n"))
	if _, err := c.answers.ReadByte(); err != io.EOF {
		t.Errorf("it was answered: %v", err)
	}
	other.send(call("two"))
	if _, body := other.answer(); body != "two" {
		t.Errorf("got %s", body)
	}
}

// Closing answers what had come, ends connections at rest, and lets none in any more.
func TestClose(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	address, listener := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Extra") != "" {
			close(entered)
			<-leave
		}
		echo(w, r)
	})
	busy, idle, fresh := dial(t, address), dial(t, address), dial(t, address)
	idle.send(call("one"))
	idle.answer()
	busy.send(call("two", "X-Extra: 1\r\n"))
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- listener.Close() }()
	for _, c := range []*caller{idle, fresh} {
		if _, err := c.answers.ReadByte(); err == nil {
			t.Error("a connection at rest stays open")
		}
	}
	select {
	case <-closed:
		t.Error("it closed under a call")
	default:
	}
	close(leave)
	if _, body := busy.answer(); body != "two" {
		t.Errorf("got %s", body)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := busy.answers.ReadByte(); err != io.EOF {
		t.Errorf("the connection stays open: %v", err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		_ = conn.Close()
		t.Error("it lets somebody in")
	}
}
