// Package lambda answers those calls of AWS Lambda's API with which a person looks
// at the functions of the control plane and invokes one by hand, and makes
// asynchronous invocations as Lambda does.
//
// It must never know how functions are run, or what they do.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"portolan/local/states"
)

// Config is what a server is made of.
type Config struct {
	// Functions are the ARNs of the functions, in the order in which they are listed.
	Functions []string

	// Invoke runs a function by its ARN and waits for its answer. A function that
	// fails is a *states.FunctionError.
	Invoke func(ctx context.Context, arn string, payload []byte) ([]byte, error)

	// InvokeLater takes an event as an asynchronous invocation.
	InvokeLater func(arn string, payload []byte) error
}

// A Server answers under the signing name lambda.
type Server struct{ config Config }

// New returns a server.
func New(config Config) *Server { return &Server{config} }

const (
	base = "/2015-03-31/functions/"

	// payloadMax is Lambda's limit for a synchronous invocation.
	payloadMax = 6 << 20
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath()+"/", base)
	name, action, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
	function, err := url.PathUnescape(name)
	switch {
	case !ok || err != nil:
		s.unknown(w, r)
	case function == "" && r.Method == http.MethodGet:
		s.list(w)
	case action == "" && r.Method == http.MethodGet:
		s.with(w, function, func(arn string) {
			answer(w, http.StatusOK, map[string]any{"Configuration": configuration(arn)})
		})
	case action == "invocations" && r.Method == http.MethodPost:
		s.with(w, function, func(arn string) { s.invoke(w, r, arn) })
	default:
		s.unknown(w, r)
	}
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	fail(w, http.StatusNotImplemented, "UnknownOperationException",
		"Lambda's "+r.Method+" "+r.URL.Path+" is not in the embedded AWS")
}

// with finds a function by its name or ARN.
func (s *Server) with(w http.ResponseWriter, function string, do func(arn string)) {
	for _, arn := range s.config.Functions {
		if arn == function || nameOf(arn) == function {
			do(arn)
			return
		}
	}
	fail(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+function)
}

func nameOf(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }

func configuration(arn string) map[string]any {
	return map[string]any{"FunctionName": nameOf(arn), "FunctionArn": arn, "Runtime": "provided.al2023",
		"State": "Active", "Version": "$LATEST", "PackageType": "Zip", "Architectures": []string{"arm64"}}
}

func (s *Server) list(w http.ResponseWriter) {
	all := []map[string]any{}
	for _, arn := range s.config.Functions {
		all = append(all, configuration(arn))
	}
	answer(w, http.StatusOK, map[string]any{"Functions": all})
}

func (s *Server) invoke(w http.ResponseWriter, r *http.Request, arn string) {
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, payloadMax))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException",
			fmt.Sprintf("%v byte payload is too large for the RequestResponse invocation type", payloadMax))
		return
	}
	if len(payload) > 0 && !json.Valid(payload) {
		fail(w, http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json")
		return
	}
	switch r.Header.Get("X-Amz-Invocation-Type") {
	case "Event":
		if err := s.config.InvokeLater(arn, payload); err != nil {
			fail(w, http.StatusInternalServerError, "ServiceException", err.Error())
			return
		}
		w.WriteHeader(http.StatusAccepted)
		return
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out, err := s.config.Invoke(r.Context(), arn, payload)
	var failed *states.FunctionError
	if errors.As(err, &failed) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		out, err = failed.Payload, nil
	}
	if err != nil {
		fail(w, http.StatusInternalServerError, "ServiceException", err.Error())
		return
	}
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out)
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		fail(w, http.StatusInternalServerError, "ServiceException", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	answer(w, status, map[string]string{"Type": "User", "Message": message})
}
