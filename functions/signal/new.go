package signal

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/shared/environment"
	"portolan/shared/signal"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	table := store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME"))
	sender := &signal.Sender{Store: table, Tasks: sfn.NewFromConfig(env.AWS)}
	return &Handler{Sender: sender, Log: env.Log}
}
