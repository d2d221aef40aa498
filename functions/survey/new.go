package survey

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/drivers"
	"portolan/shared/environment"
	"portolan/shared/session"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	return &Handler{
		Store:        store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Orchestrator: drivers.For(env, session.New(env.AWS, env.Get("OPERATION_ROLE_ARN"))),
		Now:          env.Now, Log: env.Log,
	}
}
