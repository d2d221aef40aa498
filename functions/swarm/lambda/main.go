// Command lambda makes swarms of Docker engines.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"portolan/functions/swarm"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

func main() {
	lambda.Start(fault.Boundary(swarm.New(environment.Lambda()).Handle))
}
