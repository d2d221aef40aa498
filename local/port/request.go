package port

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

const (
	// bufferSize is more than the head of a quick call takes, and mostly its body too.
	bufferSize = 16 << 10

	// bodyMax is the largest body of a quick call.
	bodyMax = 1 << 20

	headersMax = 64
)

// read reads the next request when it is a quick call. Of one that is not, or that is
// anything but plain and well formed, it reads nothing and says that it is not ours. The
// request is nil too where the connection ended on its way.
func (l *Listener) read(reader *bufio.Reader) (request *http.Request, isOurs bool) {
	buffered, _ := reader.Peek(reader.Buffered())
	end := bytes.Index(buffered, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, false
	}
	request, ok := parse(string(buffered[:end]))
	if !ok || !l.quick(request.Header.Get("X-Amz-Target")) {
		return nil, false
	}
	_, _ = reader.Discard(end + len("\r\n\r\n")) // which is in the buffer
	body := make([]byte, request.ContentLength)
	if _, err := io.ReadFull(reader, body); err != nil {
		return nil, true
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	return request.WithContext(context.WithoutCancel(l.closing)), true
}

// parse reads the head of a plain call: of a POST to / with a body of a known length, to
// which nothing but an answer is expected.
func parse(head string) (*http.Request, bool) {
	line, rest, _ := strings.Cut(head, "\r\n")
	if line != "POST / HTTP/1.1" {
		return nil, false
	}
	count := strings.Count(head, "\r\n")
	if count > headersMax {
		return nil, false
	}
	request := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/"}, RequestURI: "/", Proto: "HTTP/1.1",
		ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, count), ContentLength: -1}
	values := make([]string, 0, count) // of all headers, in one allocation
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isOf(&ofTokens, name) {
			return nil, false
		}
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")
		if !isText(value) || !heed(request, name, value) {
			return nil, false
		}
		switch before := request.Header[name]; {
		case name == "Host": // which net/http keeps as a field alone
		case before != nil:
			request.Header[name] = append(before, value)
		default:
			values = append(values, value)
			request.Header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	return request, request.Host != "" && request.ContentLength >= 0
}

// heed does as a header says, unless it asks for more than an answer.
func heed(request *http.Request, name, value string) bool {
	switch name {
	case "Host":
		if request.Host != "" || !isOf(&ofHosts, value) {
			return false
		}
		request.Host = value
	case "Content-Length":
		length, err := strconv.ParseUint(value, 10, 31)
		if err != nil || length > bodyMax || request.ContentLength >= 0 {
			return false
		}
		request.ContentLength = int64(length)
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "Te", "Pragma":
		return false
	}
	return true
}

const lettersAndDigits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// What may be in a header's name, and in an address as callers write it:
// https://www.rfc-editor.org/rfc/rfc9110#name-tokens.
var (
	ofTokens = among(lettersAndDigits + "!#$%&'*+-.^_`|~")
	ofHosts  = among(lettersAndDigits + ".-:[]")
)

// among is true at each of the bytes.
func among(bytes string) (set [256]bool) {
	for i := range len(bytes) {
		set[bytes[i]] = true
	}
	return set
}

// isOf says whether text is not empty, and each of its bytes in the set.
func isOf(set *[256]bool, text string) bool {
	for i := range len(text) {
		if !set[text[i]] {
			return false
		}
	}
	return text != ""
}

// isText says whether text may be a header's value.
func isText(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
