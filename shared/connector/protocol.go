package connector

import "net/http"

// BodyMax is how many bytes the body of a request or of an answer may have on its way:
// in JSON they become a third more, and Lambda takes 6 MB.
const BodyMax = 4 << 20

// A Request is what the function is asked to send. There is no way to ask for a
// connection whose certificate nobody checks.
type Request struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`

	Trust
}

// Trust is by what the two ends of a connection know each other, all in PEM.
type Trust struct {
	// CertificateAuthority is what the host's certificate is checked with; the
	// public authorities when it is empty.
	CertificateAuthority []byte `json:"certificateAuthority,omitempty"`

	// ServerName is in the host's certificate, where that is not the URL's host.
	ServerName string `json:"serverName,omitempty"`

	// Certificate and Key are shown to a host that asks who calls.
	Certificate []byte `json:"certificate,omitempty"`
	Key         []byte `json:"key,omitempty"`
}

// A Response is what the host answered. Its body is as it came, compressed or not.
type Response struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
}
