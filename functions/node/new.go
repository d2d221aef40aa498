package node

import (
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/drivers"
	"portolan/shared/environment"
	"portolan/shared/session"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	sessions := session.New(env.AWS, env.Get("OPERATION_ROLE_ARN"))
	return &Handler{
		Store:        store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Orchestrator: drivers.For(env, sessions),
		Groups: func(operation string) Groups {
			return autoscaling.NewFromConfig(sessions.Config(operation))
		},
		Now: env.Now, Log: env.Log,
	}
}
