// The sweeper function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/sweeper"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(sweeper.New(environment.Lambda()).Handle))
}
