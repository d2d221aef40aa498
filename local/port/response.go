package port

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A response collects an answer, which has a body.
type response struct {
	header http.Header
	status int
	body   []byte
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// A date is a second as it stands in an answer.
type date struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[date]

// dateOf is a time as it stands in an answer. Most answers share it with the one before.
func dateOf(t time.Time) string {
	if last := lastDate.Load(); last != nil && last.second == t.Unix() {
		return last.text
	}
	next := &date{t.Unix(), t.UTC().Format(http.TimeFormat)}
	lastDate.Store(next)
	return next.text
}

// encode is the answer as it goes over the wire.
func (w *response) encode() []byte {
	w.WriteHeader(http.StatusOK)
	out := make([]byte, 0, 512+len(w.body))
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(w.status), 10)
	out = append(append(out, ' '), http.StatusText(w.status)...)
	out = append(out, "\r\nDate: "...)
	out = append(out, dateOf(time.Now())...)
	out = append(out, "\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(w.body)), 10)
	if w.header["Content-Type"] == nil && len(w.body) > 0 {
		out = append(append(out, "\r\nContent-Type: "...), http.DetectContentType(w.body)...)
	}
	for name, values := range w.header {
		if name == "Date" || name == "Content-Length" {
			continue
		}
		for _, value := range values {
			if strings.ContainsAny(value, "\r\n") {
				value = oneLine.Replace(value)
			}
			out = append(append(append(append(out, "\r\n"...), name...), ": "...), value...)
		}
	}
	return append(append(out, "\r\n\r\n"...), w.body...)
}
