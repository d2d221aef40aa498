package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// A Protocol is a way to put operations into HTTP.
type Protocol int

// JSON10 and JSON11 name the operation in the X-Amz-Target header; Query and
// EC2Query in the form field Action, and answer in XML; CBOR in the path. REST
// stands for services that route by method and path themselves.
const (
	JSON10 Protocol = iota
	JSON11
	Query
	EC2Query
	CBOR
	REST
)

func (p Protocol) contentType() string {
	switch p {
	case JSON11:
		return "application/x-amz-json-1.1"
	case Query, EC2Query:
		return "text/xml"
	case CBOR:
		return "application/cbor"
	case REST:
		return "application/json"
	}
	return "application/x-amz-json-1.0"
}

// ofForms is the protocol of a form that is sent to a service of protocol p.
func (p Protocol) ofForms() Protocol {
	if p == EC2Query {
		return EC2Query
	}
	return Query
}

// A Service is an endpoint made of operations. It answers a request in the
// protocol that it came in, so that one service may serve clients of several.
type Service struct {
	Name       string // for messages: "ECS"
	Target     string // the prefix of X-Amz-Target, and the service in a CBOR path
	Version    string // of the Query API
	Namespace  string // of Query answers
	Protocol   Protocol
	Operations map[string]Operation
	Routes     []Route // of a service whose protocol is REST
}

// An Operation answers one request. What it returns is encoded as the protocol
// has it; nil is an empty answer.
type Operation func(ctx context.Context, body *Body) (any, error)

// Op makes an Operation of a function on structs. Their fields carry the member
// names of AWS's model in json tags. Lists, maps and Times follow the protocol;
// an item tag names the items of a list in XML that the protocol does not.
func Op[In, Out any](fn func(context.Context, *In) (*Out, error)) Operation {
	return func(ctx context.Context, body *Body) (any, error) {
		in := new(In)
		if err := body.Decode(in); err != nil {
			return nil, err
		}
		exchange(ctx).Input = in
		out, err := fn(ctx, in)
		if err != nil {
			return nil, err
		}
		exchange(ctx).Output = out
		return out, nil
	}
}

// self finds the Service also in a struct that embeds it.
func (s *Service) self() *Service { return s }

// Serves tells whether the service is the one that X-Amz-Target or a CBOR path
// names so.
func (s *Service) Serves(target string) bool { return s.Target != "" && s.Target == target }

// ServeHTTP runs the operation that the request names.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	op, ok := s.Operations[x.Operation]
	if !ok {
		Fail(w, r, s.unknown(x))
		return
	}
	out, err := op(r.Context(), x.body)
	if err != nil {
		Fail(w, r, err)
		return
	}
	body, err := encode(x, out)
	if err != nil {
		Fail(w, r, fmt.Errorf("encoding the answer of %s %s: %w", s.Name, x.Operation, err))
		return
	}
	header := w.Header()
	header.Set("X-Amzn-Requestid", x.RequestID)
	header.Set("Content-Type", x.protocol.contentType())
	if x.protocol == CBOR {
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	if kept, ok := w.(*recorder); ok {
		kept.keep(body)
		return
	}
	w.WriteHeader(http.StatusOK)
	w.Write(body)
}

// unknown names the operation: it may well exist on AWS, and who meets the
// error must not search for it in their own code.
func (s *Service) unknown(x *Exchange) *Error {
	if x.protocol == Query || x.protocol == EC2Query {
		return Errorf("InvalidAction", "The action %s is not valid for this web service: "+
			"the embedded AWS does not have %s %s.", x.Operation, s.Name, x.Operation)
	}
	return Errorf("UnknownOperationException", "the embedded AWS does not have %s %s", s.Name, x.Operation)
}

func encode(x *Exchange, out any) ([]byte, error) {
	switch x.protocol {
	case Query, EC2Query:
		return encodeXML(x, out)
	case CBOR:
		if out == nil {
			out = struct{}{}
		}
		return cborEncoding.Marshal(out)
	}
	if out == nil {
		return []byte("{}"), nil
	}
	if raw, ok := out.(json.RawMessage); ok {
		return raw, nil
	}
	return json.Marshal(out)
}
