// The survey function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/survey"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(survey.New(environment.Lambda()).Handle))
}
