// The dispatch function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/dispatch"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(dispatch.New(environment.Lambda()).Handle))
}
