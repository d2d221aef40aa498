// The stack function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/functions/stack"
	"portolan/shared/environment"
	"portolan/shared/fault"
	"portolan/shared/session"
	"portolan/shared/store"
)

func main() {
	env := environment.Load("TABLE_NAME", "OPERATION_ROLE_ARN", "STACK_ROLE_ARN")
	sessions := session.New(env.AWS, env.Get("OPERATION_ROLE_ARN"))
	handler := &stack.Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Client: func(operation string) stack.CloudFormation {
			return cloudformation.NewFromConfig(sessions.Config(operation))
		},
		StackRole: env.Get("STACK_ROLE_ARN"), Log: env.Log,
	}
	lambda.Start(fault.Boundary(handler.Handle))
}
