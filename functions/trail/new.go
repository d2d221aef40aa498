package trail

import (
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"portolan/shared/ecs/glance"
	"portolan/shared/environment"
	"portolan/shared/store"
)

// New builds the handler from what the function was given.
func New(env *environment.Environment) *Handler {
	client := ecs.NewFromConfig(env.AWS)
	return &Handler{
		Store:    store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Services: glance.New(client), Definitions: client,
		Groups: autoscaling.NewFromConfig(env.AWS), Now: env.Now, NewID: env.NewID, Log: env.Log,
	}
}
