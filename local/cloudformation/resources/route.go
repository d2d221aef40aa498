package resources

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/local/cloudformation"
)

func (m *maker) routeKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::EC2::RouteTable"] = cloudformation.Kind{
		Provider: provider{
			create: m.createRouteTable,
			update: m.retagged(func(r cloudformation.Request) map[string]any {
				return map[string]any{"RouteTableId": r.PhysicalID}
			}),
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ec2.DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: &r.PhysicalID})
				return err
			},
		},
		CreateOnly: []string{"VpcId"}, Patience: dependencyPatience,
		CreateTakes: 10 * time.Second, UpdateTakes: time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::EC2::Route"] = cloudformation.Kind{
		Provider: provider{
			create: m.createRoute, update: m.replaceRoute,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ec2.DeleteRoute(ctx, &ec2.DeleteRouteInput{
					RouteTableId: of(r).optional("RouteTableId"), DestinationCidrBlock: of(r).optional("DestinationCidrBlock"),
				})
				return err
			},
		},
		CreateOnly:  []string{"RouteTableId", "DestinationCidrBlock"},
		CreateTakes: 3 * time.Second, UpdateTakes: 3 * time.Second, DeleteTakes: 2 * time.Second,
	}
	kinds["AWS::EC2::SubnetRouteTableAssociation"] = cloudformation.Kind{
		Provider: provider{
			create: m.associateRouteTable,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ec2.DisassociateRouteTable(ctx, &ec2.DisassociateRouteTableInput{AssociationId: &r.PhysicalID})
				return err
			},
		},
		CreateOnly: []string{"SubnetId", "RouteTableId"}, CreateTakes: 3 * time.Second, DeleteTakes: time.Second,
	}
}

func (m *maker) createRouteTable(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if r.Again && r.Previous == nil {
		found, err := m.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: ownFilters(r)})
		if err != nil {
			return failed(err)
		}
		if len(found.RouteTables) > 0 {
			id := *found.RouteTables[0].RouteTableId
			return made(id, map[string]any{"RouteTableId": id})
		}
	}
	out, err := m.ec2.CreateRouteTable(ctx, &ec2.CreateRouteTableInput{
		VpcId: of(r).optional("VpcId"), TagSpecifications: tagSpecifications(r, types.ResourceTypeRouteTable),
	})
	if err != nil {
		return failed(err)
	}
	id := *out.RouteTable.RouteTableId
	return made(id, map[string]any{"RouteTableId": id})
}

func (m *maker) createRoute(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	_, err := m.ec2.CreateRoute(ctx, &ec2.CreateRouteInput{
		RouteTableId: of(r).optional("RouteTableId"), DestinationCidrBlock: of(r).optional("DestinationCidrBlock"),
		GatewayId: of(r).optional("GatewayId"), NatGatewayId: of(r).optional("NatGatewayId"),
	})
	if r.Again && isCode(err, "RouteAlreadyExists") {
		return m.foundRoute(ctx, r, err)
	}
	if err != nil {
		return failed(err)
	}
	return routeMade(r)
}

// foundRoute takes a route that an earlier try made, if it leads where r wants it to; else it
// fails as the try of now did.
func (m *maker) foundRoute(ctx context.Context, r cloudformation.Request, refused error) (cloudformation.Made, error) {
	found, err := m.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{RouteTableIds: []string{of(r).text("RouteTableId")}})
	if err != nil {
		return failed(err)
	}
	for _, table := range found.RouteTables {
		for _, route := range table.Routes {
			if aws.ToString(route.DestinationCidrBlock) == of(r).text("DestinationCidrBlock") &&
				aws.ToString(route.GatewayId) == of(r).text("GatewayId") && aws.ToString(route.NatGatewayId) == of(r).text("NatGatewayId") {
				return routeMade(r)
			}
		}
	}
	return failed(refused)
}

func (m *maker) replaceRoute(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	_, err := m.ec2.ReplaceRoute(ctx, &ec2.ReplaceRouteInput{
		RouteTableId: of(r).optional("RouteTableId"), DestinationCidrBlock: of(r).optional("DestinationCidrBlock"),
		GatewayId: of(r).optional("GatewayId"), NatGatewayId: of(r).optional("NatGatewayId"),
	})
	if err != nil {
		return failed(err)
	}
	return routeMade(r)
}

func routeMade(r cloudformation.Request) (cloudformation.Made, error) {
	cidr := of(r).text("DestinationCidrBlock")
	return made(of(r).text("RouteTableId")+"|"+cidr, map[string]any{"CidrBlock": cidr})
}

// associateRouteTable answers with the same association when it is asked again.
func (m *maker) associateRouteTable(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	out, err := m.ec2.AssociateRouteTable(ctx, &ec2.AssociateRouteTableInput{
		RouteTableId: of(r).optional("RouteTableId"), SubnetId: of(r).optional("SubnetId"),
	})
	if err != nil {
		return failed(err)
	}
	return made(*out.AssociationId, map[string]any{"Id": *out.AssociationId})
}
