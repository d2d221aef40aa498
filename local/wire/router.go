package wire

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// MaxBody is the size of the largest request, uncompressed; the largest that AWS
// takes is DynamoDB's 16 MiB batch.
const MaxBody = 16 << 20

// A Router is all services behind one handler. It picks the service by the
// signing name in the request's credential scope, and where that is missing or
// shared by several services, by X-Amz-Target's prefix.
type Router struct {
	// NewRequestID makes the ids of requests; random UUIDs unless it is replaced
	// before the first request.
	NewRequestID func() string

	accounts   Resolver
	mu         sync.RWMutex
	services   []registration
	middleware []func(http.Handler) http.Handler
}

type registration struct {
	signingName string
	handler     http.Handler
	wrapped     http.Handler // handler with the middleware around it
}

// NewRouter returns a Router without services, whose callers are who accounts
// says they are.
func NewRouter(accounts Resolver) *Router {
	return &Router{accounts: accounts, NewRequestID: uuid.NewString}
}

// Register makes h answer for the signing name. Several handlers may share one
// name if they are *Service with different targets, or serve targets as that
// does. A handler that routes by path itself may implement
// OperationOf(*http.Request) string, to tell middleware what is called.
func (r *Router) Register(signingName string, h http.Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.services = append(r.services, registration{signingName, h, r.wrap(h)})
}

// Use puts middleware around all services; the last is the outermost. It runs
// when caller, service and operation are known.
func (r *Router) Use(middleware func(http.Handler) http.Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.middleware = append(r.middleware, middleware)
	for i := range r.services {
		r.services[i].wrapped = middleware(r.services[i].wrapped)
	}
}

// ServeHTTP answers a request in the name of the service that it is for.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	x := &Exchange{RequestID: r.NewRequestID(), Path: req.URL.Path, protocol: protocolOf(req)}
	ctx := &carrier{Context: req.Context(), exchange: x}
	req = req.WithContext(ctx)
	accessKey, region, signingName := credentialScope(req)
	target, operation := targetOf(req)
	service, ok := r.find(signingName, target)
	if !ok {
		x.Service = signingName
		Fail(w, req, noService(signingName, target))
		return
	}
	x.Service, x.Operation = service.signingName, operation
	if s, ok := service.handler.(interface{ self() *Service }); ok {
		x.namespace = s.self().Namespace
		if x.protocol == Query {
			x.protocol = s.self().Protocol.ofForms()
		}
	}
	id, err := r.accounts.Resolve(ctx, accessKey)
	if err == nil {
		err = readBody(req, x)
	}
	if s, ok := service.handler.(interface{ self() *Service }); ok && err == nil && s.self().Protocol == REST {
		err = s.self().routed(req, x)
	}
	if err != nil {
		Fail(w, req, err)
		return
	}
	if named, ok := service.handler.(interface{ OperationOf(*http.Request) string }); ok {
		x.Operation = named.OperationOf(req)
		if err = readAhead(req, x); err != nil {
			Fail(w, req, err)
			return
		}
	}
	if id.Region == "" || region != "" {
		id.Region = region
	}
	ctx.caller = &id
	service.wrapped.ServeHTTP(w, req)
}

// readAhead reads the body of a request in REST for who has to see it before a service
// that routes by itself.
func readAhead(req *http.Request, x *Exchange) error {
	if x.protocol != REST {
		return nil
	}
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return Errorf("SerializationException", "reading the request: %v", err)
	}
	x.body.raw, req.Body = raw, newReplay(raw)
	return nil
}

func (r *Router) wrap(h http.Handler) http.Handler {
	for _, middleware := range r.middleware {
		h = middleware(h)
	}
	return h
}

// find prefers a service whose target matches: DynamoDB and its streams, for
// one, are signed alike.
func (r *Router) find(signingName, target string) (registration, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var found registration
	for _, s := range r.services {
		if signingName != "" && s.signingName != signingName {
			continue
		}
		server, ok := s.handler.(interface{ Serves(target string) bool })
		if ok && target != "" && server.Serves(target) {
			return s, true
		}
		if found.handler == nil && signingName != "" {
			found = s
		}
	}
	return found, found.handler != nil
}

func noService(signingName, target string) *Error {
	switch {
	case signingName != "":
		return Errorf("UnknownServiceException", "the embedded AWS does not have the service %s", signingName)
	case target != "":
		return Errorf("UnknownServiceException", "the embedded AWS does not have the service of target %s", target)
	}
	return &Error{Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token",
		Status: http.StatusForbidden}
}

func protocolOf(req *http.Request) Protocol {
	contentType := req.Header.Get("Content-Type")
	switch {
	case req.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		return CBOR
	case strings.HasPrefix(contentType, "application/x-amz-json-1.1"):
		return JSON11
	case strings.HasPrefix(contentType, "application/x-amz-json-1.0"):
		return JSON10
	case strings.HasPrefix(contentType, "application/x-www-form-urlencoded"),
		req.URL.RawQuery != "" && req.URL.Query().Has("Action"):
		return Query
	}
	return REST
}

// credentialScope reads AKID/20260102/us-east-1/ecs/aws4_request from the
// Authorization header, or from the query of a presigned URL.
func credentialScope(req *http.Request) (accessKey, region, signingName string) {
	credential := ""
	if req.URL.RawQuery != "" {
		credential = req.URL.Query().Get("X-Amz-Credential")
	}
	if _, rest, ok := strings.Cut(req.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(rest, ",")
	}
	parts := strings.Split(credential, "/")
	if len(parts) != 5 {
		return "", "", ""
	}
	return parts[0], parts[2], parts[3]
}

// targetOf is the service and the operation that the header or the CBOR path
// names; a Query request names its operation in the body.
func targetOf(req *http.Request) (service, operation string) {
	if target := req.Header.Get("X-Amz-Target"); target != "" {
		dot := strings.LastIndexByte(target, '.')
		if dot < 0 {
			return "", target
		}
		return target[:dot], target[dot+1:]
	}
	steps := strings.Split(req.URL.Path, "/")
	if n := len(steps); n >= 4 && steps[n-4] == "service" && steps[n-2] == "operation" {
		return steps[n-3], steps[n-1]
	}
	return "", ""
}

// readBody reads all protocols' bodies but REST's, which its service or its routes read
// as a stream of at most MaxBody.
func readBody(req *http.Request, x *Exchange) error {
	x.body = &Body{protocol: x.protocol, form: &node{}}
	if req.Body == nil {
		req.Body = http.NoBody
	}
	req.Body = http.MaxBytesReader(nil, req.Body, MaxBody)
	if x.protocol == REST {
		return nil
	}
	var source io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(req.Body)
		if err != nil {
			return Errorf("SerializationException", "the body is not gzip: %v", err)
		}
		source = http.MaxBytesReader(nil, unzipped, MaxBody)
		req.ContentLength = -1
		req.Header = req.Header.Clone()
		req.Header.Del("Content-Encoding")
	}
	raw, err := readAll(source, req.ContentLength)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &Error{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("the request is larger than %d bytes", MaxBody)}
	}
	if err != nil {
		return Errorf("SerializationException", "reading the request: %v", err)
	}
	x.body.raw = raw
	req.Body = newReplay(raw)
	if x.protocol != Query && x.protocol != EC2Query {
		return nil
	}
	form := string(raw)
	if req.URL.Query().Has("Action") {
		form = req.URL.RawQuery
	}
	if x.body.form, err = parseForm(form); err != nil {
		return Errorf("MalformedQueryString", "%v", err)
	}
	x.Operation = x.body.form.child("Action").value
	if x.Operation == "" {
		return Errorf("MissingAction", "the request has no parameter Action")
	}
	return nil
}

// readAll reads everything, and at once where a length was told that may well be true.
func readAll(source io.Reader, told int64) ([]byte, error) {
	if told < 0 || told > 1<<20 {
		return io.ReadAll(source)
	}
	raw := make([]byte, told)
	_, err := io.ReadFull(source, raw)
	return raw, err
}
