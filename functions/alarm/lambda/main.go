// The alarm function.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/oklog/ulid/v2"

	"portolan/functions/alarm"
	"portolan/shared/environment"
	"portolan/shared/fault"
	"portolan/shared/store"
)

func main() {
	env := environment.Load("TABLE_NAME")
	handler := &alarm.Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Now:   time.Now, NewID: func() string { return ulid.Make().String() }, Log: env.Log,
	}
	lambda.Start(fault.Boundary(handler.Handle))
}
