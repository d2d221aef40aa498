package ec2

import (
	"context"
	"slices"

	"portolan/local/wire"
)

// A RouteTable is a route table of a VPC.
type RouteTable struct {
	ID           string        `json:"routeTableId"`
	VpcID        string        `json:"vpcId"`
	OwnerID      string        `json:"ownerId"`
	Routes       []Route       `json:"routeSet"`
	Associations []Association `json:"associationSet"`
	Tags         []Tag         `json:"tagSet"`
}

// A Route says where traffic to a range goes.
type Route struct {
	DestinationCidrBlock string `json:"destinationCidrBlock"`
	GatewayID            string `json:"gatewayId,omitempty"`
	NatGatewayID         string `json:"natGatewayId,omitempty"`
	Origin               string `json:"origin"`
	State                string `json:"state"`
}

// An Association makes a route table that of a subnet, or the main one.
type Association struct {
	ID           string           `json:"routeTableAssociationId"`
	RouteTableID string           `json:"routeTableId"`
	SubnetID     string           `json:"subnetId,omitempty"`
	Main         bool             `json:"main"`
	State        AssociationState `json:"associationState"`
}

// An AssociationState is the state of an association.
type AssociationState struct {
	State string `json:"state"`
}

var associated = AssociationState{"associated"}

func (t RouteTable) isMain() bool {
	return slices.ContainsFunc(t.Associations, func(a Association) bool { return a.Main })
}

func (s *Service) routeOperations(operations map[string]wire.Operation) {
	operations["CreateRouteTable"] = wire.Op(s.createRouteTable)
	operations["DescribeRouteTables"] = wire.Op(s.describeRouteTables)
	operations["DeleteRouteTable"] = wire.Op(s.deleteRouteTable)
	operations["CreateRoute"] = wire.Op(s.createRoute)
	operations["ReplaceRoute"] = wire.Op(s.replaceRoute)
	operations["DeleteRoute"] = wire.Op(s.deleteRoute)
	operations["AssociateRouteTable"] = wire.Op(s.associateRouteTable)
	operations["DisassociateRouteTable"] = wire.Op(s.disassociateRouteTable)
}

var routeTableListing = listing[RouteTable]{
	id:     func(v RouteTable) string { return v.ID },
	tags:   func(v RouteTable) []Tag { return v.Tags },
	absent: func(id string) *wire.Error { return missing("InvalidRouteTableID.NotFound", "routeTable", id) },
	fields: func(v RouteTable) map[string][]string {
		fields := map[string][]string{
			"route-table-id": {v.ID}, "vpc-id": {v.VpcID}, "owner-id": {v.OwnerID}, "association.main": {},
			"association.subnet-id": {}, "association.route-table-association-id": {}, "route.gateway-id": {},
			"route.nat-gateway-id": {}, "route.destination-cidr-block": {},
		}
		add := func(name, value string) { fields[name] = append(fields[name], value) }
		for _, a := range v.Associations {
			add("association.main", boolText(a.Main)[0])
			add("association.subnet-id", a.SubnetID)
			add("association.route-table-association-id", a.ID)
		}
		for _, r := range v.Routes {
			add("route.gateway-id", r.GatewayID)
			add("route.nat-gateway-id", r.NatGatewayID)
			add("route.destination-cidr-block", r.DestinationCidrBlock)
		}
		return fields
	},
}

func (s *Service) newRouteTable(vpc Vpc, tags []Tag) RouteTable {
	local := Route{
		DestinationCidrBlock: vpc.CidrBlock, GatewayID: "local", Origin: "CreateRouteTable", State: "active",
	}
	return RouteTable{
		ID: s.newID("rtb"), VpcID: vpc.VpcID, OwnerID: s.config.Account, Routes: []Route{local}, Tags: tags,
	}
}

func (s *Service) mainRouteTable(vpcID string) (RouteTable, bool) {
	return s.routeTables.First(func(t RouteTable) bool { return t.VpcID == vpcID && t.isMain() })
}

type createRouteTableInput struct {
	VpcID             string             `json:"VpcId"`
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

type routeTableOutput struct {
	RouteTable RouteTable `json:"routeTable"`
}

func (s *Service) createRouteTable(ctx context.Context, in *createRouteTableInput) (*routeTableOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, ok := s.vpcs.Get(in.VpcID)
	if !ok {
		return nil, vpcListing.absent(in.VpcID)
	}
	table := s.newRouteTable(vpc, tagsFor("route-table", in.TagSpecifications))
	return &routeTableOutput{table}, s.routeTables.Put(table)
}

type describeRouteTablesInput struct {
	query
	IDs []string `json:"RouteTableId"`
}

type describeRouteTablesOutput struct {
	RouteTables []RouteTable `json:"routeTableSet"`
	NextToken   string       `json:"nextToken,omitempty"`
}

func (s *Service) describeRouteTables(ctx context.Context, in *describeRouteTablesInput) (*describeRouteTablesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := describe(s.routeTables.All(), routeTableListing, in.IDs, in.query)
	return &describeRouteTablesOutput{found, next}, err
}

type routeTableInput struct {
	ID string `json:"RouteTableId"`
}

func (s *Service) deleteRouteTable(ctx context.Context, in *routeTableInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, ok := s.routeTables.Get(in.ID)
	if !ok {
		return nil, routeTableListing.absent(in.ID)
	}
	if len(table.Associations) > 0 {
		return nil, dependency("routeTable", table.ID)
	}
	return done, s.routeTables.Remove(table.ID)
}

type routeInput struct {
	RouteTableID         string `json:"RouteTableId"`
	DestinationCidrBlock string `json:"DestinationCidrBlock"`
	GatewayID            string `json:"GatewayId"`
	NatGatewayID         string `json:"NatGatewayId"`
}

func (s *Service) createRoute(ctx context.Context, in *routeInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, ok := s.routeTables.Get(in.RouteTableID)
	if !ok {
		return nil, routeTableListing.absent(in.RouteTableID)
	}
	if table.routeTo(in.DestinationCidrBlock) >= 0 {
		return nil, wire.Errorf("RouteAlreadyExists", "The route identified by %s already exists.", in.DestinationCidrBlock)
	}
	if err := s.checkTarget(in); err != nil {
		return nil, err
	}
	table.Routes = append(slices.Clone(table.Routes), in.route())
	return done, s.routeTables.Put(table)
}

func (s *Service) replaceRoute(ctx context.Context, in *routeInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, i, err := s.findRoute(in.RouteTableID, in.DestinationCidrBlock)
	if err != nil {
		return nil, err
	}
	if err := s.checkTarget(in); err != nil {
		return nil, err
	}
	table.Routes = slices.Clone(table.Routes)
	table.Routes[i] = in.route()
	return done, s.routeTables.Put(table)
}

func (in *routeInput) route() Route {
	return Route{in.DestinationCidrBlock, in.GatewayID, in.NatGatewayID, "CreateRoute", "active"}
}

func (t RouteTable) routeTo(cidr string) int {
	return slices.IndexFunc(t.Routes, func(r Route) bool { return r.DestinationCidrBlock == cidr })
}

func (s *Service) findRoute(tableID, cidr string) (RouteTable, int, error) {
	table, ok := s.routeTables.Get(tableID)
	if !ok {
		return RouteTable{}, 0, routeTableListing.absent(tableID)
	}
	i := table.routeTo(cidr)
	if i < 0 {
		return RouteTable{}, 0, wire.Errorf("InvalidRoute.NotFound",
			"no route with destination-cidr-block %s in route table %s", cidr, tableID)
	}
	return table, i, nil
}

func (s *Service) checkTarget(in *routeInput) error {
	if in.NatGatewayID != "" {
		gateway, ok := s.natGateways.Get(in.NatGatewayID)
		if !ok || gateway.DeleteTime != nil {
			return missing("InvalidNatGatewayID.NotFound", "natGateway", in.NatGatewayID)
		}
		return nil
	}
	if in.GatewayID == "" {
		return wire.Errorf("MissingParameter", "The request must contain exactly one of gatewayId, natGatewayId, "+
			"networkInterfaceId, vpcPeeringConnectionId or transitGatewayId")
	}
	if _, ok := s.gateways.Get(in.GatewayID); !ok {
		return gatewayListing.absent(in.GatewayID)
	}
	return nil
}

func (s *Service) deleteRoute(ctx context.Context, in *routeInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, i, err := s.findRoute(in.RouteTableID, in.DestinationCidrBlock)
	if err != nil {
		return nil, err
	}
	table.Routes = slices.Delete(slices.Clone(table.Routes), i, i+1)
	return done, s.routeTables.Put(table)
}

type associateRouteTableInput struct {
	RouteTableID string `json:"RouteTableId"`
	SubnetID     string `json:"SubnetId"`
}

type associateRouteTableOutput struct {
	ID    string           `json:"associationId"`
	State AssociationState `json:"associationState"`
}

func (s *Service) associateRouteTable(ctx context.Context, in *associateRouteTableInput) (*associateRouteTableOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, ok := s.routeTables.Get(in.RouteTableID)
	if !ok {
		return nil, routeTableListing.absent(in.RouteTableID)
	}
	if _, ok := s.subnets.Get(in.SubnetID); !ok {
		return nil, subnetListing.absent(in.SubnetID)
	}
	for _, other := range s.routeTables.All() {
		i := slices.IndexFunc(other.Associations, func(a Association) bool { return a.SubnetID == in.SubnetID })
		if i >= 0 && other.ID == table.ID {
			return &associateRouteTableOutput{other.Associations[i].ID, associated}, nil
		}
		if i >= 0 {
			return nil, wire.Errorf("Resource.AlreadyAssociated", "the specified association for route table %s "+
				"conflicts with an existing association", in.RouteTableID)
		}
	}
	association := Association{
		ID: s.newID("rtbassoc"), RouteTableID: table.ID, SubnetID: in.SubnetID, State: associated,
	}
	table.Associations = append(slices.Clone(table.Associations), association)
	return &associateRouteTableOutput{association.ID, associated}, s.routeTables.Put(table)
}

type disassociateRouteTableInput struct {
	ID string `json:"AssociationId"`
}

func (s *Service) disassociateRouteTable(ctx context.Context, in *disassociateRouteTableInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, table := range s.routeTables.All() {
		if slices.ContainsFunc(table.Associations, func(a Association) bool { return a.ID == in.ID }) {
			return done, s.dissociate(table, func(a Association) bool { return a.ID == in.ID })
		}
	}
	return nil, missing("InvalidAssociationID.NotFound", "association", in.ID)
}

// dissociate removes the associations of the table that match.
func (s *Service) dissociate(table RouteTable, match func(Association) bool) error {
	if !slices.ContainsFunc(table.Associations, match) {
		return nil
	}
	table.Associations = slices.DeleteFunc(slices.Clone(table.Associations), match)
	return s.routeTables.Put(table)
}
