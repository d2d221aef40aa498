// The sweep function.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"portolan/functions/sweep"
	"portolan/shared/environment"
	"portolan/shared/fault"
	"portolan/shared/store"
)

func main() {
	env := environment.Load("TABLE_NAME")
	handler := &sweep.Handler{
		Store:     store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Resources: resourcegroupstaggingapi.NewFromConfig(env.AWS), Log: env.Log,
	}
	lambda.Start(fault.Boundary(handler.Handle))
}
