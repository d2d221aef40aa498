package wire

import (
	"context"
	"net/http"
)

// An Exchange is one request and what became of it. Middleware reads Input,
// Output and Err after the service has answered.
type Exchange struct {
	Service   string // the signing name that the service is registered under
	Operation string // empty where a service that is no *Service does not tell
	RequestID string
	Path      string // of the request's URL, unescaped
	Input     any    // what the operation decoded, a pointer; nil when it never ran
	Output    any    // what the operation returned
	Err       *Error

	protocol  Protocol
	namespace string
	body      *Body
}

// Body is the request's body as it came, for middleware that reads it before the
// service does; nil where the service reads a stream. It must not be changed.
func (x *Exchange) Body() []byte {
	if x.body == nil {
		return nil
	}
	return x.body.raw
}

// exchangeKey and callerKey find what a request's context carries.
type (
	exchangeKey struct{}
	callerKey   struct{}
)

// A carrier is the context of a request: one that carries both of them.
type carrier struct {
	context.Context
	exchange *Exchange
	caller   *Identity
}

// Value implements context.Context.
func (c *carrier) Value(key any) any {
	switch key.(type) {
	case exchangeKey:
		return c.exchange
	case callerKey:
		if c.caller != nil {
			return c.caller
		}
	}
	return c.Context.Value(key)
}

// ExchangeOf is the exchange that r belongs to. It is never nil: a request that
// did not come through a Router has an empty one.
func ExchangeOf(r *http.Request) *Exchange { return exchangeOf(r) }

func exchangeOf(r *http.Request) *Exchange { return exchange(r.Context()) }

func exchange(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{}
}

// OperationOf tells which operation of which service r calls. The service is
// its signing name, such as monitoring for CloudWatch.
func OperationOf(r *http.Request) (service, operation string) {
	x := exchangeOf(r)
	return x.Service, x.Operation
}

// RequestID is the id of the request that ctx belongs to, which AWS also answers
// in a header, or empty.
func RequestID(ctx context.Context) string { return exchange(ctx).RequestID }
