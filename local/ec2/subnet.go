package ec2

import (
	"context"
	"net/netip"
	"slices"

	"portolan/local/wire"
)

// A Subnet is a subnet of a VPC in one availability zone.
type Subnet struct {
	SubnetID                string `json:"subnetId"`
	SubnetARN               string `json:"subnetArn"`
	VpcID                   string `json:"vpcId"`
	CidrBlock               string `json:"cidrBlock"`
	AvailabilityZone        string `json:"availabilityZone"`
	AvailabilityZoneID      string `json:"availabilityZoneId"`
	AvailableIPAddressCount int    `json:"availableIpAddressCount"`
	DefaultForAz            bool   `json:"defaultForAz"`
	MapPublicIPOnLaunch     bool   `json:"mapPublicIpOnLaunch"`
	State                   string `json:"state"`
	OwnerID                 string `json:"ownerId"`
	Tags                    []Tag  `json:"tagSet"`
}

var subnetListing = listing[Subnet]{
	id:     func(v Subnet) string { return v.SubnetID },
	tags:   func(v Subnet) []Tag { return v.Tags },
	absent: func(id string) *wire.Error { return missing("InvalidSubnetID.NotFound", "subnet", id) },
	fields: func(v Subnet) map[string][]string {
		return map[string][]string{
			"subnet-id": {v.SubnetID}, "vpc-id": {v.VpcID}, "cidr-block": {v.CidrBlock}, "cidr": {v.CidrBlock},
			"availability-zone": {v.AvailabilityZone}, "availabilityZone": {v.AvailabilityZone},
			"availability-zone-id": {v.AvailabilityZoneID}, "default-for-az": boolText(v.DefaultForAz),
			"map-public-ip-on-launch": boolText(v.MapPublicIPOnLaunch), "state": {v.State}, "owner-id": {v.OwnerID},
		}
	},
}

type createSubnetInput struct {
	VpcID             string             `json:"VpcId"`
	CidrBlock         string             `json:"CidrBlock"`
	AvailabilityZone  string             `json:"AvailabilityZone"`
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

type subnetOutput struct {
	Subnet Subnet `json:"subnet"`
}

func (s *Service) createSubnet(ctx context.Context, in *createSubnetInput) (*subnetOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, ok := s.vpcs.Get(in.VpcID)
	if !ok {
		return nil, vpcListing.absent(in.VpcID)
	}
	if err := s.checkSubnetRange(vpc, in.CidrBlock); err != nil {
		return nil, err
	}
	zones := s.AvailabilityZones()
	if in.AvailabilityZone == "" {
		in.AvailabilityZone = zones[0]
	}
	if !slices.Contains(zones, in.AvailabilityZone) {
		return nil, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter availabilityZone is invalid. "+
			"Subnets can currently only be created in the following availability zones: %s, %s, %s.",
			in.AvailabilityZone, zones[0], zones[1], zones[2])
	}
	subnet := s.newSubnet(vpc.VpcID, in.CidrBlock, in.AvailabilityZone, tagsFor("subnet", in.TagSpecifications))
	return &subnetOutput{subnet}, s.subnets.Put(subnet)
}

func (s *Service) checkSubnetRange(vpc Vpc, cidr string) error {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil || !prefix.Addr().Is4() || prefix != prefix.Masked() {
		return wire.Errorf("InvalidParameterValue", "Value (%s) for parameter cidrBlock is invalid. "+
			"This is not a valid CIDR block.", cidr)
	}
	outer := netip.MustParsePrefix(vpc.CidrBlock)
	if !outer.Contains(prefix.Addr()) || prefix.Bits() < outer.Bits() || prefix.Bits() > 28 {
		return wire.Errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", cidr)
	}
	_, overlaps := s.subnets.First(func(other Subnet) bool {
		return other.VpcID == vpc.VpcID && netip.MustParsePrefix(other.CidrBlock).Overlaps(prefix)
	})
	if overlaps {
		return wire.Errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
	}
	return nil
}

// reservedAddresses is how many addresses of each subnet AWS keeps for itself.
const reservedAddresses = 5

func (s *Service) newSubnet(vpcID, cidr, zone string, tags []Tag) Subnet {
	id := s.newID("subnet")
	bits := netip.MustParsePrefix(cidr).Bits()
	return Subnet{
		SubnetID: id, SubnetARN: s.arn("subnet", id), VpcID: vpcID, CidrBlock: cidr, AvailabilityZone: zone,
		AvailabilityZoneID:      zoneID(zone),
		AvailableIPAddressCount: 1<<(32-bits) - reservedAddresses, State: "available",
		OwnerID: s.config.Account, Tags: tags,
	}
}

// zoneID is an id of the form that zones have, such as az1 of a region.
func zoneID(zone string) string {
	last := len(zone) - 1
	return zone[:last] + "-az" + string('1'+zone[last]-'a')
}

type describeSubnetsInput struct {
	query
	IDs []string `json:"SubnetId"`
}

type describeSubnetsOutput struct {
	Subnets   []Subnet `json:"subnetSet"`
	NextToken string   `json:"nextToken,omitempty"`
}

func (s *Service) describeSubnets(ctx context.Context, in *describeSubnetsInput) (*describeSubnetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := describe(s.subnets.All(), subnetListing, in.IDs, in.query)
	return &describeSubnetsOutput{found, next}, err
}

// Subnet is the subnet of that id, and whether there is one.
func (s *Service) Subnet(id string) (Subnet, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subnets.Get(id)
}

type modifySubnetAttributeInput struct {
	SubnetID            string          `json:"SubnetId"`
	MapPublicIPOnLaunch *attributeValue `json:"MapPublicIpOnLaunch"`
}

func (s *Service) modifySubnetAttribute(ctx context.Context, in *modifySubnetAttributeInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	subnet, ok := s.subnets.Get(in.SubnetID)
	if !ok {
		return nil, subnetListing.absent(in.SubnetID)
	}
	if in.MapPublicIPOnLaunch != nil {
		subnet.MapPublicIPOnLaunch = in.MapPublicIPOnLaunch.Value
	}
	return done, s.subnets.Put(subnet)
}

type subnetInput struct {
	SubnetID string `json:"SubnetId"`
}

// deleteSubnet fails while a network interface is in the subnet. Its route table
// association goes with it.
func (s *Service) deleteSubnet(ctx context.Context, in *subnetInput) (*result, error) {
	interfaces := s.listInterfaces()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.subnets.Get(in.SubnetID); !ok {
		return nil, subnetListing.absent(in.SubnetID)
	}
	if slices.ContainsFunc(interfaces, func(v NetworkInterface) bool { return v.SubnetID == in.SubnetID }) {
		return nil, dependency("subnet", in.SubnetID)
	}
	for _, table := range s.routeTables.All() {
		if err := s.dissociate(table, func(a Association) bool { return a.SubnetID == in.SubnetID }); err != nil {
			return nil, err
		}
	}
	return done, s.subnets.Remove(in.SubnetID)
}

type zone struct {
	ZoneName    string `json:"zoneName"`
	ZoneID      string `json:"zoneId"`
	RegionName  string `json:"regionName"`
	State       string `json:"zoneState"`
	ZoneType    string `json:"zoneType"`
	GroupName   string `json:"groupName"`
	OptInStatus string `json:"optInStatus"`
}

type describeZonesInput struct {
	query
	Names []string `json:"ZoneName"`
}

type describeZonesOutput struct {
	Zones []zone `json:"availabilityZoneInfo"`
}

func (s *Service) describeAvailabilityZones(ctx context.Context, in *describeZonesInput) (*describeZonesOutput, error) {
	var all []zone
	for _, name := range s.AvailabilityZones() {
		all = append(all, zone{
			ZoneName: name, ZoneID: zoneID(name), RegionName: s.config.Region, State: "available",
			ZoneType: "availability-zone", GroupName: s.config.Region, OptInStatus: "opt-in-not-required",
		})
	}
	found, _, err := describe(all, listing[zone]{
		id:   func(z zone) string { return z.ZoneName },
		tags: func(zone) []Tag { return nil },
		absent: func(id string) *wire.Error {
			return wire.Errorf("InvalidParameterValue", "Invalid availability zone: [%s]", id)
		},
		fields: func(z zone) map[string][]string {
			return map[string][]string{
				"zone-name": {z.ZoneName}, "zone-id": {z.ZoneID}, "region-name": {z.RegionName}, "state": {z.State},
				"zone-type": {z.ZoneType}, "group-name": {z.GroupName}, "opt-in-status": {z.OptInStatus},
			}
		},
	}, in.Names, in.query)
	return &describeZonesOutput{found}, err
}
