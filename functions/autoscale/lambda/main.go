// The autoscale function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/autoscale"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(autoscale.New(environment.Lambda()).Handle))
}
