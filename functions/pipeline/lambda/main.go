// The pipeline function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/pipeline"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(pipeline.New(environment.Lambda()).Handle))
}
