// The signal function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/signal"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(signal.New(environment.Lambda()).Handle))
}
