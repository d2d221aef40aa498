// The stack function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/stack"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(stack.New(environment.Lambda()).Handle))
}
