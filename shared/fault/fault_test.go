package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

func TestKindOf(t *testing.T) {
	inner := New(NotFound, "no service %q", "web")
	tests := []struct {
		name string
		err  error
		want Kind
	}{
		{"nil", nil, ""},
		{"plain", errors.New("oops"), Internal},
		{"new", inner, NotFound},
		{"wrapped by fmt", fmt.Errorf("scaling: %w", inner), NotFound},
		{"outermost wins", Wrap(Halted, inner, "scaling"), Halted},
		{"deadline", fmt.Errorf("waiting: %w", context.DeadlineExceeded), Unavailable},
		{"joined", errors.Join(errors.New("x"), New(Conflict, "taken")), Conflict},
	}
	for _, test := range tests {
		if got := KindOf(test.err); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if Wrap(Invalid, nil, "x") != nil || FromAWS(nil, "x") != nil || Named(nil) != nil {
		t.Error("nil did not stay nil")
	}
	if IgnoreNotFound(inner) != nil || IgnoreNotFound(New(Conflict, "x")) == nil {
		t.Error("IgnoreNotFound ignores something else")
	}
}

func TestFieldsAreInTheText(t *testing.T) {
	fields := []Field{{"/cpu", "is too small"}, {"/memory", "is missing"}}
	err := fmt.Errorf("putting web: %w", NewInvalid(fields, "the description is wrong"))
	if got := FieldsOf(err); !reflect.DeepEqual(got, fields) {
		t.Errorf("got fields %v", got)
	}
	want := "putting web: the description is wrong: /cpu is too small; /memory is missing"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestFromAWS(t *testing.T) {
	api := func(code, message string) error {
		return &smithy.GenericAPIError{Code: code, Message: message}
	}
	status := func(code int, err error) error {
		response := &smithyhttp.Response{Response: &http.Response{StatusCode: code}}
		return &smithyhttp.ResponseError{Response: response, Err: err}
	}
	tests := []struct {
		name string
		err  error
		want Kind
	}{
		{"throttled", api("ThrottlingException", "Rate exceeded"), Unavailable},
		{"condition", api("ConditionalCheckFailedException", ""), Conflict},
		{"transaction is the store's", api("TransactionCanceledException", ""), Internal},
		{"token is gone", api("TaskTimedOut", ""), NotFound},
		{"execution exists", api("ExecutionAlreadyExists", ""), Conflict},
		{"stack is gone", api("ValidationError", "Stack with id x does not exist"), NotFound},
		{"bad template", api("ValidationError", "Template format error"), Invalid},
		{"no task definition", api("ClientException", "Unable to describe task definition."), NotFound},
		{"service exists", api("InvalidParameterException", "Creation of service was not idempotent."), Conflict},
		{"bad parameter", api("InvalidParameterException", "Invalid CPU"), Invalid},
		{"not permitted", api("AccessDeniedException", ""), Internal},
		{"unknown code of a 503", status(503, api("Whatever", "")), Unavailable},
		{"unknown code of a 400", status(400, api("Whatever", "")), Internal},
		{"server's fault", &smithy.GenericAPIError{Code: "X", Fault: smithy.FaultServer}, Unavailable},
		{"no answer", &smithyhttp.RequestSendError{Err: errors.New("refused")}, Unavailable},
		{"no answer, in a response", status(0, &smithyhttp.RequestSendError{}), Unavailable},
		{"time-out", fmt.Errorf("calling: %w", context.DeadlineExceeded), Unavailable},
		{"has a kind", New(Halted, "lease lost"), Halted},
	}
	for _, test := range tests {
		wrapped := &smithy.OperationError{ServiceID: "X", OperationName: "Y", Err: test.err}
		err := FromAWS(wrapped, "doing it")
		if got := KindOf(err); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if !errors.Is(err, test.err) {
			t.Errorf("%s: the cause is lost", test.name)
		}
	}
}

func TestEachCodeHasOneKind(t *testing.T) {
	count := 0
	for _, kind := range Kinds() {
		for _, k := range codes {
			if k == kind {
				count++
			}
		}
	}
	if count != len(codes) || len(codes) < 100 {
		t.Errorf("%d of %d codes have a known kind", count, len(codes))
	}
}

func TestBoundaryNamesTheKind(t *testing.T) {
	for _, kind := range Kinds() {
		handle := Boundary(func(context.Context, string) (int, error) {
			return 0, fmt.Errorf("outer: %w", New(kind, "inner"))
		})
		_, err := handle(t.Context(), "")
		// The runtime looks for the value, not for a pointer or something in a chain.
		named, ok := err.(messages.InvokeResponse_Error)
		if !ok || named.Type != string(kind) || named.Message != "outer: inner" {
			t.Errorf("%s arrives as %#v", kind, err)
		}
	}
	handle := Boundary(func(context.Context, string) (int, error) { return 7, nil })
	if out, err := handle(t.Context(), ""); out != 7 || err != nil {
		t.Errorf("got %d, %v", out, err)
	}
}
