package simulate

import (
	"io/fs"
	"net/http"

	"github.com/aws/aws-lambda-go/lambda"
)

// A Bug is something wrong on purpose, to show that the promises' checkers find
// it. Each of its parts may be missing.
type Bug struct {
	// Client changes what a function's SDK clients send and receive.
	Client func(function string, send Send) Send

	// Kubernetes changes what functions send to clusters' API servers.
	Kubernetes func(send Send) Send

	// Handler changes what a function does.
	Handler func(function string, h lambda.Handler) lambda.Handler

	// Files changes what is deployed.
	Files func(fs.FS) fs.FS
}

// A Send sends a request to AWS or to an API server. It implements aws.HTTPClient and
// http.RoundTripper.
type Send func(*http.Request) (*http.Response, error)

// Do implements aws.HTTPClient.
func (s Send) Do(r *http.Request) (*http.Response, error) { return s(r) }

// RoundTrip implements http.RoundTripper.
func (s Send) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }
