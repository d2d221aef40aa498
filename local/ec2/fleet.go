package ec2

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"portolan/local/records"
	"portolan/local/wire"
)

const (
	// startTime is how long an instance is pending.
	startTime = 10 * time.Second
	// instanceMemory is how long a terminated instance is described.
	instanceMemory = time.Hour
)

// A Fleet keeps the instances that another service, such as Auto Scaling, starts
// and ends, with what EC2 adds to them: addresses, security groups and volumes.
// It is the Instances of a Service.
type Fleet struct {
	service *Service
	end     func(id string) bool

	mu        sync.Mutex
	instances *records.Of[kept]
}

// kept is an instance with when it ended, which is never while it lives.
type kept struct {
	Instance
	Ended time.Time
}

// A Launch is what the one who starts an instance knows of it.
type Launch struct {
	ID, InstanceType, ImageID, SubnetID string
	LaunchTemplateID                    string // or its name; empty for none
	Spot                                bool
	Tags                                map[string]string
}

// NewFleet reads the instances back, and makes itself those of the service. A
// request to terminate one is passed on to end, which tells whether it knows it.
func NewFleet(s *Service, end func(id string) bool) (*Fleet, error) {
	f := &Fleet{service: s, end: end}
	var err error
	f.instances, err = records.Load(s.config.Disk, "ec2/instances", func(k kept) string { return k.ID })
	if err != nil {
		return nil, fmt.Errorf("loading instances: %w", err)
	}
	s.UseInstances(f)
	return f, nil
}

// Launched notes that an instance starts. Noting it again changes nothing.
func (f *Fleet) Launched(_ context.Context, launch Launch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.instances.Get(launch.ID); ok {
		return nil
	}
	instance := Instance{
		ID: launch.ID, ImageID: launch.ImageID, InstanceType: launch.InstanceType, SubnetID: launch.SubnetID,
		Spot: launch.Spot, LaunchTime: f.service.now(), RootVolumeGiB: 30,
	}
	for _, key := range slices.Sorted(maps.Keys(launch.Tags)) {
		instance.Tags = append(instance.Tags, Tag{key, launch.Tags[key]})
	}
	f.apply(&instance, launch.LaunchTemplateID)
	f.address(&instance)
	return f.instances.Put(kept{Instance: instance})
}

// apply sets what the newest version of the launch template says.
func (f *Fleet) apply(instance *Instance, templateID string) {
	name := ""
	if !strings.HasPrefix(templateID, "lt-") {
		templateID, name = "", templateID
	}
	version, err := f.service.LaunchTemplateVersion(templateID, name, "$Latest")
	if err != nil {
		return
	}
	data := version.Data
	instance.KeyName, instance.SecurityGroupIDs = data.KeyName, data.SecurityGroupIDs
	if data.InstanceProfile != nil {
		instance.ProfileARN = data.InstanceProfile.ARN
	}
	for _, i := range data.NetworkInterfaces {
		instance.SecurityGroupIDs = append(slices.Clone(instance.SecurityGroupIDs), i.Groups...)
		if i.AssociatePublicIPAddress != nil && *i.AssociatePublicIPAddress {
			instance.PublicIP = fmt.Sprintf("192.0.2.%d", 1+f.instances.Len()%254)
		}
	}
	for _, device := range data.BlockDevices {
		if device.Ebs != nil && device.Ebs.VolumeSize > 0 {
			instance.RootVolumeGiB = device.Ebs.VolumeSize
		}
	}
	for _, specification := range data.TagSpecifications {
		if specification.ResourceType == "instance" {
			instance.Tags = with(instance.Tags, specification.Tags)
		}
	}
}

// address gives the instance the first address of its subnet that is free.
func (f *Fleet) address(instance *Instance) {
	subnet, ok := f.service.Subnet(instance.SubnetID)
	if !ok {
		return
	}
	taken := map[string]bool{}
	for _, other := range f.instances.All() {
		if other.Ended.IsZero() {
			taken[other.PrivateIP] = true
		}
	}
	address := netip.MustParsePrefix(subnet.CidrBlock).Addr()
	for range reservedAddresses {
		address = address.Next()
	}
	for taken[address.String()] {
		address = address.Next()
	}
	instance.PrivateIP = address.String()
}

// Terminated notes that an instance is gone.
func (f *Fleet) Terminated(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	instance, ok := f.instances.Get(id)
	if !ok || !instance.Ended.IsZero() {
		return nil
	}
	instance.Ended, instance.StateReason = f.service.now(), "Client.UserInitiatedShutdown"
	return f.instances.Put(instance)
}

// Instances implements Instances. What ended long ago is not listed.
func (f *Fleet) Instances() []Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Instance
	now := f.service.now()
	for _, k := range f.instances.All() {
		switch {
		case !k.Ended.IsZero() && now.Sub(k.Ended) > instanceMemory:
			continue
		case !k.Ended.IsZero():
			k.State = "terminated"
		case now.Sub(k.LaunchTime) < startTime:
			k.State = "pending"
		default:
			k.State = "running"
		}
		all = append(all, k.Instance)
	}
	return all
}

// Instance returns one instance that has not ended.
func (f *Fleet) Instance(id string) (Instance, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.instances.Get(id)
	return k.Instance, ok && k.Ended.IsZero()
}

// Readdress gives an instance another private address than its subnet's next.
func (f *Fleet) Readdress(id, address string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.instances.Get(id)
	if !ok {
		return fmt.Errorf("EC2 has no instance %s", id)
	}
	k.PrivateIP = address
	return f.instances.Put(k)
}

// TerminateInstance implements Instances.
func (f *Fleet) TerminateInstance(_ context.Context, id string) error {
	if f.end == nil || !f.end(id) {
		return wire.Errorf("OperationNotPermitted", "The instance '%s' may not be terminated.", id)
	}
	return nil
}
