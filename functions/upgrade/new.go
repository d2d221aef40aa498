package upgrade

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eks"

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
		Client:       func(operation string) EKS { return eks.NewFromConfig(sessions.Config(operation)) },
		Orchestrator: drivers.For(env, sessions), Log: env.Log,
	}
}
