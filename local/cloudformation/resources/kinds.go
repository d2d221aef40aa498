package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"portolan/local/cloudformation"
)

// LogGroups is who keeps log groups. Creating one that is there and deleting one
// that is not succeed.
type LogGroups interface {
	CreateLogGroup(ctx context.Context, name string, retentionDays int, tags map[string]string) error
	DeleteLogGroup(ctx context.Context, name string) error
}

// maker has the clients of the services whose resources it makes.
type maker struct {
	ec2    *ec2.Client
	elb    *elb.Client
	iam    *iam.Client
	ecs    *ecs.Client
	eks    *eks.Client
	lambda *lambda.Client
	groups *autoscaling.Client
	logs   LogGroups
	region string
}

// New returns the kinds of resources by type, made through clients of the
// configuration. Without logs, log groups are names that nobody keeps.
func New(config aws.Config, logs LogGroups) map[string]cloudformation.Kind {
	m := &maker{
		ec2: ec2.NewFromConfig(config), elb: elb.NewFromConfig(config), iam: iam.NewFromConfig(config),
		ecs: ecs.NewFromConfig(config), eks: eks.NewFromConfig(config), lambda: lambda.NewFromConfig(config),
		groups: autoscaling.NewFromConfig(config), logs: logs, region: config.Region,
	}
	kinds := map[string]cloudformation.Kind{}
	for _, add := range []func(map[string]cloudformation.Kind){
		m.networkKinds, m.gatewayKinds, m.routeKinds, m.groupKinds, m.nodeKinds, m.roleKinds, m.balancerKinds,
		m.clusterKinds, m.kubernetesKinds, m.functionKinds, m.storageKinds,
	} {
		add(kinds)
	}
	return kinds
}

// dependencyPatience is how long CloudFormation tries to delete what others
// still depend on.
const dependencyPatience = 10 * time.Minute

// provider makes a Provider of functions. Without an update there is nothing but
// create-only properties; without stable a resource is complete once made.
type provider struct {
	create func(context.Context, cloudformation.Request) (cloudformation.Made, error)
	update func(context.Context, cloudformation.Request) (cloudformation.Made, error)
	remove func(context.Context, cloudformation.Request) error
	stable func(context.Context, cloudformation.Request) error
	read   func(context.Context, cloudformation.Request) (map[string]any, error)
}

var (
	_ cloudformation.Stabilizer = provider{}
	_ cloudformation.Reader     = provider{}
)

func (p provider) Create(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	made, err := p.create(ctx, r)
	return made, explain(r, err)
}

func (p provider) Update(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if p.update == nil {
		return cloudformation.Made{}, fmt.Errorf("the embedded AWS cannot update a resource of type %s", r.Type)
	}
	made, err := p.update(ctx, r)
	return made, explain(r, err)
}

// Delete takes what is not there for deleted, and what others depend on for
// Pending.
func (p provider) Delete(ctx context.Context, r cloudformation.Request) error {
	err := p.remove(ctx, r)
	if err == nil || isCode(err, absent...) {
		return nil
	}
	if isCode(err, dependent...) {
		return &cloudformation.Pending{Reason: explain(r, err).Error()}
	}
	return explain(r, err)
}

func (p provider) Stable(ctx context.Context, r cloudformation.Request) error {
	if p.stable == nil {
		return nil
	}
	return explain(r, p.stable(ctx, r))
}

func (p provider) Read(ctx context.Context, r cloudformation.Request) (map[string]any, error) {
	if p.read == nil {
		return nil, nil
	}
	attributes, err := p.read(ctx, r)
	return attributes, explain(r, err)
}

// absent are the codes with which services say that something is not there.
var absent = []string{
	"InvalidVpcID.NotFound", "InvalidSubnetID.NotFound", "InvalidInternetGatewayID.NotFound", "Gateway.NotAttached",
	"NatGatewayNotFound", "InvalidAllocationID.NotFound", "InvalidRouteTableID.NotFound", "InvalidRoute.NotFound",
	"InvalidAssociationID.NotFound", "InvalidGroup.NotFound", "InvalidPermission.NotFound",
	"InvalidSecurityGroupRuleId.NotFound", "InvalidLaunchTemplateId.NotFound", "NoSuchEntity",
	"LoadBalancerNotFound", "ListenerNotFound", "ClusterNotFoundException", "ResourceNotFoundException",
}

// dependent are the codes with which services say that something is in use, and
// that CloudFormation waits to pass.
var dependent = []string{
	"DependencyViolation", "InvalidIPAddress.InUse", "ResourceInUse", "ResourceInUseException", "ScalingActivityInProgress",
	"ClusterContainsContainerInstancesException", "ClusterContainsTasksException", "UpdateInProgressException",
}

func isCode(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// explain writes a service's error as CloudFormation's events have it.
func explain(r cloudformation.Request, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	code := "GeneralServiceException"
	switch {
	case isCode(err, absent...):
		code = "NotFound"
	case isCode(err, "EntityAlreadyExists", "AlreadyExists", "DuplicateLoadBalancerName", "InvalidGroup.Duplicate", "ResourceConflictException"):
		code = "AlreadyExists"
	case isCode(err, "ValidationError", "InvalidParameterException", "InvalidParameterValue", "ClientException"):
		code = "InvalidRequest"
	}
	return fmt.Errorf("Resource handler returned message: \"%s (Service: %s, Error Code: %s)\" (RequestToken: %s, "+
		"HandlerErrorCode: %s)", api.ErrorMessage(), r.Type[5:], api.ErrorCode(), r.Token, code)
}

func made(physicalID string, attributes map[string]any) (cloudformation.Made, error) {
	return cloudformation.Made{PhysicalID: physicalID, Attributes: attributes}, nil
}

func failed(err error) (cloudformation.Made, error) { return cloudformation.Made{}, err }

func pending(format string, args ...any) error {
	return &cloudformation.Pending{Reason: fmt.Sprintf(format, args...)}
}
