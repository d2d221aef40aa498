package port

import (
	"bufio"
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// A Listener is for an http.Server. It answers the quick calls on its connections by
// itself, and hands the server each connection on which something else comes, from there
// on. Nobody looks whether the caller of a quick call is still there, so that they must
// not wait.
type Listener struct {
	inner   net.Listener
	handler http.Handler
	quick   func(target string) bool
	others  chan accepted
	closing context.Context
	close   context.CancelFunc
	serving sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool
}

type accepted struct {
	conn net.Conn
	err  error
}

// firstTimeout is how long a new connection may stay without a request.
const firstTimeout = 10 * time.Second

// answerTimeout is how long a caller may take to read its answer while the listener closes.
const answerTimeout = 5 * time.Second

// Listen returns a listener whose quick calls the handler answers. quick tells them by
// their X-Amz-Target.
func Listen(inner net.Listener, handler http.Handler, quick func(target string) bool) *Listener {
	l := &Listener{inner: inner, handler: handler, quick: quick, others: make(chan accepted), open: map[net.Conn]bool{}}
	l.closing, l.close = context.WithCancel(context.Background())
	l.serving.Go(l.accept)
	return l
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Accept implements net.Listener: it returns the connections that are net/http's.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case other := <-l.others:
		return other.conn, other.err
	case <-l.closing.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It returns when the quick calls that had come are
// answered.
func (l *Listener) Close() error {
	err := l.inner.Close()
	l.mu.Lock()
	l.close()
	for conn := range l.open {
		_ = conn.SetReadDeadline(time.Now())
		_ = conn.SetWriteDeadline(time.Now().Add(answerTimeout))
	}
	l.mu.Unlock()
	l.serving.Wait()
	return err
}

// accept serves each new connection until there are no more.
func (l *Listener) accept() {
	for {
		conn, err := l.inner.Accept()
		if err == nil {
			l.serving.Go(func() { l.serve(conn) })
			continue
		}
		l.hand(accepted{err: err})
		if errors.Is(err, net.ErrClosed) || l.closing.Err() != nil {
			return
		}
	}
}

// hand gives net/http what it has to know of, and says whether it did before the end.
func (l *Listener) hand(other accepted) bool {
	select {
	case l.others <- other:
		return true
	case <-l.closing.Done():
		return false
	}
}

// serve answers quick calls until something else comes.
func (l *Listener) serve(conn net.Conn) {
	reader := bufio.NewReaderSize(conn, bufferSize)
	if !l.begin(conn) {
		_ = conn.Close()
		return
	}
	isOurs, caller := true, conn.RemoteAddr().String()
	for first := true; isOurs; first = false {
		if _, err := reader.Peek(1); err != nil || first && !l.wait(conn) {
			break
		}
		var request *http.Request
		if request, isOurs = l.read(reader); request == nil {
			break
		}
		request.RemoteAddr = caller
		if !l.answer(conn, request) {
			break
		}
	}
	l.end(conn)
	if isOurs || !l.hand(accepted{conn: &begun{conn, reader}}) {
		_ = conn.Close()
	}
}

// begin notes a connection, on which the first request has to come soon.
func (l *Listener) begin(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[conn] = true
	return l.closing.Err() == nil && conn.SetReadDeadline(time.Now().Add(firstTimeout)) == nil
}

// wait lets the next request take its time, unless the listener closes.
func (l *Listener) wait(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing.Err() == nil && conn.SetReadDeadline(time.Time{}) == nil
}

func (l *Listener) end(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
}

// answer has the handler answer a request, and says whether another one may follow.
func (l *Listener) answer(conn net.Conn, request *http.Request) (goesOn bool) {
	defer func() {
		// One call that goes wrong must not end the others, as with net/http.
		if why := recover(); why != nil && why != http.ErrAbortHandler {
			log.Printf("port: panic serving %v: %v\n%s", request.RemoteAddr, why, debug.Stack())
		}
	}()
	w := &response{header: make(http.Header, 8)}
	l.handler.ServeHTTP(w, request)
	_, err := conn.Write(w.encode())
	return err == nil
}

// A begun connection is one of which something was read already.
type begun struct {
	net.Conn
	reader *bufio.Reader
}

// Read reads what was read before first.
func (b *begun) Read(p []byte) (int, error) {
	if b.reader.Buffered() > 0 {
		return b.reader.Read(p)
	}
	return b.Conn.Read(p)
}
