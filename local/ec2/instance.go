package ec2

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"portolan/local/wire"
)

// An Instance is an instance as the one who runs it tells of it.
type Instance struct {
	ID               string
	State            string // pending, running, shutting-down, terminated, stopping or stopped
	ImageID          string
	InstanceType     string
	SubnetID         string
	SecurityGroupIDs []string
	PrivateIP        string
	PublicIP         string // empty for none
	KeyName          string
	ProfileARN       string
	Spot             bool
	LaunchTime       time.Time
	StateReason      string // of an instance that ends: the code, such as Client.UserInitiatedShutdown
	RootVolumeGiB    int
	Tags             []Tag
}

// Tag is the value of a tag; empty without it.
func (v Instance) Tag(key string) string {
	for _, t := range v.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// A NetworkInterface is a network interface in a subnet.
type NetworkInterface struct {
	ID               string                `json:"networkInterfaceId"`
	SubnetID         string                `json:"subnetId"`
	VpcID            string                `json:"vpcId"`
	AvailabilityZone string                `json:"availabilityZone"`
	Description      string                `json:"description"`
	InterfaceType    string                `json:"interfaceType"`
	RequesterManaged bool                  `json:"requesterManaged"`
	OwnerID          string                `json:"ownerId"`
	PrivateIP        string                `json:"privateIpAddress"`
	Status           string                `json:"status"`
	Groups           []GroupIdentifier     `json:"groupSet"`
	Attachment       *InterfaceAttachment  `json:"attachment"`
	Association      *InterfaceAssociation `json:"association"` // nil without a public address
	Tags             []Tag                 `json:"tagSet"`
}

// A GroupIdentifier names a security group.
type GroupIdentifier struct {
	GroupID   string `json:"groupId"`
	GroupName string `json:"groupName,omitempty"`
}

// An InterfaceAttachment says what has an interface.
type InterfaceAttachment struct {
	InstanceID string `json:"instanceId,omitempty"`
	Status     string `json:"status"`
}

// An InterfaceAssociation is the public address of an interface.
type InterfaceAssociation struct {
	PublicIP string `json:"publicIp"`
}

func (v NetworkInterface) hasGroup(id string) bool {
	return slices.ContainsFunc(v.Groups, func(g GroupIdentifier) bool { return g.GroupID == id })
}

// A KeyPair is a key pair for logging in to instances.
type KeyPair struct {
	KeyPairID   string    `json:"keyPairId"`
	KeyName     string    `json:"keyName"`
	KeyType     string    `json:"keyType"`
	Fingerprint string    `json:"keyFingerprint"`
	CreateTime  wire.Time `json:"createTime"`
	Tags        []Tag     `json:"tagSet"`
}

func (s *Service) instanceOperations(operations map[string]wire.Operation) {
	operations["DescribeInstances"] = wire.Op(s.describeInstances)
	operations["TerminateInstances"] = wire.Op(s.terminateInstances)
	operations["DescribeNetworkInterfaces"] = wire.Op(s.describeNetworkInterfaces)
	operations["DescribeVolumes"] = wire.Op(s.describeVolumes)
	operations["ImportKeyPair"] = wire.Op(s.importKeyPair)
	operations["DescribeKeyPairs"] = wire.Op(s.describeKeyPairs)
	operations["DeleteKeyPair"] = wire.Op(s.deleteKeyPair)
}

func (s *Service) listInstances() []Instance {
	if s.instances == nil {
		return nil
	}
	return s.instances.Instances()
}

// listInterfaces gathers all network interfaces: of instances, of NAT gateways,
// and of whoever else has some. It must be called without the lock.
func (s *Service) listInterfaces() []NetworkInterface {
	instances := s.listInstances()
	var all []NetworkInterface
	for _, source := range s.interfaces {
		all = append(all, source.NetworkInterfaces()...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, instance := range instances {
		if instance.State != "terminated" {
			all = append(all, s.interfaceOf(instance))
		}
	}
	for _, gateway := range s.natGateways.All() {
		if gateway.at(s.now()).State != "deleted" {
			all = append(all, s.interfaceOfNat(gateway))
		}
	}
	for i := range all {
		subnet, _ := s.subnets.Get(all[i].SubnetID)
		all[i].VpcID, all[i].AvailabilityZone = subnet.VpcID, subnet.AvailabilityZone
		all[i].OwnerID = s.config.Account
		for g, group := range all[i].Groups {
			known, _ := s.groups.Get(group.GroupID)
			all[i].Groups[g].GroupName = known.GroupName
		}
	}
	return all
}

func (s *Service) interfaceOf(instance Instance) NetworkInterface {
	v := NetworkInterface{
		ID: interfaceID(instance.ID), SubnetID: instance.SubnetID, InterfaceType: "interface",
		PrivateIP: instance.PrivateIP, Status: "in-use",
		Attachment: &InterfaceAttachment{instance.ID, "attached"},
	}
	for _, id := range instance.SecurityGroupIDs {
		v.Groups = append(v.Groups, GroupIdentifier{GroupID: id})
	}
	if instance.PublicIP != "" {
		v.Association = &InterfaceAssociation{instance.PublicIP}
	}
	return v
}

// interfaceID is the id of an instance's first interface.
func interfaceID(instanceID string) string { return "eni-" + strings.TrimPrefix(instanceID, "i-") }

func (s *Service) interfaceOfNat(gateway NatGateway) NetworkInterface {
	address := gateway.Addresses[0]
	v := NetworkInterface{
		ID: address.NetworkInterfaceID, SubnetID: gateway.SubnetID, InterfaceType: "nat_gateway",
		RequesterManaged: true, Description: "Interface for NAT Gateway " + gateway.ID, Status: "in-use",
		PrivateIP: address.PrivateIP,
	}
	if address.PublicIP != "" {
		v.Association = &InterfaceAssociation{address.PublicIP}
	}
	return v
}

type describeInterfacesInput struct {
	query
	LowerFilters []filter `json:"filter"` // as some SDKs name them
	IDs          []string `json:"NetworkInterfaceId"`
}

type describeInterfacesOutput struct {
	Interfaces []NetworkInterface `json:"networkInterfaceSet"`
	NextToken  string             `json:"nextToken,omitempty"`
}

func (s *Service) describeNetworkInterfaces(ctx context.Context, in *describeInterfacesInput) (*describeInterfacesOutput, error) {
	if len(in.Filters) == 0 {
		in.Filters = in.LowerFilters
	}
	found, next, err := describe(s.listInterfaces(), listing[NetworkInterface]{
		id: func(v NetworkInterface) string { return v.ID }, tags: func(v NetworkInterface) []Tag { return v.Tags },
		absent: func(id string) *wire.Error {
			return missing("InvalidNetworkInterfaceID.NotFound", "networkInterface", id)
		},
		fields: func(v NetworkInterface) map[string][]string {
			fields := map[string][]string{
				"network-interface-id": {v.ID}, "subnet-id": {v.SubnetID}, "vpc-id": {v.VpcID}, "status": {v.Status},
				"description": {v.Description}, "interface-type": {v.InterfaceType}, "private-ip-address": {v.PrivateIP},
				"group-id": {}, "attachment.instance-id": {}, "requester-managed": boolText(v.RequesterManaged),
			}
			for _, group := range v.Groups {
				fields["group-id"] = append(fields["group-id"], group.GroupID)
			}
			if v.Attachment != nil {
				fields["attachment.instance-id"] = []string{v.Attachment.InstanceID}
			}
			return fields
		},
	}, in.IDs, in.query)
	return &describeInterfacesOutput{found, next}, err
}

type terminateInput struct {
	IDs []string `json:"InstanceId"`
}

type stateChange struct {
	InstanceID string        `json:"instanceId"`
	Current    instanceState `json:"currentState"`
	Previous   instanceState `json:"previousState"`
}

type terminateOutput struct {
	Instances []stateChange `json:"instancesSet"`
}

// terminateInstances checks every id before it ends the first.
func (s *Service) terminateInstances(ctx context.Context, in *terminateInput) (*terminateOutput, error) {
	states := map[string]string{}
	for _, instance := range s.listInstances() {
		states[instance.ID] = instance.State
	}
	for _, id := range in.IDs {
		if _, ok := states[id]; !ok {
			return nil, noInstance(id)
		}
	}
	out := &terminateOutput{}
	for _, id := range in.IDs {
		change := stateChange{id, stateOf("shutting-down"), stateOf(states[id])}
		if states[id] == "terminated" {
			change.Current = stateOf("terminated")
		} else if err := s.instances.TerminateInstance(ctx, id); err != nil {
			return nil, fmt.Errorf("terminating %s: %w", id, err)
		}
		out.Instances = append(out.Instances, change)
	}
	return out, nil
}

func noInstance(id string) *wire.Error {
	return missing("InvalidInstanceID.NotFound", "instance", id)
}

type volume struct {
	ID               string       `json:"volumeId"`
	Size             int          `json:"size"`
	VolumeType       string       `json:"volumeType"`
	State            string       `json:"status"`
	Encrypted        bool         `json:"encrypted"`
	AvailabilityZone string       `json:"availabilityZone"`
	CreateTime       wire.Time    `json:"createTime"`
	Attachments      []attachment `json:"attachmentSet"`
	Tags             []Tag        `json:"tagSet"`
}

type attachment struct {
	VolumeID            string `json:"volumeId"`
	InstanceID          string `json:"instanceId"`
	Device              string `json:"device"`
	State               string `json:"status"`
	DeleteOnTermination bool   `json:"deleteOnTermination"`
}

type describeVolumesInput struct {
	query
	IDs []string `json:"VolumeId"`
}

type describeVolumesOutput struct {
	Volumes   []volume `json:"volumeSet"`
	NextToken string   `json:"nextToken,omitempty"`
}

// describeVolumes shows the root volumes of instances: there are no others.
func (s *Service) describeVolumes(ctx context.Context, in *describeVolumesInput) (*describeVolumesOutput, error) {
	var all []volume
	for _, instance := range s.listInstances() {
		if instance.State == "terminated" {
			continue
		}
		id := "vol-" + strings.TrimPrefix(instance.ID, "i-")
		subnet, _ := s.Subnet(instance.SubnetID)
		all = append(all, volume{
			ID: id, Size: instance.RootVolumeGiB, VolumeType: "gp3", State: "in-use", Encrypted: true,
			AvailabilityZone: subnet.AvailabilityZone, CreateTime: wire.At(instance.LaunchTime), Tags: instance.Tags,
			Attachments: []attachment{{id, instance.ID, "/dev/xvda", "attached", true}},
		})
	}
	found, next, err := describe(all, listing[volume]{
		id: func(v volume) string { return v.ID }, tags: func(v volume) []Tag { return v.Tags },
		absent: func(id string) *wire.Error {
			return wire.Errorf("InvalidVolume.NotFound", "The volume '%s' does not exist.", id)
		},
		fields: func(v volume) map[string][]string {
			return map[string][]string{
				"volume-id": {v.ID}, "status": {v.State}, "attachment.instance-id": {v.Attachments[0].InstanceID},
				"availability-zone": {v.AvailabilityZone}, "encrypted": boolText(v.Encrypted),
			}
		},
	}, in.IDs, in.query)
	return &describeVolumesOutput{found, next}, err
}
