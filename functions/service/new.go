package service

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/ecs"
	"portolan/shared/environment"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/session"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	sessions := session.New(env.AWS, env.Get("OPERATION_ROLE_ARN"))
	return &Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Orchestrator: func(_ *model.Cluster, operation string) orchestrator.Services {
			return ecs.NewFromConfig(sessions.Config(operation))
		},
		Now: env.Now, NewID: env.NewID, Log: env.Log,
	}
}
