// The api function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/api"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(api.New(environment.Lambda()).Handle))
}
