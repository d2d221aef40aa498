package ec2

import (
	"context"
	"net/netip"

	"portolan/local/wire"
)

// A Vpc is a virtual private cloud.
type Vpc struct {
	VpcID              string `json:"vpcId"`
	CidrBlock          string `json:"cidrBlock"`
	State              string `json:"state"`
	IsDefault          bool   `json:"isDefault"`
	OwnerID            string `json:"ownerId"`
	DhcpOptionsID      string `json:"dhcpOptionsId"`
	InstanceTenancy    string `json:"instanceTenancy"`
	Tags               []Tag  `json:"tagSet"`
	EnableDNSSupport   bool   `json:"enableDnsSupport"`
	EnableDNSHostnames bool   `json:"enableDnsHostnames"`
}

var vpcListing = listing[Vpc]{
	id:     func(v Vpc) string { return v.VpcID },
	tags:   func(v Vpc) []Tag { return v.Tags },
	absent: func(id string) *wire.Error { return missing("InvalidVpcID.NotFound", "vpc", id) },
	fields: func(v Vpc) map[string][]string {
		return map[string][]string{
			"vpc-id": {v.VpcID}, "cidr": {v.CidrBlock}, "cidrBlock": {v.CidrBlock}, "state": {v.State},
			"is-default": boolText(v.IsDefault), "isDefault": boolText(v.IsDefault), "owner-id": {v.OwnerID},
			"cidr-block-association.cidr-block": {v.CidrBlock},
		}
	},
}

func (s *Service) networkOperations(operations map[string]wire.Operation) {
	operations["CreateVpc"] = wire.Op(s.createVpc)
	operations["DescribeVpcs"] = wire.Op(s.describeVpcs)
	operations["DescribeVpcAttribute"] = wire.Op(s.describeVpcAttribute)
	operations["ModifyVpcAttribute"] = wire.Op(s.modifyVpcAttribute)
	operations["DeleteVpc"] = wire.Op(s.deleteVpc)
	operations["CreateSubnet"] = wire.Op(s.createSubnet)
	operations["DescribeSubnets"] = wire.Op(s.describeSubnets)
	operations["ModifySubnetAttribute"] = wire.Op(s.modifySubnetAttribute)
	operations["DeleteSubnet"] = wire.Op(s.deleteSubnet)
	operations["DescribeAvailabilityZones"] = wire.Op(s.describeAvailabilityZones)
}

type createVpcInput struct {
	CidrBlock         string             `json:"CidrBlock"`
	InstanceTenancy   string             `json:"InstanceTenancy"`
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

type vpcOutput struct {
	Vpc Vpc `json:"vpc"`
}

func (s *Service) createVpc(ctx context.Context, in *createVpcInput) (*vpcOutput, error) {
	prefix, err := netip.ParsePrefix(in.CidrBlock)
	if err != nil || !prefix.Addr().Is4() || prefix != prefix.Masked() {
		return nil, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter cidrBlock is invalid. "+
			"This is not a valid CIDR block.", in.CidrBlock)
	}
	if prefix.Bits() < 16 || prefix.Bits() > 28 {
		return nil, wire.Errorf("InvalidVpc.Range", "The CIDR '%s' is invalid.", in.CidrBlock)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, err := s.addVpc(in.CidrBlock, false, tagsFor("vpc", in.TagSpecifications))
	return &vpcOutput{vpc}, err
}

// addVpc makes a VPC with what each VPC comes with: a main route table and a
// default security group.
func (s *Service) addVpc(cidr string, isDefault bool, tags []Tag) (Vpc, error) {
	vpc := Vpc{
		VpcID: s.newID("vpc"), CidrBlock: cidr, State: "available", IsDefault: isDefault,
		OwnerID: s.config.Account, DhcpOptionsID: "dopt-00000000000000000", InstanceTenancy: "default",
		Tags: tags, EnableDNSSupport: true, EnableDNSHostnames: isDefault,
	}
	if err := s.vpcs.Put(vpc); err != nil {
		return Vpc{}, err
	}
	table := s.newRouteTable(vpc, nil)
	table.Associations = []Association{{
		ID: s.newID("rtbassoc"), RouteTableID: table.ID, Main: true, State: associated,
	}}
	if err := s.routeTables.Put(table); err != nil {
		return Vpc{}, err
	}
	group := s.newSecurityGroup(vpc.VpcID, "default", "default VPC security group", nil)
	group.Ingress = []Permission{{IPProtocol: "-1", Groups: []GroupPair{{GroupID: group.GroupID, UserID: s.config.Account}}}}
	return vpc, s.groups.Put(group)
}

// makeDefaultVpc makes the VPC that an account has from the start: one public
// subnet in each zone.
func (s *Service) makeDefaultVpc() error {
	vpc, err := s.addVpc("172.31.0.0/16", true, nil)
	if err != nil {
		return err
	}
	gateway := InternetGateway{
		ID: s.newID("igw"), OwnerID: s.config.Account,
		Attachments: []GatewayAttachment{{VpcID: vpc.VpcID, State: "available"}},
	}
	if err := s.gateways.Put(gateway); err != nil {
		return err
	}
	main, _ := s.mainRouteTable(vpc.VpcID)
	main.Routes = append(main.Routes, Route{
		DestinationCidrBlock: "0.0.0.0/0", GatewayID: gateway.ID, Origin: "CreateRoute", State: "active",
	})
	if err := s.routeTables.Put(main); err != nil {
		return err
	}
	for i, cidr := range []string{"172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20"} {
		subnet := s.newSubnet(vpc.VpcID, cidr, s.AvailabilityZones()[i], nil)
		subnet.DefaultForAz, subnet.MapPublicIPOnLaunch = true, true
		if err := s.subnets.Put(subnet); err != nil {
			return err
		}
	}
	return nil
}

type describeVpcsInput struct {
	query
	IDs []string `json:"VpcId"`
}

type describeVpcsOutput struct {
	Vpcs      []Vpc  `json:"vpcSet"`
	NextToken string `json:"nextToken,omitempty"`
}

func (s *Service) describeVpcs(ctx context.Context, in *describeVpcsInput) (*describeVpcsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := describe(s.vpcs.All(), vpcListing, in.IDs, in.query)
	return &describeVpcsOutput{found, next}, err
}

type attributeValue struct {
	Value bool `json:"value"`
}

type describeVpcAttributeInput struct {
	VpcID     string `json:"VpcId"`
	Attribute string `json:"Attribute"`
}

type describeVpcAttributeOutput struct {
	VpcID              string          `json:"vpcId"`
	EnableDNSSupport   *attributeValue `json:"enableDnsSupport"`
	EnableDNSHostnames *attributeValue `json:"enableDnsHostnames"`
}

func (s *Service) describeVpcAttribute(ctx context.Context, in *describeVpcAttributeInput) (*describeVpcAttributeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, ok := s.vpcs.Get(in.VpcID)
	if !ok {
		return nil, vpcListing.absent(in.VpcID)
	}
	out := &describeVpcAttributeOutput{VpcID: vpc.VpcID}
	switch in.Attribute {
	case "enableDnsSupport":
		out.EnableDNSSupport = &attributeValue{vpc.EnableDNSSupport}
	case "enableDnsHostnames":
		out.EnableDNSHostnames = &attributeValue{vpc.EnableDNSHostnames}
	default:
		return nil, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter attribute is invalid.", in.Attribute)
	}
	return out, nil
}

type modifyVpcAttributeInput struct {
	VpcID              string          `json:"VpcId"`
	EnableDNSSupport   *attributeValue `json:"EnableDnsSupport"`
	EnableDNSHostnames *attributeValue `json:"EnableDnsHostnames"`
}

func (s *Service) modifyVpcAttribute(ctx context.Context, in *modifyVpcAttributeInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, ok := s.vpcs.Get(in.VpcID)
	if !ok {
		return nil, vpcListing.absent(in.VpcID)
	}
	if in.EnableDNSSupport != nil {
		vpc.EnableDNSSupport = in.EnableDNSSupport.Value
	}
	if in.EnableDNSHostnames != nil {
		vpc.EnableDNSHostnames = in.EnableDNSHostnames.Value
	}
	return done, s.vpcs.Put(vpc)
}

type vpcInput struct {
	VpcID string `json:"VpcId"`
}

// deleteVpc takes the main route table and the default security group along;
// everything else in the VPC must be gone before.
func (s *Service) deleteVpc(ctx context.Context, in *vpcInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, ok := s.vpcs.Get(in.VpcID)
	if !ok {
		return nil, vpcListing.absent(in.VpcID)
	}
	if s.vpcIsInUse(vpc.VpcID) {
		return nil, dependency("vpc", vpc.VpcID)
	}
	for _, table := range s.routeTables.Find(func(t RouteTable) bool { return t.VpcID == vpc.VpcID }) {
		if err := s.routeTables.Remove(table.ID); err != nil {
			return nil, err
		}
	}
	for _, group := range s.groups.Find(func(g SecurityGroup) bool { return g.VpcID == vpc.VpcID }) {
		if err := s.groups.Remove(group.GroupID); err != nil {
			return nil, err
		}
	}
	return done, s.vpcs.Remove(vpc.VpcID)
}

func (s *Service) vpcIsInUse(id string) bool {
	_, subnet := s.subnets.First(func(v Subnet) bool { return v.VpcID == id })
	_, gateway := s.gateways.First(func(v InternetGateway) bool { return v.attachedTo(id) })
	_, table := s.routeTables.First(func(v RouteTable) bool { return v.VpcID == id && !v.isMain() })
	_, group := s.groups.First(func(v SecurityGroup) bool { return v.VpcID == id && v.GroupName != "default" })
	return subnet || gateway || table || group
}
