package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/local/autoscaling"
	"portolan/local/ec2"
	"portolan/local/ecs"
	"portolan/local/eks"
	"portolan/local/elbv2"
)

// A fleet is what ties the services of instances together: Auto Scaling launches
// them by EC2's launch templates, EC2 shows them, ECS runs tasks on them, and load
// balancers send requests to them.
type fleet struct {
	ec2    *ec2.Service
	shown  *ec2.Fleet
	groups *autoscaling.Server
	eks    *eks.Server
	log    *slog.Logger

	machines Machines
}

func newFleet(compute *ec2.Service, log *slog.Logger) (*fleet, error) {
	f := &fleet{ec2: compute, log: log}
	var err error
	f.shown, err = ec2.NewFleet(compute, func(id string) bool { return f.groups.KillInstance(id) })
	return f, err
}

// LaunchTemplate implements autoscaling.Templates.
func (f *fleet) LaunchTemplate(_ context.Context, idOrName, version string) (autoscaling.Template, bool) {
	id, name := idOrName, ""
	if !strings.HasPrefix(idOrName, "lt-") {
		id, name = "", idOrName
	}
	found, err := f.ec2.LaunchTemplateVersion(id, name, version)
	if err != nil {
		return autoscaling.Template{}, false
	}
	return autoscaling.Template{
		ID: found.TemplateID, Name: found.TemplateName, Version: strconv.FormatInt(found.Number, 10),
		InstanceType: found.Data.InstanceType, ImageID: found.Data.ImageID, UserData: found.Data.UserData,
	}, true
}

// InstanceLaunched implements autoscaling.Instances.
func (f *fleet) InstanceLaunched(ctx context.Context, i autoscaling.Instance) {
	err := f.shown.Launched(ctx, ec2.Launch{ID: i.ID, InstanceType: i.InstanceType, ImageID: i.ImageID,
		SubnetID: i.SubnetID, LaunchTemplateID: i.LaunchTemplate, Spot: i.Spot, Tags: i.Tags})
	if err != nil {
		f.log.Error("an instance cannot be shown", "instance", i.ID, "error", err)
	}
	f.launchMachine(ctx, i)
}

// InstanceTerminated implements autoscaling.Instances.
func (f *fleet) InstanceTerminated(ctx context.Context, id string) {
	if err := f.shown.Terminated(ctx, id); err != nil {
		f.log.Error("an instance cannot be shown as ended", "instance", id, "error", err)
	}
	f.machines.Terminated(ctx, id)
}

// JoinNode implements autoscaling.Kubelets.
func (f *fleet) JoinNode(ctx context.Context, k autoscaling.Kubelet) error {
	for _, i := range f.shown.Instances() {
		if i.ID == k.EC2InstanceID {
			return f.eks.JoinNode(ctx, eks.Kubelet{Cluster: k.Cluster, NodeGroup: k.NodeGroup, Instance: k.EC2InstanceID,
				InstanceType: k.InstanceType, Zone: k.AvailabilityZone, Address: i.PrivateIP, CPU: k.CPU, MemoryMiB: k.Memory})
		}
	}
	return fmt.Errorf("EC2 has no instance %s", k.EC2InstanceID)
}

// NodeGone implements autoscaling.Kubelets.
func (f *fleet) NodeGone(ctx context.Context, cluster, instance string) {
	f.eks.NodeGone(ctx, cluster, instance)
}

// balancers tells load balancers where tasks listen, as ECS does.
type balancers struct {
	client *elb.Client
	log    *slog.Logger
}

var _ ecs.TargetGroups = (*balancers)(nil)

// RegisterTarget implements ecs.TargetGroups.
func (b *balancers) RegisterTarget(ctx context.Context, group, target string, port int) {
	_, err := b.client.RegisterTargets(ctx, &elb.RegisterTargetsInput{
		TargetGroupArn: &group, Targets: []elbtypes.TargetDescription{{Id: &target, Port: aws.Int32(int32(port))}},
	})
	if err != nil {
		b.log.Warn("a target cannot be registered", "group", group, "target", target, "error", err)
	}
}

// DeregisterTarget implements ecs.TargetGroups.
func (b *balancers) DeregisterTarget(ctx context.Context, group, target string, port int) {
	_, err := b.client.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{
		TargetGroupArn: &group, Targets: []elbtypes.TargetDescription{{Id: &target, Port: aws.Int32(int32(port))}},
	})
	if gone := new(elbtypes.TargetGroupNotFoundException); err != nil && !errors.As(err, &gone) {
		b.log.Warn("a target cannot be deregistered", "group", group, "target", target, "error", err)
	}
}

// interfaces shows EC2 the network interfaces of load balancers.
type interfaces struct{ balancers *elbv2.Service }

// NetworkInterfaces implements ec2.Interfaces.
func (i interfaces) NetworkInterfaces() []ec2.NetworkInterface {
	var out []ec2.NetworkInterface
	for _, each := range i.balancers.Interfaces() {
		made := ec2.NetworkInterface{ID: each.ID, SubnetID: each.SubnetID, Description: each.Description,
			InterfaceType: "interface", RequesterManaged: true, Status: "in-use"}
		for _, group := range each.SecurityGroups {
			made.Groups = append(made.Groups, ec2.GroupIdentifier{GroupID: group})
		}
		out = append(out, made)
	}
	return out
}
