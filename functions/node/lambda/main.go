// The node function.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/functions/node"
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
	handler := &node.Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Orchestrator: func(_ *model.Cluster, operation string) orchestrator.Orchestrator {
			return ecs.NewFromConfig(sessions.Config(operation))
		},
		Groups: func(operation string) node.Groups {
			return autoscaling.NewFromConfig(sessions.Config(operation))
		},
		Now: time.Now, Log: env.Log,
	}
	lambda.Start(fault.Boundary(handler.Handle))
}
