package ec2

import (
	"context"
	"fmt"
	"slices"
	"time"

	"portolan/local/wire"
)

// How long a NAT gateway takes to come and to go.
const (
	natCreation = 105 * time.Second
	natDeletion = 45 * time.Second
	natMemory   = time.Hour // a deleted gateway is described for about so long
)

// An InternetGateway is an internet gateway, attached to one VPC at most.
type InternetGateway struct {
	ID          string              `json:"internetGatewayId"`
	OwnerID     string              `json:"ownerId"`
	Attachments []GatewayAttachment `json:"attachmentSet"`
	Tags        []Tag               `json:"tagSet"`
}

// A GatewayAttachment is a gateway's attachment to a VPC.
type GatewayAttachment struct {
	VpcID string `json:"vpcId"`
	State string `json:"state"`
}

func (g InternetGateway) attachedTo(vpcID string) bool {
	return slices.ContainsFunc(g.Attachments, func(a GatewayAttachment) bool { return a.VpcID == vpcID })
}

// A NatGateway is a NAT gateway. Its State is what it was made as: Status tells
// what it is at a time.
type NatGateway struct {
	ID               string       `json:"natGatewayId"`
	SubnetID         string       `json:"subnetId"`
	VpcID            string       `json:"vpcId"`
	State            string       `json:"state"`
	ConnectivityType string       `json:"connectivityType"`
	CreateTime       wire.Time    `json:"createTime"`
	DeleteTime       *wire.Time   `json:"deleteTime"`
	Addresses        []NatAddress `json:"natGatewayAddressSet"`
	Tags             []Tag        `json:"tagSet"`
	ClientToken      string       `json:"clientToken,omitempty"`
}

// A NatAddress is the address of a NAT gateway.
type NatAddress struct {
	AllocationID       string `json:"allocationId"`
	NetworkInterfaceID string `json:"networkInterfaceId"`
	PrivateIP          string `json:"privateIp"`
	PublicIP           string `json:"publicIp"`
	IsPrimary          bool   `json:"isPrimary"`
	Status             string `json:"status"`
}

// at is the gateway as it is at a time.
func (g NatGateway) at(now time.Time) NatGateway {
	switch {
	case g.DeleteTime != nil && now.Sub(g.DeleteTime.Time) >= natDeletion:
		g.State = "deleted"
	case g.DeleteTime != nil:
		g.State = "deleting"
	case now.Sub(g.CreateTime.Time) >= natCreation:
		g.State = "available"
	default:
		g.State = "pending"
	}
	return g
}

// An Address is an Elastic IP address.
type Address struct {
	AllocationID       string `json:"allocationId"`
	PublicIP           string `json:"publicIp"`
	Domain             string `json:"domain"`
	AssociationID      string `json:"associationId,omitempty"`
	NetworkInterfaceID string `json:"networkInterfaceId,omitempty"`
	NetworkBorderGroup string `json:"networkBorderGroup"`
	Tags               []Tag  `json:"tagSet"`
}

func (s *Service) gatewayOperations(operations map[string]wire.Operation) {
	operations["CreateInternetGateway"] = wire.Op(s.createInternetGateway)
	operations["DescribeInternetGateways"] = wire.Op(s.describeInternetGateways)
	operations["AttachInternetGateway"] = wire.Op(s.attachInternetGateway)
	operations["DetachInternetGateway"] = wire.Op(s.detachInternetGateway)
	operations["DeleteInternetGateway"] = wire.Op(s.deleteInternetGateway)
	operations["CreateNatGateway"] = wire.Op(s.createNatGateway)
	operations["DescribeNatGateways"] = wire.Op(s.describeNatGateways)
	operations["DeleteNatGateway"] = wire.Op(s.deleteNatGateway)
	operations["AllocateAddress"] = wire.Op(s.allocateAddress)
	operations["DescribeAddresses"] = wire.Op(s.describeAddresses)
	operations["ReleaseAddress"] = wire.Op(s.releaseAddress)
}

var gatewayListing = listing[InternetGateway]{
	id:   func(v InternetGateway) string { return v.ID },
	tags: func(v InternetGateway) []Tag { return v.Tags },
	absent: func(id string) *wire.Error {
		return missing("InvalidInternetGatewayID.NotFound", "internetGateway", id)
	},
	fields: func(v InternetGateway) map[string][]string {
		fields := map[string][]string{
			"internet-gateway-id": {v.ID}, "owner-id": {v.OwnerID}, "attachment.vpc-id": {}, "attachment.state": {},
		}
		for _, a := range v.Attachments {
			fields["attachment.vpc-id"] = append(fields["attachment.vpc-id"], a.VpcID)
			fields["attachment.state"] = append(fields["attachment.state"], a.State)
		}
		return fields
	},
}

type createInternetGatewayInput struct {
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

type internetGatewayOutput struct {
	InternetGateway InternetGateway `json:"internetGateway"`
}

func (s *Service) createInternetGateway(ctx context.Context, in *createInternetGatewayInput) (*internetGatewayOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gateway := InternetGateway{
		ID: s.newID("igw"), OwnerID: s.config.Account, Tags: tagsFor("internet-gateway", in.TagSpecifications),
	}
	return &internetGatewayOutput{gateway}, s.gateways.Put(gateway)
}

type describeInternetGatewaysInput struct {
	query
	IDs []string `json:"InternetGatewayId"`
}

type describeInternetGatewaysOutput struct {
	Gateways  []InternetGateway `json:"internetGatewaySet"`
	NextToken string            `json:"nextToken,omitempty"`
}

func (s *Service) describeInternetGateways(ctx context.Context, in *describeInternetGatewaysInput) (*describeInternetGatewaysOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := describe(s.gateways.All(), gatewayListing, in.IDs, in.query)
	return &describeInternetGatewaysOutput{found, next}, err
}

type gatewayAttachmentInput struct {
	GatewayID string `json:"InternetGatewayId"`
	VpcID     string `json:"VpcId"`
}

func (s *Service) attachInternetGateway(ctx context.Context, in *gatewayAttachmentInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gateway, ok := s.gateways.Get(in.GatewayID)
	if !ok {
		return nil, gatewayListing.absent(in.GatewayID)
	}
	if _, ok := s.vpcs.Get(in.VpcID); !ok {
		return nil, vpcListing.absent(in.VpcID)
	}
	if len(gateway.Attachments) > 0 {
		return nil, wire.Errorf("Resource.AlreadyAssociated",
			"resource %s is already attached to network %s", gateway.ID, gateway.Attachments[0].VpcID)
	}
	if _, ok := s.gateways.First(func(g InternetGateway) bool { return g.attachedTo(in.VpcID) }); ok {
		return nil, wire.Errorf("InvalidParameterValue", "Network %s already has an internet gateway attached", in.VpcID)
	}
	gateway.Attachments = []GatewayAttachment{{VpcID: in.VpcID, State: "available"}}
	return done, s.gateways.Put(gateway)
}

// detachInternetGateway fails while something in the VPC has a public address.
func (s *Service) detachInternetGateway(ctx context.Context, in *gatewayAttachmentInput) (*result, error) {
	interfaces := s.listInterfaces()
	s.mu.Lock()
	defer s.mu.Unlock()
	gateway, ok := s.gateways.Get(in.GatewayID)
	if !ok {
		return nil, gatewayListing.absent(in.GatewayID)
	}
	if !gateway.attachedTo(in.VpcID) {
		return nil, wire.Errorf("Gateway.NotAttached", "resource %s is not attached to network %s", gateway.ID, in.VpcID)
	}
	if slices.ContainsFunc(interfaces, func(v NetworkInterface) bool {
		return v.VpcID == in.VpcID && v.Association != nil
	}) {
		return nil, wire.Errorf("DependencyViolation", "Network %s has some mapped public address(es). Please unmap "+
			"those public address(es) before detaching the gateway.", in.VpcID)
	}
	gateway.Attachments = nil
	return done, s.gateways.Put(gateway)
}

type internetGatewayInput struct {
	GatewayID string `json:"InternetGatewayId"`
}

func (s *Service) deleteInternetGateway(ctx context.Context, in *internetGatewayInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gateway, ok := s.gateways.Get(in.GatewayID)
	if !ok {
		return nil, gatewayListing.absent(in.GatewayID)
	}
	if len(gateway.Attachments) > 0 {
		return nil, dependency("internetGateway", gateway.ID)
	}
	return done, s.gateways.Remove(gateway.ID)
}

var natListing = listing[NatGateway]{
	id:   func(v NatGateway) string { return v.ID },
	tags: func(v NatGateway) []Tag { return v.Tags },
	absent: func(id string) *wire.Error {
		return wire.Errorf("NatGatewayNotFound", "NatGateway %s was not found", id)
	},
	fields: func(v NatGateway) map[string][]string {
		return map[string][]string{
			"nat-gateway-id": {v.ID}, "subnet-id": {v.SubnetID}, "vpc-id": {v.VpcID}, "state": {v.State},
		}
	},
}

type createNatGatewayInput struct {
	SubnetID          string             `json:"SubnetId"`
	AllocationID      string             `json:"AllocationId"`
	ConnectivityType  string             `json:"ConnectivityType"`
	ClientToken       string             `json:"ClientToken"`
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

type natGatewayOutput struct {
	NatGateway  NatGateway `json:"natGateway"`
	ClientToken string     `json:"clientToken,omitempty"`
}

func (s *Service) createNatGateway(ctx context.Context, in *createNatGatewayInput) (*natGatewayOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	again, ok := s.natGateways.First(func(g NatGateway) bool {
		return in.ClientToken != "" && g.ClientToken == in.ClientToken
	})
	if ok {
		// A process that died may have kept the gateway, and not yet that it has its address.
		return &natGatewayOutput{again.at(s.now()), in.ClientToken}, s.associateAddress(again)
	}
	subnet, ok := s.subnets.Get(in.SubnetID)
	if !ok {
		return nil, subnetListing.absent(in.SubnetID)
	}
	gateway := NatGateway{
		ID: s.newID("nat"), SubnetID: subnet.SubnetID, VpcID: subnet.VpcID, ConnectivityType: "public",
		CreateTime: wire.At(s.now()), Tags: tagsFor("natgateway", in.TagSpecifications), ClientToken: in.ClientToken,
	}
	address := NatAddress{NetworkInterfaceID: s.newID("eni"), PrivateIP: "10.0.0.10", IsPrimary: true, Status: "succeeded"}
	if in.ConnectivityType == "private" {
		gateway.ConnectivityType = "private"
	} else {
		free, err := s.freeAddress(in.AllocationID)
		if err != nil {
			return nil, err
		}
		address.AllocationID, address.PublicIP = free.AllocationID, free.PublicIP
	}
	gateway.Addresses = []NatAddress{address}
	if err := s.natGateways.Put(gateway); err != nil {
		return nil, err
	}
	return &natGatewayOutput{gateway.at(s.now()), in.ClientToken}, s.associateAddress(gateway)
}

func (s *Service) freeAddress(allocationID string) (Address, error) {
	address, ok := s.addresses.Get(allocationID)
	if !ok {
		return Address{}, noAddress(allocationID)
	}
	if address.AssociationID != "" {
		return Address{}, wire.Errorf("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", allocationID)
	}
	return address, nil
}

// associateAddress gives a gateway its address, unless it is private or has it.
func (s *Service) associateAddress(gateway NatGateway) error {
	of := gateway.Addresses[0]
	address, ok := s.addresses.Get(of.AllocationID)
	if !ok || address.AssociationID != "" {
		return nil
	}
	address.AssociationID, address.NetworkInterfaceID = s.newID("eipassoc"), of.NetworkInterfaceID
	return s.addresses.Put(address)
}

// settleNatGateways lets go of the addresses of gateways that are gone by now,
// and forgets those that went long ago.
func (s *Service) settleNatGateways() error {
	now := s.now()
	for _, gateway := range s.natGateways.All() {
		if gateway.at(now).State != "deleted" {
			continue
		}
		for _, used := range gateway.Addresses {
			address, ok := s.addresses.Get(used.AllocationID)
			if !ok || address.NetworkInterfaceID != used.NetworkInterfaceID {
				continue
			}
			address.AssociationID, address.NetworkInterfaceID = "", ""
			if err := s.addresses.Put(address); err != nil {
				return err
			}
		}
		if now.Sub(gateway.DeleteTime.Time) > natMemory {
			if err := s.natGateways.Remove(gateway.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

type describeNatGatewaysInput struct {
	query
	IDs []string `json:"NatGatewayId"`
}

type describeNatGatewaysOutput struct {
	Gateways  []NatGateway `json:"natGatewaySet"`
	NextToken string       `json:"nextToken,omitempty"`
}

func (s *Service) describeNatGateways(ctx context.Context, in *describeNatGatewaysInput) (*describeNatGatewaysOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.settleNatGateways(); err != nil {
		return nil, err
	}
	all := s.natGateways.All()
	for i, gateway := range all {
		all[i] = gateway.at(s.now())
	}
	found, next, err := describe(all, natListing, in.IDs, in.query)
	return &describeNatGatewaysOutput{found, next}, err
}

type natGatewayInput struct {
	ID string `json:"NatGatewayId"`
}

type deleteNatGatewayOutput struct {
	ID string `json:"natGatewayId"`
}

func (s *Service) deleteNatGateway(ctx context.Context, in *natGatewayInput) (*deleteNatGatewayOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gateway, ok := s.natGateways.Get(in.ID)
	if !ok {
		return nil, natListing.absent(in.ID)
	}
	if gateway.DeleteTime == nil {
		gateway.DeleteTime = wire.AtPtr(s.now())
	}
	return &deleteNatGatewayOutput{in.ID}, s.natGateways.Put(gateway)
}

func noAddress(allocationID string) *wire.Error {
	return missing("InvalidAllocationID.NotFound", "allocation", allocationID)
}

type allocateAddressInput struct {
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

func (s *Service) allocateAddress(ctx context.Context, in *allocateAddressInput) (*Address, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// 198.51.100.0/24 and 203.0.113.0/24 are for documentation: nothing real has them.
	n := s.addresses.Len()
	address := Address{
		AllocationID: s.newID("eipalloc"), PublicIP: fmt.Sprintf("203.0.113.%d", 1+n%254), Domain: "vpc",
		NetworkBorderGroup: s.config.Region, Tags: tagsFor("elastic-ip", in.TagSpecifications),
	}
	return &address, s.addresses.Put(address)
}

type describeAddressesInput struct {
	query
	IDs []string `json:"AllocationId"`
}

type describeAddressesOutput struct {
	Addresses []Address `json:"addressesSet"`
}

func (s *Service) describeAddresses(ctx context.Context, in *describeAddressesInput) (*describeAddressesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.settleNatGateways(); err != nil {
		return nil, err
	}
	found, _, err := describe(s.addresses.All(), listing[Address]{
		id: func(v Address) string { return v.AllocationID }, tags: func(v Address) []Tag { return v.Tags },
		absent: noAddress,
		fields: func(v Address) map[string][]string {
			return map[string][]string{
				"allocation-id": {v.AllocationID}, "public-ip": {v.PublicIP}, "domain": {v.Domain},
				"association-id": {v.AssociationID}, "network-interface-id": {v.NetworkInterfaceID},
			}
		},
	}, in.IDs, in.query)
	return &describeAddressesOutput{found}, err
}

type releaseAddressInput struct {
	AllocationID string `json:"AllocationId"`
}

func (s *Service) releaseAddress(ctx context.Context, in *releaseAddressInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.settleNatGateways(); err != nil {
		return nil, err
	}
	address, ok := s.addresses.Get(in.AllocationID)
	if !ok {
		return nil, noAddress(in.AllocationID)
	}
	if address.AssociationID != "" {
		return nil, wire.Errorf("InvalidIPAddress.InUse", "Address %s is in use.", address.PublicIP)
	}
	return done, s.addresses.Remove(address.AllocationID)
}
