package sweeper

import (
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/shared/contract"
	"portolan/shared/ecs/glance"
	"portolan/shared/environment"
	"portolan/shared/kubernetes"
	"portolan/shared/orchestrator"
	"portolan/shared/session"
	"portolan/shared/store"
	"portolan/shared/swarm"
)

// sessionName is that of the role session under which the sweeper looks at clusters
// of Kubernetes and at swarms: it works for no operation.
const sessionName = "sweeper"

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	looking := session.New(env.AWS, env.Get("OPERATION_ROLE_ARN")).Config(sessionName)
	swarms := swarm.New(swarm.Config{
		AWS: looking, WrapTransport: env.WrapTransport, Now: env.Now, Log: env.Log, Connections: &swarm.Connections{},
	})
	return &Handler{
		Swarms: swarms, Groups: autoscaling.NewFromConfig(env.AWS), NodeGroups: eks.NewFromConfig(env.AWS),
		Images: ecr.NewFromConfig(env.AWS), Region: env.AWS.Region,
		Services: map[contract.Orchestrator]orchestrator.Glancer{
			contract.Ecs: glance.New(ecs.NewFromConfig(env.AWS)),
			contract.Kubernetes: kubernetes.New(kubernetes.Config{
				AWS: looking, WrapTransport: env.WrapTransport, Now: env.Now, Log: env.Log,
			}),
			contract.Swarm: swarms,
		},
		Store:      store.New(dynamodb.NewFromConfig(env.AWS), env.Get("TABLE_NAME")),
		Executions: sfn.NewFromConfig(env.AWS), Alarms: cloudwatch.NewFromConfig(env.AWS),
		Resources: resourcegroupstaggingapi.NewFromConfig(env.AWS), Compute: ec2.NewFromConfig(env.AWS),
		ExecutionPrefix: env.Get("EXECUTION_PREFIX"), Now: env.Now, NewID: env.NewID, Log: env.Log,
	}
}
