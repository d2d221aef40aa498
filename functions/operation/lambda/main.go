// The operation function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/operation"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(operation.New(environment.Lambda()).Handle))
}
