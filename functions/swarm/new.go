package swarm

import (
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"portolan/shared/environment"
	"portolan/shared/session"
	"portolan/shared/store"
	"portolan/shared/swarm"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	sessions := session.New(env.AWS, env.Get("OPERATION_ROLE_ARN"))
	connections := &swarm.Connections{}
	return &Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Driver: func(operation string) *swarm.Driver {
			return swarm.New(swarm.Config{
				AWS: sessions.Config(operation), WrapTransport: env.WrapTransport, Now: env.Now, Log: env.Log, Connections: connections,
			})
		},
		Groups:  func(operation string) Groups { return autoscaling.NewFromConfig(sessions.Config(operation)) },
		Compute: func(operation string) Compute { return ec2.NewFromConfig(sessions.Config(operation)) },
		Secrets: func(operation string) Secrets { return secretsmanager.NewFromConfig(sessions.Config(operation)) },
		Stacks:  func(operation string) Stacks { return cloudformation.NewFromConfig(sessions.Config(operation)) },
		Now:     env.Now, Log: env.Log,
	}
}
