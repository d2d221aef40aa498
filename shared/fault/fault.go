package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind is what the caller of a failed function does next. Its text is also the
// error name that the state machines' Retry and Catch match.
type Kind string

const (
	// Invalid input is never retried: the same input fails again.
	Invalid Kind = "Invalid"

	// NotFound means that what was named does not exist, or exists no more.
	NotFound Kind = "NotFound"

	// Conflict means that somebody else was faster, or that the name is taken:
	// reload, and decide again.
	Conflict Kind = "Conflict"

	// Unavailable covers throttling, time-outs, missing capacity and quotas: back
	// off and try again. Whether the call took effect is not known.
	Unavailable Kind = "Unavailable"

	// Halted means stopped on purpose, such as by a lost lease or a passed
	// deadline: compensate.
	Halted Kind = "Halted"

	// Internal is everything else: a bug, or a permission that is missing.
	Internal Kind = "Internal"
)

// Kinds returns all kinds, in the order in which they are declared.
func Kinds() []Kind {
	return []Kind{Invalid, NotFound, Conflict, Unavailable, Halted, Internal}
}

// Field is one problem with one field of the input. Pointer is a JSON pointer
// (RFC 6901) into the input, and Detail says what would be right.
type Field struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Error is an error of a kind. The zero Fields mean that no field is to blame.
type Error struct {
	Kind   Kind
	Doing  string
	Fields []Field
	Cause  error
}

// Error is the text of what was being done, the cause, and each field's problem.
func (e *Error) Error() string {
	parts := make([]string, 0, 2+len(e.Fields))
	if e.Doing != "" {
		parts = append(parts, e.Doing)
	}
	if e.Cause != nil {
		parts = append(parts, e.Cause.Error())
	}
	text := strings.Join(parts, ": ")
	for i, f := range e.Fields {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		text += separator + f.Pointer + " " + f.Detail
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error of that kind. The format takes %w as fmt.Errorf does.
func New(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Cause: fmt.Errorf(format, args...)}
}

// NewInvalid returns an Invalid error that blames those fields.
func NewInvalid(fields []Field, format string, args ...any) error {
	return &Error{Kind: Invalid, Doing: fmt.Sprintf(format, args...), Fields: fields}
}

// Wrap gives err a kind, whatever kind it had, and says what was being done. A
// nil err stays nil.
func Wrap(kind Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Doing: fmt.Sprintf(format, args...), Cause: err}
}

// KindOf returns the kind that the outermost *Error in err's chain gives it, and
// Internal when there is none. An expired or cancelled context is Unavailable.
// The kind of nil is the empty string.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Unavailable
	}
	return Internal
}

// FieldsOf returns the fields that err blames, of all the *Errors in its chain.
func FieldsOf(err error) []Field {
	var fields []Field
	for {
		var e *Error
		if !errors.As(err, &e) {
			return fields
		}
		fields = append(fields, e.Fields...)
		err = e.Cause
	}
}

// IsInvalid says whether KindOf(err) is Invalid.
func IsInvalid(err error) bool { return KindOf(err) == Invalid }

// IsNotFound says whether KindOf(err) is NotFound.
func IsNotFound(err error) bool { return KindOf(err) == NotFound }

// IsConflict says whether KindOf(err) is Conflict.
func IsConflict(err error) bool { return KindOf(err) == Conflict }

// IsUnavailable says whether KindOf(err) is Unavailable.
func IsUnavailable(err error) bool { return KindOf(err) == Unavailable }

// IsHalted says whether KindOf(err) is Halted.
func IsHalted(err error) bool { return KindOf(err) == Halted }

// IgnoreNotFound returns nil for a NotFound error, and err otherwise. It makes a
// delete idempotent.
func IgnoreNotFound(err error) error {
	if IsNotFound(err) {
		return nil
	}
	return err
}

// IgnoreConflict returns nil for a Conflict error, and err otherwise. It makes a
// create of something with a stable name idempotent.
func IgnoreConflict(err error) error {
	if IsConflict(err) {
		return nil
	}
	return err
}
