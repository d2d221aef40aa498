// Package fault says what kind of error an error is, where a kind is what the
// caller does next: correct the input, look elsewhere, reload, back off,
// compensate, or report a bug.
//
// It knows the error codes of AWS (aws.go) and how Step Functions names errors
// (boundary.go). It must never know which operation of Portolan failed, or
// decide whether something is retried.
package fault
