package resources

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/local/cloudformation"
)

func (m *maker) gatewayKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::EC2::InternetGateway"] = cloudformation.Kind{
		Provider: provider{
			create: m.createInternetGateway,
			update: m.retagged(func(r cloudformation.Request) map[string]any {
				return map[string]any{"InternetGatewayId": r.PhysicalID}
			}),
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ec2.DeleteInternetGateway(ctx, &ec2.DeleteInternetGatewayInput{InternetGatewayId: &r.PhysicalID})
				return err
			},
		},
		Patience: dependencyPatience, CreateTakes: 15 * time.Second, UpdateTakes: time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::EC2::VPCGatewayAttachment"] = cloudformation.Kind{
		Provider:   provider{create: m.attachGateway, remove: m.detachGateway},
		CreateOnly: []string{"VpcId", "InternetGatewayId"}, Patience: dependencyPatience,
		CreateTakes: 8 * time.Second, DeleteTakes: 5 * time.Second,
	}
	kinds["AWS::EC2::EIP"] = cloudformation.Kind{
		Provider: provider{
			create: m.allocateAddress, update: m.updateAddress,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				id, err := m.allocationOf(ctx, r.PhysicalID)
				if err != nil || id == "" {
					return err
				}
				_, err = m.ec2.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: &id})
				return err
			},
		},
		Patience: dependencyPatience, CreateTakes: 15 * time.Second, UpdateTakes: time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::EC2::NatGateway"] = cloudformation.Kind{
		Provider: provider{
			create: m.createNatGateway, remove: m.deleteNatGateway,
			update: m.retagged(func(r cloudformation.Request) map[string]any {
				return map[string]any{"NatGatewayId": r.PhysicalID}
			}),
			stable: m.natGatewayStable,
		},
		CreateOnly: []string{"SubnetId", "ConnectivityType", "AllocationId"}, Patience: 15 * time.Minute,
		// EC2 takes longer still: to look before is to look in vain.
		CreateTakes: 100 * time.Second, UpdateTakes: time.Second, DeleteTakes: time.Second,
	}
}

func (m *maker) createInternetGateway(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if r.Again {
		found, err := m.ec2.DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{Filters: ownFilters(r)})
		if err != nil {
			return failed(err)
		}
		if len(found.InternetGateways) > 0 {
			id := *found.InternetGateways[0].InternetGatewayId
			return made(id, map[string]any{"InternetGatewayId": id})
		}
	}
	out, err := m.ec2.CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{
		TagSpecifications: tagSpecifications(r, types.ResourceTypeInternetGateway),
	})
	if err != nil {
		return failed(err)
	}
	id := *out.InternetGateway.InternetGatewayId
	return made(id, map[string]any{"InternetGatewayId": id})
}

// attachGateway takes a gateway that is attached already for its own work.
func (m *maker) attachGateway(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	vpc, gateway := of(r).text("VpcId"), of(r).text("InternetGatewayId")
	_, err := m.ec2.AttachInternetGateway(ctx, &ec2.AttachInternetGatewayInput{VpcId: &vpc, InternetGatewayId: &gateway})
	if err != nil && !isCode(err, "Resource.AlreadyAssociated") {
		return failed(err)
	}
	return made("IGW|"+vpc, map[string]any{"AttachmentType": "IGW"})
}

func (m *maker) detachGateway(ctx context.Context, r cloudformation.Request) error {
	_, err := m.ec2.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{
		VpcId: of(r).optional("VpcId"), InternetGatewayId: of(r).optional("InternetGatewayId"),
	})
	return err
}

func (m *maker) allocateAddress(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	if r.Again {
		found, err := m.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{Filters: ownFilters(r)})
		if err != nil {
			return failed(err)
		}
		if len(found.Addresses) > 0 {
			return addressMade(*found.Addresses[0].PublicIp, *found.Addresses[0].AllocationId)
		}
	}
	out, err := m.ec2.AllocateAddress(ctx, &ec2.AllocateAddressInput{
		Domain: types.DomainTypeVpc, TagSpecifications: tagSpecifications(r, types.ResourceTypeElasticIp),
	})
	if err != nil {
		return failed(err)
	}
	return addressMade(*out.PublicIp, *out.AllocationId)
}

func addressMade(ip, allocation string) (cloudformation.Made, error) {
	return made(ip, map[string]any{"AllocationId": allocation, "PublicIp": ip})
}

// allocationOf is the allocation of a public address, empty when there is none.
func (m *maker) allocationOf(ctx context.Context, ip string) (string, error) {
	found, err := m.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{
		Filters: []types.Filter{{Name: aws.String("public-ip"), Values: []string{ip}}},
	})
	if err != nil || len(found.Addresses) == 0 {
		return "", err
	}
	return *found.Addresses[0].AllocationId, nil
}

func (m *maker) updateAddress(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	ip := r.PhysicalID
	id, err := m.allocationOf(ctx, ip)
	if err != nil {
		return failed(err)
	}
	r.PhysicalID = id
	if err := m.retag(ctx, r); err != nil {
		return failed(err)
	}
	return addressMade(ip, id)
}

func (m *maker) createNatGateway(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	out, err := m.ec2.CreateNatGateway(ctx, &ec2.CreateNatGatewayInput{
		SubnetId: of(r).optional("SubnetId"), AllocationId: of(r).optional("AllocationId"), ClientToken: &r.Token,
		ConnectivityType:  types.ConnectivityType(of(r).text("ConnectivityType")),
		TagSpecifications: tagSpecifications(r, types.ResourceTypeNatgateway),
	})
	if err != nil {
		return failed(err)
	}
	id := *out.NatGateway.NatGatewayId
	return made(id, map[string]any{"NatGatewayId": id})
}

func (m *maker) natGateway(ctx context.Context, id string) (types.NatGatewayState, error) {
	out, err := m.ec2.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{id}})
	if err != nil {
		return "", err
	}
	return out.NatGateways[0].State, nil
}

func (m *maker) natGatewayStable(ctx context.Context, r cloudformation.Request) error {
	state, err := m.natGateway(ctx, r.PhysicalID)
	if err != nil || state == types.NatGatewayStateAvailable {
		return err
	}
	return pending("NatGateway %s is in state %s and hence failed to stabilize.", r.PhysicalID, strings.ToLower(string(state)))
}

// deleteNatGateway is done when the gateway is gone, and not only going.
func (m *maker) deleteNatGateway(ctx context.Context, r cloudformation.Request) error {
	state, err := m.natGateway(ctx, r.PhysicalID)
	if err != nil || state == types.NatGatewayStateDeleted {
		return err
	}
	if state != types.NatGatewayStateDeleting {
		if _, err := m.ec2.DeleteNatGateway(ctx, &ec2.DeleteNatGatewayInput{NatGatewayId: &r.PhysicalID}); err != nil {
			return err
		}
	}
	return pending("NatGateway %s is still being deleted.", r.PhysicalID)
}
