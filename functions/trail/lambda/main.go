// The trail function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/trail"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(trail.New(environment.Lambda()).Handle))
}
