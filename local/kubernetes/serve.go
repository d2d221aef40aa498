package kubernetes

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// An answer is what a request is answered with.
type answer struct {
	code   int
	body   []byte
	stream func(http.ResponseWriter) // in place of a body
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, err := s.authenticate(r)
	if err != nil {
		writeError(w, err)
		return
	}
	q := parse(r, user)
	if q == nil {
		s.serveOther(w, r, user)
		return
	}
	a, err := s.answer(w.Header(), q)
	code := a.code
	if err != nil {
		code = writeError(w, err)
	}
	if s.config.Audit != nil {
		s.config.Audit(user.Name, q.verb, q.path(), q.namespace, q.name, code)
	}
	switch {
	case err != nil:
	case a.stream != nil:
		a.stream(w)
	default:
		write(w, a.code, a.body)
	}
}

func (s *Server) answer(header http.Header, q *request) (answer, error) {
	if err := s.authorize(q); err != nil {
		return answer{}, err
	}
	if a, ok, err := s.review(q); ok || err != nil {
		return a, err
	}
	if a, ok := s.old(q); ok {
		return a, nil
	}
	if q.kind == nil || q.kind.Namespaced && q.namespace == "" && (q.name != "" || q.verb == "create") ||
		!q.kind.Namespaced && q.namespace != "" {
		return answer{}, unknown(q.Request)
	}
	if q.subresource != "" {
		return s.serveSubresource(q)
	}
	switch q.verb {
	case "get":
		return s.get(q)
	case "list":
		return s.list(q)
	case "watch":
		return s.watch(q)
	}
	if q.name == "" && (q.verb == "update" || q.verb == "patch") || q.name != "" && q.verb == "create" {
		return answer{}, notAllowed(q)
	}
	switch q.verb {
	case "create":
		return s.create(q)
	case "update":
		return s.update(q)
	case "patch":
		return s.patch(q)
	case "delete":
		return s.delete(header, q)
	case "deletecollection":
		return s.deleteAll(q)
	}
	return answer{}, notAllowed(q)
}

func (s *Server) serveSubresource(q *request) (answer, error) {
	switch {
	case q.subresource == "status" && q.kind.HasStatus:
		switch q.verb {
		case "get":
			return s.get(q)
		case "update":
			return s.update(q)
		case "patch":
			return s.patch(q)
		}
		return answer{}, notAllowed(q)
	case q.subresource == "scale" && q.kind.HasScale:
		return s.serveScale(q)
	case q.subresource == "eviction" && q.resource == "pods":
		if q.verb != "create" {
			return answer{}, notAllowed(q)
		}
		return s.evict(q)
	}
	return answer{}, unknown(q.Request)
}

func write(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// writeError answers with an error's Status, and returns its code.
func writeError(w http.ResponseWriter, err error) int {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		known = &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusInternalServerError, Message: err.Error()}}
	}
	status := known.Status()
	status.Kind, status.APIVersion, status.Status = "Status", "v1", metav1.StatusFailure
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", json.Number(itoa(int64(status.Details.RetryAfterSeconds))).String())
	}
	raw, err := json.Marshal(status)
	if err != nil {
		raw = nil // a Status can always be encoded
	}
	write(w, int(status.Code), raw)
	return int(status.Code)
}

// encode returns what is answered with an object whose kind is not the resource's.
func encode(o runtime.Object, gvk schema.GroupVersionKind) []byte {
	o = o.DeepCopyObject()
	o.GetObjectKind().SetGroupVersionKind(gvk)
	raw, err := json.Marshal(o)
	if err != nil {
		panic("encoding a " + gvk.Kind + ": " + err.Error())
	}
	return raw
}

// typed writes kind and apiVersion into an object's JSON.
func typed(raw []byte, gvk schema.GroupVersionKind) []byte {
	apiVersion, kind := gvk.ToAPIVersionAndKind()
	head := `{"kind":"` + kind + `","apiVersion":"` + apiVersion + `",`
	return append([]byte(head), raw[1:]...)
}

// accepts looks for a way to answer that the client accepts: as it is, as a table, or
// as metadata alone.
func accepts(q *request) (as string, err error) {
	header := q.Header.Get("Accept")
	if header == "" {
		return "", nil
	}
	for _, part := range strings.Split(header, ",") {
		parameters := strings.Split(part, ";")
		kind, version := "", ""
		for _, p := range parameters[1:] {
			switch name, value, _ := strings.Cut(strings.TrimSpace(p), "="); name {
			case "as":
				kind = value
			case "v":
				version = value
			}
		}
		switch media := strings.TrimSpace(parameters[0]); {
		case media != "application/json" && media != "*/*" && media != "application/*":
		case kind == "":
			return "", nil
		case version == "v1" && (kind == "Table" || kind == "PartialObjectMetadata" || kind == "PartialObjectMetadataList"):
			return strings.TrimSuffix(kind, "List"), nil
		}
	}
	return "", &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotAcceptable,
		Reason: metav1.StatusReasonNotAcceptable, Message: "only the following media types are accepted: application/json"}}
}
