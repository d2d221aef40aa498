// The connector function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/connector"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(connector.New(environment.Lambda()).Handle))
}
