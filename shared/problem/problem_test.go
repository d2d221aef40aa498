package problem

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/aws/smithy-go"

	"portolan/shared/contract"
	"portolan/shared/fault"
)

func TestDocument(t *testing.T) {
	const inside = "the request failed; its id leads to the reason in the log"
	secret := &smithy.GenericAPIError{Code: "ResourceNotFoundException", Message: "secret"}
	one := []fault.Field{{Pointer: "/size", Detail: "is too much"}}
	two := append(one, fault.Field{Pointer: "/name", Detail: "is missing"})
	for name, test := range map[string]struct {
		err    error
		kind   string
		status int
		detail string
		fields int
	}{
		"one field":          {Of(Invalid, one), "invalid", 422, "/size is too much", 1},
		"two fields":         {Of(Malformed, two), "malformed", 400, "2 fields are wrong", 2},
		"the whole body":     {Of(Invalid, []fault.Field{{Detail: "is no object"}}), "invalid", 422, "the body is no object", 1},
		"a problem, wrapped": {fmt.Errorf("reading: %w", New(TooLarge, "%d bytes", 3)), "too-large", 413, "3 bytes", 0},
		"a decision's field": {fault.NewInvalid(one, "scaling"), "invalid", 422, "/size is too much", 1},
		"not found":          {fault.New(fault.NotFound, "there is none"), "not-found", 404, "there is none", 0},
		"a conflict":         {fault.New(fault.Conflict, "it goes"), "conflict", 409, "it goes", 0},
		"throttled": {fault.Wrap(fault.Unavailable, secret, "reading"), "unavailable", 503,
			"the control plane's table did not answer in time; try again", 0},
		"what AWS did not find": {fault.FromAWS(secret, "reading"), "internal", 500, inside, 0},
		"invalid to AWS":        {fault.FromAWS(&smithy.GenericAPIError{Code: "ValidationException"}, "reading"), "internal", 500, inside, 0},
		"invalid, but not what": {fault.New(fault.Invalid, "secret"), "internal", 500, inside, 0},
		"halted":                {fault.New(fault.Halted, "secret"), "internal", 500, inside, 0},
		"a bug":                 {errors.New("secret"), "internal", 500, inside, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := Document(test.err, "request-1")
			want := contract.Problem{
				Type: "https://portolan.dev/problems/" + test.kind, Title: kinds[Type(test.kind)].title, Status: test.status,
				Detail: test.detail, Instance: "request-1", Errors: d.Errors,
			}
			if !reflect.DeepEqual(d, want) || len(d.Errors) != test.fields || d.Title == "" {
				t.Errorf("got  %+v\nwant %+v", d, want)
			}
		})
	}
}

func TestNothingIsBlamed(t *testing.T) {
	if err := Of(Invalid, nil); err != nil {
		t.Errorf("no field is wrong, and yet %v", err)
	}
}
