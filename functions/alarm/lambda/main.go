// The alarm function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/alarm"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(alarm.New(environment.Lambda()).Handle))
}
