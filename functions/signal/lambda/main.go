// The signal function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	signals "portolan/functions/signal"
	"portolan/shared/environment"
	"portolan/shared/fault"
	"portolan/shared/signal"
	"portolan/shared/store"
)

func main() {
	env := environment.Load("TABLE_NAME")
	table := store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME"))
	sender := &signal.Sender{Store: table, Tasks: sfn.NewFromConfig(env.AWS)}
	handler := &signals.Handler{Sender: sender, Log: env.Log}
	lambda.Start(fault.Boundary(handler.Handle))
}
