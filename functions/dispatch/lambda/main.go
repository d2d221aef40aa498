// The dispatch function.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/functions/dispatch"
	"portolan/shared/environment"
	"portolan/shared/fault"
	"portolan/shared/signal"
	"portolan/shared/store"
)

func main() {
	env := environment.Load("TABLE_NAME", "STATE_MACHINE_PREFIX")
	table := store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME"))
	machines := sfn.NewFromConfig(env.AWS)
	handler := &dispatch.Handler{
		Store: table, Executions: machines, Signals: &signal.Sender{Store: table, Tasks: machines},
		MachinePrefix: env.Get("STATE_MACHINE_PREFIX"), Now: time.Now, Log: env.Log,
	}
	lambda.Start(fault.Boundary(handler.Handle))
}
