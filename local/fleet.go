package local

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/local/autoscaling"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/ec2"
	"portolan/local/ecs"
	"portolan/local/elbv2"
	"portolan/local/records"
)

// A fleet is what ties the services of instances together: Auto Scaling launches
// them by EC2's launch templates, EC2 shows them, ECS runs tasks on them, and load
// balancers send requests to them.
type fleet struct {
	ec2    *ec2.Service
	groups *autoscaling.Server
	clock  *clock.Clock
	log    *slog.Logger

	mu        sync.Mutex
	instances *records.Of[ec2.Instance]
}

func newFleet(d *disk.Disk, c *clock.Clock, compute *ec2.Service, log *slog.Logger) (*fleet, error) {
	instances, err := records.Load(d, "ec2/fleet", func(i ec2.Instance) string { return i.ID })
	return &fleet{ec2: compute, clock: c, log: log, instances: instances}, err
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
func (f *fleet) InstanceLaunched(_ context.Context, i autoscaling.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	launched := ec2.Instance{
		ID: i.ID, State: "running", ImageID: i.ImageID, InstanceType: i.InstanceType, SubnetID: i.SubnetID,
		PrivateIP: address(i.ID), LaunchTime: f.clock.Now(),
	}
	for _, name := range sortedKeys(i.Tags) {
		launched.Tags = append(launched.Tags, ec2.Tag{Key: name, Value: i.Tags[name]})
	}
	f.put(launched)
}

// InstanceTerminated implements autoscaling.Instances.
func (f *fleet) InstanceTerminated(_ context.Context, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if instance, ok := f.instances.Get(id); ok {
		instance.State, instance.StateReason = "terminated", "Client.UserInitiatedShutdown"
		f.put(instance)
	}
}

func (f *fleet) put(i ec2.Instance) {
	if err := f.instances.Put(i); err != nil {
		f.log.Error("an instance cannot be kept", "instance", i.ID, "error", err)
	}
}

// Instances implements ec2.Instances.
func (f *fleet) Instances() []ec2.Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.instances.All()
}

// TerminateInstance implements ec2.Instances.
func (f *fleet) TerminateInstance(ctx context.Context, id string) error {
	if !f.groups.KillInstance(id) {
		return fmt.Errorf("instance %s is not running", id)
	}
	f.InstanceTerminated(ctx, id)
	return nil
}

// address makes an instance's private address of its id.
func address(id string) string {
	n, err := strconv.ParseUint(id[max(0, len(id)-4):], 16, 16)
	if err != nil {
		n = 1
	}
	return fmt.Sprintf("10.0.%d.%d", n>>8, n&0xff)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
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
	if err != nil {
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
