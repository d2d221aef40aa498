package api

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/environment"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	return &Handler{
		Store:  store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Checks: Checks(), JobChecks: JobChecks(),
		Now: env.Now, NewID: env.NewID, Log: env.Log,
	}
}
