package fault

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

// Boundary wraps the handler of a Lambda function, so that the error that leaves
// it is named after its kind.
//
// The Lambda runtime names an error after the Go type of the outermost error in
// the chain, so one that was wrapped with fmt.Errorf arrives in Step Functions as
// "wrapError", which no Retry or Catch matches. It makes an exception only for a
// messages.InvokeResponse_Error that is returned by value.
func Boundary[In, Out any](
	handle func(context.Context, In) (Out, error),
) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return out, Named(err)
		}
		return out, nil
	}
}

// Named returns the error that Lambda reports with the kind of err as its type,
// and the text of err as its message. Nil stays nil.
func Named(err error) error {
	if err == nil {
		return nil
	}
	var named messages.InvokeResponse_Error
	if errors.As(err, &named) {
		return named
	}
	return messages.InvokeResponse_Error{Type: string(KindOf(err)), Message: err.Error()}
}
