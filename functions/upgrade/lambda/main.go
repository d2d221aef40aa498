// The upgrade function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/upgrade"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(upgrade.New(environment.Lambda()).Handle))
}
