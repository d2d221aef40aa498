package wire

import "context"

// An Identity is who calls: what STS GetCallerIdentity answers, and where.
type Identity struct {
	Account   string
	Region    string // of the request's credential scope
	AccessKey string
	ARN       string // of a user, or of a role's session
	UserID    string
	// Service is set instead of AccessKey when a service of AWS calls on its
	// own account, such as ecs-tasks.amazonaws.com.
	Service string
}

// A Resolver knows access keys. The key is empty when the request is unsigned.
// Its error should be an *Error in AWS's words, such as
// UnrecognizedClientException; any other becomes an InternalFailure.
type Resolver interface {
	Resolve(ctx context.Context, accessKey string) (Identity, error)
}

// ResolverFunc is a Resolver made of a function.
type ResolverFunc func(ctx context.Context, accessKey string) (Identity, error)

// Resolve calls f.
func (f ResolverFunc) Resolve(ctx context.Context, accessKey string) (Identity, error) {
	return f(ctx, accessKey)
}

// Caller is who made the request that ctx belongs to, or the zero Identity
// where ctx belongs to none.
func Caller(ctx context.Context) Identity {
	if id, ok := ctx.Value(callerKey{}).(*Identity); ok {
		return *id
	}
	return Identity{}
}

// WithCaller returns a context in which Caller answers id. Services use it to
// call one another in process under an identity of their own.
func WithCaller(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, callerKey{}, &id)
}
