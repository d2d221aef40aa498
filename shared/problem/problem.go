// Package problem turns errors into problem documents (RFC 9457), as the API
// answers them.
//
// It must never tell a caller what is inside: an Internal error's text is for the
// log, and the document names the request by which it is found there.
package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/fault"
)

// MediaType is the media type of a problem document.
const MediaType = "application/problem+json"

// Type is what kind of problem it is. It ends the URI that is the document's type.
type Type string

const (
	Malformed            Type = "malformed" // a request that cannot be read
	Invalid              Type = "invalid"   // one that can, and asks for what is not possible
	Forbidden            Type = "forbidden"
	NotFound             Type = "not-found"
	MethodNotAllowed     Type = "method-not-allowed"
	Conflict             Type = "conflict"
	TooLarge             Type = "too-large"
	UnsupportedMediaType Type = "unsupported-media-type"
	Unavailable          Type = "unavailable"
	Internal             Type = "internal"
)

// base begins the URI of each type.
const base = "https://portolan.dev/problems/"

type kind struct {
	status int
	title  string
}

var kinds = map[Type]kind{
	Malformed:            {http.StatusBadRequest, "The request cannot be read"},
	Invalid:              {http.StatusUnprocessableEntity, "The request asks for what is not possible"},
	Forbidden:            {http.StatusForbidden, "The caller is not known"},
	NotFound:             {http.StatusNotFound, "What was named does not exist"},
	MethodNotAllowed:     {http.StatusMethodNotAllowed, "The method is not possible here"},
	Conflict:             {http.StatusConflict, "What is there does not allow the change now"},
	TooLarge:             {http.StatusRequestEntityTooLarge, "The request is too large"},
	UnsupportedMediaType: {http.StatusUnsupportedMediaType, "The media type is not understood"},
	Unavailable:          {http.StatusServiceUnavailable, "Try again later"},
	Internal:             {http.StatusInternalServerError, "Something is wrong with Portolan itself"},
}

// Error is an error that is a problem of a type, where the kinds of fault do not
// say enough.
type Error struct {
	Type   Type
	Detail string
	Fields []fault.Field
}

// Error is the detail and each field's problem.
func (e *Error) Error() string {
	parts := make([]string, 0, 1+len(e.Fields))
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	for _, f := range e.Fields {
		parts = append(parts, strings.TrimSpace(f.Pointer+" "+f.Detail))
	}
	return strings.Join(parts, "; ")
}

// New returns a problem without fields.
func New(t Type, format string, args ...any) error {
	return &Error{Type: t, Detail: fmt.Sprintf(format, args...)}
}

// Of blames fields, or returns nil when there are none.
func Of(t Type, fields []fault.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &Error{Type: t, Fields: fields}
}

// Document is the problem document of an error, about that request.
func Document(err error, request string) contract.Problem {
	e := describe(err)
	k := kinds[e.Type]
	document := contract.Problem{
		Type: base + string(e.Type), Title: k.title, Status: k.status,
		Detail: detail(e), Instance: request,
	}
	for _, f := range e.Fields {
		document.Errors = append(document.Errors, contract.FieldError{Pointer: f.Pointer, Detail: f.Detail})
	}
	return document
}

// detail tells the only field's problem, or how many there are.
func detail(e *Error) string {
	switch {
	case e.Detail != "" || len(e.Fields) == 0:
		return e.Detail
	case len(e.Fields) > 1:
		return fmt.Sprintf("%d fields are wrong", len(e.Fields))
	case e.Fields[0].Pointer == "":
		return "the body " + e.Fields[0].Detail
	}
	return e.Fields[0].Pointer + " " + e.Fields[0].Detail
}

// Marshal returns the document as JSON.
func Marshal(d contract.Problem) []byte {
	text, err := json.Marshal(d)
	if err != nil {
		// Text and numbers only: it always has a JSON.
		panic(err)
	}
	return text
}
