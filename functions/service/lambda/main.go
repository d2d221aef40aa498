// The service function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/service"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(service.New(environment.Lambda()).Handle))
}
