package ec2

import (
	"context"
	"strings"

	"portolan/local/wire"
)

type instanceState struct {
	Code int    `json:"code"`
	Name string `json:"name"`
}

func stateOf(name string) instanceState {
	codes := map[string]int{
		"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80,
	}
	return instanceState{codes[name], name}
}

// A reservation is the instances of one launch. Each instance is launched alone
// here.
type reservation struct {
	ID        string            `json:"reservationId"`
	OwnerID   string            `json:"ownerId"`
	Groups    []GroupIdentifier `json:"groupSet"`
	Instances []instanceView    `json:"instancesSet"`
}

// instanceView is an Instance as EC2 describes it.
type instanceView struct {
	ID               string             `json:"instanceId"`
	ImageID          string             `json:"imageId"`
	State            instanceState      `json:"instanceState"`
	StateReason      *stateReason       `json:"stateReason"`
	PrivateDNSName   string             `json:"privateDnsName"`
	PrivateIP        string             `json:"privateIpAddress,omitempty"`
	PublicIP         string             `json:"ipAddress,omitempty"`
	KeyName          string             `json:"keyName,omitempty"`
	InstanceType     string             `json:"instanceType"`
	Lifecycle        string             `json:"instanceLifecycle,omitempty"`
	LaunchTime       wire.Time          `json:"launchTime"`
	Placement        placement          `json:"placement"`
	SubnetID         string             `json:"subnetId,omitempty"`
	VpcID            string             `json:"vpcId,omitempty"`
	Architecture     string             `json:"architecture"`
	RootDeviceName   string             `json:"rootDeviceName"`
	RootDeviceType   string             `json:"rootDeviceType"`
	SecurityGroups   []GroupIdentifier  `json:"groupSet"`
	Interfaces       []NetworkInterface `json:"networkInterfaceSet"`
	InstanceProfile  *ProfileReference  `json:"iamInstanceProfile"`
	MetadataOptions  MetadataOptions    `json:"metadataOptions"`
	Tags             []Tag              `json:"tagSet"`
	EbsOptimized     bool               `json:"ebsOptimized"`
	SourceDestCheck  bool               `json:"sourceDestCheck"`
	Hypervisor       string             `json:"hypervisor"`
	VirtualizationTy string             `json:"virtualizationType"`
}

type stateReason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type placement struct {
	AvailabilityZone string `json:"availabilityZone"`
	Tenancy          string `json:"tenancy"`
}

func (s *Service) viewOf(instance Instance) instanceView {
	v := instanceView{
		ID: instance.ID, ImageID: instance.ImageID, State: stateOf(instance.State), KeyName: instance.KeyName,
		InstanceType: instance.InstanceType, LaunchTime: wire.At(instance.LaunchTime), Architecture: "x86_64",
		RootDeviceName: "/dev/xvda", RootDeviceType: "ebs", Hypervisor: "xen", VirtualizationTy: "hvm",
		MetadataOptions: MetadataOptions{"required", 1, "enabled"}, SourceDestCheck: true, Tags: instance.Tags,
	}
	if instance.Spot {
		v.Lifecycle = "spot"
	}
	if instance.StateReason != "" {
		v.StateReason = &stateReason{instance.StateReason, instance.StateReason}
	}
	if instance.ProfileARN != "" {
		v.InstanceProfile = &ProfileReference{ARN: instance.ProfileARN}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	subnet, _ := s.subnets.Get(instance.SubnetID)
	v.Placement = placement{subnet.AvailabilityZone, "default"}
	if instance.State == "terminated" {
		return v
	}
	v.SubnetID, v.VpcID, v.PrivateIP, v.PublicIP = instance.SubnetID, subnet.VpcID, instance.PrivateIP, instance.PublicIP
	v.PrivateDNSName = s.HostName(instance.PrivateIP)
	for _, id := range instance.SecurityGroupIDs {
		group, _ := s.groups.Get(id)
		v.SecurityGroups = append(v.SecurityGroups, GroupIdentifier{id, group.GroupName})
	}
	own := s.interfaceOf(instance)
	own.VpcID, own.OwnerID = subnet.VpcID, s.config.Account
	v.Interfaces = []NetworkInterface{own}
	return v
}

// HostName is the name that an instance has by its private address.
func (s *Service) HostName(address string) string {
	return "ip-" + strings.ReplaceAll(address, ".", "-") + "." + s.config.Region + ".compute.internal"
}

type describeInstancesInput struct {
	query
	IDs []string `json:"InstanceId"`
}

type describeInstancesOutput struct {
	Reservations []reservation `json:"reservationSet"`
	NextToken    string        `json:"nextToken,omitempty"`
}

func (s *Service) describeInstances(ctx context.Context, in *describeInstancesInput) (*describeInstancesOutput, error) {
	var all []instanceView
	for _, instance := range s.listInstances() {
		all = append(all, s.viewOf(instance))
	}
	found, next, err := describe(all, listing[instanceView]{
		id: func(v instanceView) string { return v.ID }, tags: func(v instanceView) []Tag { return v.Tags },
		absent: noInstance,
		fields: func(v instanceView) map[string][]string {
			fields := map[string][]string{
				"instance-id": {v.ID}, "instance-state-name": {v.State.Name}, "instance-type": {v.InstanceType},
				"subnet-id": {v.SubnetID}, "vpc-id": {v.VpcID}, "image-id": {v.ImageID}, "key-name": {v.KeyName},
				"availability-zone": {v.Placement.AvailabilityZone}, "private-ip-address": {v.PrivateIP},
				"ip-address": {v.PublicIP}, "private-dns-name": {v.PrivateDNSName}, "instance.group-id": {},
				"instance-lifecycle": {v.Lifecycle}, "architecture": {v.Architecture},
			}
			for _, group := range v.SecurityGroups {
				fields["instance.group-id"] = append(fields["instance.group-id"], group.GroupID)
			}
			return fields
		},
	}, in.IDs, in.query)
	out := &describeInstancesOutput{NextToken: next}
	for _, v := range found {
		out.Reservations = append(out.Reservations, reservation{
			ID: "r-" + strings.TrimPrefix(v.ID, "i-"), OwnerID: s.config.Account, Instances: []instanceView{v},
		})
	}
	return out, err
}

type importKeyPairInput struct {
	KeyName           string             `json:"KeyName"`
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

func (s *Service) importKeyPair(ctx context.Context, in *importKeyPairInput) (*KeyPair, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.keyPairs.Get(in.KeyName); ok {
		return nil, wire.Errorf("InvalidKeyPair.Duplicate", "The keypair already exists")
	}
	pair := KeyPair{
		KeyPairID: s.newID("key"), KeyName: in.KeyName, KeyType: "ed25519", Fingerprint: s.config.IDs.Hex(32),
		CreateTime: wire.At(s.now()), Tags: tagsFor("key-pair", in.TagSpecifications),
	}
	return &pair, s.keyPairs.Put(pair)
}

type describeKeyPairsInput struct {
	query
	Names []string `json:"KeyName"`
}

type describeKeyPairsOutput struct {
	KeyPairs []KeyPair `json:"keySet"`
}

func (s *Service) describeKeyPairs(ctx context.Context, in *describeKeyPairsInput) (*describeKeyPairsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, _, err := describe(s.keyPairs.All(), listing[KeyPair]{
		id: func(v KeyPair) string { return v.KeyName }, tags: func(v KeyPair) []Tag { return v.Tags },
		absent: func(name string) *wire.Error {
			return wire.Errorf("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", name)
		},
		fields: func(v KeyPair) map[string][]string {
			return map[string][]string{"key-name": {v.KeyName}, "key-pair-id": {v.KeyPairID}}
		},
	}, in.Names, in.query)
	return &describeKeyPairsOutput{found}, err
}

type deleteKeyPairInput struct {
	KeyName string `json:"KeyName"`
}

func (s *Service) deleteKeyPair(ctx context.Context, in *deleteKeyPairInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return done, s.keyPairs.Remove(in.KeyName)
}
