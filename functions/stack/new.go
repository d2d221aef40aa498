package stack

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"portolan/shared/decide"
	"portolan/shared/environment"
	"portolan/shared/session"
	"portolan/shared/store"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	sessions := session.New(env.AWS, env.Get("OPERATION_ROLE_ARN"))
	return &Handler{
		Store: store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Client: func(operation string) CloudFormation {
			return cloudformation.NewFromConfig(sessions.Config(operation))
		},
		EKS:       func(operation string) EKS { return eks.NewFromConfig(sessions.Config(operation)) },
		Secrets:   func(operation string) Secrets { return secretsmanager.NewFromConfig(sessions.Config(operation)) },
		StackRole: env.Get("STACK_ROLE_ARN"), Log: env.Log,
		Deployment: decide.Deployment{
			ServiceRole: env.Get("SERVICE_ROLE_ARN"), NodeRole: env.Get("NODE_ROLE_ARN"), SurveyRole: env.Get("SURVEY_ROLE_ARN"),
			UpgradeRole:    env.Get("UPGRADE_ROLE_ARN"),
			ConnectorLayer: env.Get("CONNECTOR_LAYER_ARN"),
		},
	}
}
