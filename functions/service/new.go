package service

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/drivers"
	"portolan/shared/environment"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/session"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	driver := drivers.For(env, session.New(env.AWS, env.Get("OPERATION_ROLE_ARN")))
	return &Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Orchestrator: func(cluster *model.Cluster, operation string) orchestrator.Services {
			return driver(cluster, operation)
		},
		Now: env.Now, NewID: env.NewID, Log: env.Log,
	}
}
