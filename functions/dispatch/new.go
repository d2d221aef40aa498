package dispatch

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
	machines := sfn.NewFromConfig(env.AWS)
	return &Handler{
		Store: table, Executions: machines, Signals: &signal.Sender{Store: table, Tasks: machines},
		MachinePrefix: env.Get("STATE_MACHINE_PREFIX"), Now: env.Now, Log: env.Log,
	}
}
