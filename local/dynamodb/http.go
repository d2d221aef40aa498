package dynamodb

import (
	"bytes"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// bodyMax is the largest request that AWS takes.
const bodyMax = 16 << 20

const (
	itemTarget   = "DynamoDB_20120810."
	streamTarget = "DynamoDBStreams_20120810."
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// ServeHTTP answers a call of either target. Who calls was found out before.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.serveOther(w, r)
		return
	}
	body, err := readBody(r)
	if err != nil {
		http.Error(w, "", http.StatusRequestEntityTooLarge)
		return
	}
	contentType := "application/x-amz-json-1.0"
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		contentType = "application/json"
	}
	buffer := buffers.Get().(*[]byte)
	out, status := (*buffer)[:0], http.StatusOK
	if do := lookupOperation(r.Header.Get("X-Amz-Target")); do == nil {
		status = http.StatusBadRequest
		out = append(out, `{"__type":"com.amazon.coral.service#UnknownOperationException"`...)
		out = append(unknownOperation(out, r.Header.Get("X-Amz-Target")), '}')
	} else {
		answer, failed := do(s, r.Context(), body, out)
		if out = answer; failed != nil {
			out, status = failed.encode(out[:0]), failed.status
		}
	}
	s.reply(w, status, contentType, out)
	if cap(out) <= 1<<20 {
		*buffer = out
		buffers.Put(buffer)
	}
}

// IsCall says whether an X-Amz-Target is of the calls that are answered at once: those
// of streams may wait for records.
func IsCall(target string) bool { return strings.HasPrefix(target, itemTarget) }

// unknownOperation names the operation that this DynamoDB does not have.
func unknownOperation(out []byte, target string) []byte {
	if target == "" {
		return out
	}
	out = append(out, `,"message":`...)
	return appendText(out, "the embedded DynamoDB does not know the operation "+target)
}

func lookupOperation(target string) operation {
	if name, ok := strings.CutPrefix(target, itemTarget); ok {
		return operations[name]
	}
	if name, ok := strings.CutPrefix(target, streamTarget); ok {
		return streamOperations[name]
	}
	return nil
}

// bodies are the buffers that requests are read into before their exact size is
// known.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads the body, or takes it from whoever read it before.
func readBody(r *http.Request) (string, error) {
	if r.Body == nil {
		return "", nil
	}
	if read, ok := r.Body.(interface{ Bytes() []byte }); ok {
		return string(read.Bytes()), nil
	}
	buffer := bodies.Get().(*bytes.Buffer)
	buffer.Reset()
	n, err := buffer.ReadFrom(io.LimitReader(r.Body, bodyMax+1))
	if err == nil && n > bodyMax {
		err = http.ErrContentLength
	}
	body := buffer.String()
	if buffer.Cap() <= 1<<20 {
		bodies.Put(buffer)
	}
	return body, err
}

func (s *Server) reply(w http.ResponseWriter, status int, contentType string, body []byte) {
	values := []string{contentType, strconv.Itoa(len(body)),
		strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10), s.requestID()}
	header := w.Header()
	for i, name := range [...]string{"Content-Type", "Content-Length", "X-Amz-Crc32", "X-Amzn-Requestid"} {
		header[name] = values[i : i+1 : i+1]
	}
	w.WriteHeader(status)
	// The caller has gone if this fails, and there is nobody else to tell.
	_, _ = w.Write(body)
}

// serveOther answers the health check and whatever else is no call.
func (s *Server) serveOther(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/" {
		s.reply(w, http.StatusOK, "text/plain",
			[]byte("healthy: dynamodb."+s.config.Region+".amazonaws.com "))
		return
	}
	s.reply(w, http.StatusNotFound, "text/plain", []byte("<UnknownOperationException/>\n"))
}

var unpadded = base32.StdEncoding.WithPadding(base32.NoPadding)

// requestID makes 52 characters as AWS's ids have, the same for the same order
// of requests.
func (s *Server) requestID() string {
	var raw [32]byte
	n := s.requests.Add(1)
	for i := 0; i < len(raw); i += 8 {
		// The finaliser of splitmix64, which spreads small numbers over all bits.
		n += 0x9e3779b97f4a7c15
		mixed := (n ^ n>>30) * 0xbf58476d1ce4e5b9
		mixed = (mixed ^ mixed>>27) * 0x94d049bb133111eb
		binary.BigEndian.PutUint64(raw[i:], mixed^mixed>>31)
	}
	return unpadded.EncodeToString(raw[:])
}

// encode appends the error's body.
func (e *apiError) encode(out []byte) []byte {
	out = append(out, `{"__type":`...)
	out = appendText(out, e.kind)
	if e.message != "" {
		name := `,"message":`
		if e.capital || e.reasons != nil {
			name = `,"Message":`
		}
		out = appendText(append(out, name...), e.message)
	}
	if e.item != nil {
		out = appendItem(append(out, `,"Item":`...), e.item)
	}
	if e.reasons != nil {
		out = appendReasons(append(out, `,"CancellationReasons":`...), e.reasons)
	}
	return append(out, '}')
}
