package pipeline

import (
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"portolan/shared/environment"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	return &Handler{
		Store:     store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Pipelines: codepipeline.NewFromConfig(env.AWS), Images: ecr.NewFromConfig(env.AWS),
		Now: env.Now, NewID: env.NewID, Log: env.Log,
	}
}
