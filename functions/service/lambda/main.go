// The service function.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/oklog/ulid/v2"

	"portolan/functions/service"
	"portolan/shared/ecs"
	"portolan/shared/environment"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/session"
	"portolan/shared/store"
)

func main() {
	env := environment.Load("TABLE_NAME", "OPERATION_ROLE_ARN")
	sessions := session.New(env.AWS, env.Get("OPERATION_ROLE_ARN"))
	handler := &service.Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Orchestrator: func(_ *model.Cluster, operation string) orchestrator.Services {
			return ecs.NewFromConfig(sessions.Config(operation))
		},
		Now: time.Now, NewID: func() string { return ulid.Make().String() }, Log: env.Log,
	}
	lambda.Start(fault.Boundary(handler.Handle))
}
