package stack

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/environment"
	"portolan/shared/session"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	sessions := session.New(env.AWS, env.Get("OPERATION_ROLE_ARN"))
	return &Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Client: func(operation string) CloudFormation {
			return cloudformation.NewFromConfig(sessions.Config(operation))
		},
		StackRole: env.Get("STACK_ROLE_ARN"), Log: env.Log,
	}
}
