package cluster

import (
	"fmt"
	"net/http"
)

// An Error is what an engine answers in place of what was asked for.
type Error struct {
	Status  int // of HTTP
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Errorf returns an error that an engine finds itself.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

// The codes of gRPC that managers answer with, and the statuses that an engine passes
// them on with.
const (
	invalidArgument    = "InvalidArgument"
	notFound           = "NotFound"
	alreadyExists      = "AlreadyExists"
	failedPrecondition = "FailedPrecondition"
	unimplemented      = "Unimplemented"
	unavailable        = "Unavailable"
	unknown            = "Unknown"
)

var statusOf = map[string]int{
	invalidArgument: http.StatusBadRequest, notFound: http.StatusNotFound, alreadyExists: http.StatusConflict,
	failedPrecondition: http.StatusBadRequest, unimplemented: http.StatusNotImplemented,
	unavailable: http.StatusServiceUnavailable, unknown: http.StatusInternalServerError,
}

// rpc returns an error that a manager answers an engine with.
func rpc(code, format string, args ...any) *Error {
	return Errorf(statusOf[code], "rpc error: code = %s desc = %s", code, fmt.Sprintf(format, args...))
}

var errOutOfSequence = rpc(unknown, "update out of sequence")

// ErrNoLeader is what managers answer while no majority of them is there.
var ErrNoLeader = rpc(unknown, "The swarm does not have a leader. It's possible that too few managers are online. "+
	"Make sure more than half of the managers are online.")
