// The node function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/node"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(node.New(environment.Lambda()).Handle))
}
