// The operation function.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/functions/operation"
	"portolan/shared/environment"
	"portolan/shared/fault"
	"portolan/shared/store"
)

func main() {
	env := environment.Load("TABLE_NAME")
	handler := &operation.Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Now:   time.Now, Log: env.Log,
	}
	lambda.Start(fault.Boundary(handler.Handle))
}
