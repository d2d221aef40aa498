package port

import (
	"bufio"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// What is taken for a plain call, net/http reads alike.
func FuzzParse(f *testing.F) {
	for _, more := range []string{"", "X-Amz-Target: A.B\r\nauthorization: AWS4 a=b, c=d", "Connection: keep-alive", "X-A: 1\r\nx-a: 2",
		"Pragma: no-cache", "Expect: 100-continue", "X-A: \xff", "X-A:", ": a", "X-A : b", " X-A: b", "Content-Length: 2"} {
		f.Add("POST / HTTP/1.1\r\nHost: a:1\r\nContent-Length: 2\r\n" + more)
	}
	f.Add("POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 00002")
	f.Add("GET / HTTP/1.1\r\nHost: a")
	f.Fuzz(func(t *testing.T, head string) {
		if strings.Contains(head, "\r\n\r\n") {
			return // it ends there
		}
		got, ok := parse(head)
		if !ok {
			return
		}
		want, err := http.ReadRequest(bufio.NewReaderSize(strings.NewReader(head+"\r\n\r\n"), len(head)+16))
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", head, err)
		}
		if want.Method != got.Method || want.URL.String() != got.URL.String() || want.Host != got.Host || want.Proto != got.Proto ||
			want.ContentLength != got.ContentLength || want.Close || len(want.TransferEncoding) > 0 || len(want.Trailer) > 0 {
			t.Errorf("%q is read as %+v, and by net/http as %+v", head, got, want)
		}
		if !maps.EqualFunc(got.Header, want.Header, slices.Equal[[]string]) {
			t.Errorf("%q has the headers %v, and by net/http %v", head, got.Header, want.Header)
		}
	})
}
