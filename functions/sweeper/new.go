package sweeper

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/shared/environment"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	return &Handler{
		Store:      store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Executions: sfn.NewFromConfig(env.AWS), Alarms: cloudwatch.NewFromConfig(env.AWS),
		Resources: resourcegroupstaggingapi.NewFromConfig(env.AWS), Compute: ec2.NewFromConfig(env.AWS),
		ExecutionPrefix: env.Get("EXECUTION_PREFIX"), Now: env.Now, NewID: env.NewID, Log: env.Log,
	}
}
