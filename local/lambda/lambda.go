// Package lambda answers those calls of AWS Lambda's API with which a person looks
// at the functions of the control plane and invokes one by hand, and with which stacks
// make functions; and it makes asynchronous invocations as Lambda does.
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
	"sync"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/records"
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

	// Code is what runs of a function that somebody made; nil runs none.
	Code func(Function) (Code, error)

	// Clock, Disk, Account and Region are needed for making functions.
	Clock           *clock.Clock
	Disk            *disk.Disk
	Account, Region string
}

// A Server answers under the signing name lambda.
type Server struct {
	config Config

	mu      sync.Mutex
	made    *records.Of[Function]
	running map[string]Code // by name
}

// New returns a server with the functions on disk.
func New(config Config) (*Server, error) {
	s := &Server{config: config, running: map[string]Code{}}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("loading functions: %w", err)
	}
	return s, nil
}

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
	case function == "" && r.Method == http.MethodPost:
		s.create(w, r)
	case action == "" && r.Method == http.MethodDelete:
		s.remove(w, function)
	case action == "" && r.Method == http.MethodGet:
		s.with(w, function, func(arn string) {
			shown := configuration(arn)
			if f, ok := s.find(arn); ok {
				shown = s.configurationOf(f)
			}
			answer(w, http.StatusOK, map[string]any{"Configuration": shown})
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
	if f, ok := s.find(function); ok {
		do(f.ARN)
		return
	}
	fail(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+function)
}

// OperationOf names what is called, for whoever decides whether it may be.
func (s *Server) OperationOf(r *http.Request) string {
	rest, _ := strings.CutPrefix(r.URL.EscapedPath()+"/", base)
	name, action, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
	switch {
	case action == "invocations":
		return "Invoke"
	case name == "" && r.Method == http.MethodPost:
		return "CreateFunction"
	case name == "":
		return "ListFunctions"
	case r.Method == http.MethodDelete:
		return "DeleteFunction"
	}
	return "GetFunction"
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
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.made.All() {
		all = append(all, s.configurationOf(f))
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
	out, err := s.call(r.Context(), arn, payload)
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

// call runs a function of the control plane, or one that somebody made.
func (s *Server) call(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	if f, ok := s.find(arn); ok {
		return s.run(ctx, f, payload)
	}
	return s.config.Invoke(ctx, arn, payload)
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
