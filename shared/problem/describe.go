package problem

import (
	"errors"

	"github.com/aws/smithy-go"

	"portolan/shared/fault"
)

// internal is all that a caller is told of a bug.
const internal = "the request failed; its id leads to the reason in the log"

// describe finds out which problem an error is. What AWS said of a failure stays
// inside: only what was decided about the caller's wish is told.
func describe(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	kind, fields := fault.KindOf(err), fault.FieldsOf(err)
	var aws smithy.APIError
	if errors.As(err, &aws) && kind != fault.Unavailable {
		return &Error{Type: Internal, Detail: internal} // such as a table that is not there
	}
	switch kind {
	case fault.Invalid:
		if len(fields) > 0 {
			return &Error{Type: Invalid, Fields: fields}
		}
	case fault.NotFound:
		return &Error{Type: NotFound, Detail: err.Error()}
	case fault.Conflict:
		return &Error{Type: Conflict, Detail: err.Error()}
	case fault.Unavailable:
		return &Error{Type: Unavailable, Detail: "the control plane's table did not answer in time; try again"}
	}
	return &Error{Type: Internal, Detail: internal}
}
