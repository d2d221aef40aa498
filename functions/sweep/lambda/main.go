// The sweep function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/sweep"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(sweep.New(environment.Lambda()).Handle))
}
