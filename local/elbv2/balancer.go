package elbv2

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"portolan/local/wire"
)

// provisioning is how long a load balancer takes until it is active.
const provisioning = 130 * time.Second

// A LoadBalancer is an Application Load Balancer.
type LoadBalancer struct {
	ARN            string      `json:"LoadBalancerArn"`
	Name           string      `json:"LoadBalancerName"`
	DNSName        string      `json:"DNSName"`
	HostedZoneID   string      `json:"CanonicalHostedZoneId"`
	CreatedTime    wire.Time   `json:"CreatedTime"`
	Scheme         string      `json:"Scheme"`
	VpcID          string      `json:"VpcId"`
	State          State       `json:"State"`
	Type           string      `json:"Type"`
	Zones          []Zone      `json:"AvailabilityZones"`
	SecurityGroups []string    `json:"SecurityGroups"`
	IPAddressType  string      `json:"IpAddressType"`
	Attributes     []Attribute `json:"Attributes"`
	Tags           []Tag       `json:"Tags"`
}

// A State is a load balancer's state.
type State struct {
	Code string `json:"Code"`
}

// A Zone is a subnet of a load balancer.
type Zone struct {
	ZoneName string `json:"ZoneName"`
	SubnetID string `json:"SubnetId"`
}

// An Attribute is a setting of a load balancer or a target group.
type Attribute struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// at is the load balancer as it is at a time.
func (b LoadBalancer) at(now time.Time) LoadBalancer {
	b.State.Code = "provisioning"
	if now.Sub(b.CreatedTime.Time) >= provisioning {
		b.State.Code = "active"
	}
	return b
}

var balancerDefaults = []Attribute{
	{"deletion_protection.enabled", "false"},
	{"idle_timeout.timeout_seconds", "60"},
	{"routing.http.drop_invalid_header_fields.enabled", "false"},
	{"routing.http2.enabled", "true"},
}

func noBalancer(names ...string) *wire.Error {
	return notFound("LoadBalancer", "Load balancers", names...)
}

func (s *Service) balancerOperations(operations map[string]wire.Operation) {
	operations["CreateLoadBalancer"] = wire.Op(s.createLoadBalancer)
	operations["DescribeLoadBalancers"] = wire.Op(s.describeLoadBalancers)
	operations["DescribeLoadBalancerAttributes"] = wire.Op(s.describeLoadBalancerAttributes)
	operations["ModifyLoadBalancerAttributes"] = wire.Op(s.modifyLoadBalancerAttributes)
	operations["SetSecurityGroups"] = wire.Op(s.setSecurityGroups)
	operations["SetSubnets"] = wire.Op(s.setSubnets)
	operations["DeleteLoadBalancer"] = wire.Op(s.deleteLoadBalancer)
}

type createLoadBalancerInput struct {
	Name           string   `json:"Name"`
	Subnets        []string `json:"Subnets"`
	SecurityGroups []string `json:"SecurityGroups"`
	Scheme         string   `json:"Scheme"`
	Type           string   `json:"Type"`
	Tags           []Tag    `json:"Tags"`
}

type loadBalancersOutput struct {
	LoadBalancers []LoadBalancer `json:"LoadBalancers"`
	NextMarker    string         `json:"NextMarker,omitempty"`
}

// createLoadBalancer answers with the existing one when it is asked for the same
// again, and refuses the name for another.
func (s *Service) createLoadBalancer(ctx context.Context, in *createLoadBalancerInput) (*loadBalancersOutput, error) {
	if in.Scheme == "" {
		in.Scheme = "internet-facing"
	}
	if in.Type != "" && in.Type != "application" {
		return nil, invalid("the embedded AWS has application load balancers only, not %s", in.Type)
	}
	zones, vpcID, err := s.zonesOf(in.Subnets)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if existing, ok := s.loadBalancers.First(func(b LoadBalancer) bool { return b.Name == in.Name }); ok {
		if existing.Scheme == in.Scheme && slices.Equal(existing.Zones, zones) && slices.Equal(existing.SecurityGroups, in.SecurityGroups) {
			return &loadBalancersOutput{LoadBalancers: []LoadBalancer{existing.at(s.now())}}, nil
		}
		return nil, wire.Errorf("DuplicateLoadBalancerName",
			"A load balancer with the same name '%s' exists, but with different settings", in.Name)
	}
	b := LoadBalancer{
		ARN: s.arn("loadbalancer/app/" + in.Name + "/" + s.config.IDs.Hex(16)), Name: in.Name,
		DNSName:      fmt.Sprintf("%s-%s.%s.elb.amazonaws.com", in.Name, s.config.IDs.Digits(10), s.config.Region),
		HostedZoneID: "Z32O12XQLNTSW2", CreatedTime: wire.At(s.now()), Scheme: in.Scheme, VpcID: vpcID,
		Type: "application", Zones: zones, SecurityGroups: in.SecurityGroups, IPAddressType: "ipv4",
		Attributes: balancerDefaults, Tags: in.Tags,
	}
	if in.Scheme == "internal" {
		b.DNSName = "internal-" + b.DNSName
	}
	return &loadBalancersOutput{LoadBalancers: []LoadBalancer{b.at(s.now())}}, s.loadBalancers.Put(b)
}

func (s *Service) zonesOf(subnets []string) ([]Zone, string, error) {
	var zones []Zone
	vpcID := "vpc-00000000000000000"
	for _, id := range subnets {
		name := s.config.Region + "a"
		if s.config.Subnet != nil {
			vpc, zone, ok := s.config.Subnet(id)
			if !ok {
				return nil, "", wire.Errorf("SubnetNotFound", "The subnet ID '%s' does not exist", id)
			}
			if slices.ContainsFunc(zones, func(z Zone) bool { return z.ZoneName == zone }) {
				return nil, "", wire.Errorf("InvalidConfigurationRequest",
					"A load balancer cannot be attached to multiple subnets in the same Availability Zone")
			}
			vpcID, name = vpc, zone
		}
		zones = append(zones, Zone{name, id})
	}
	if len(zones) < 2 {
		return nil, "", invalid("At least two subnets in two different Availability Zones must be specified")
	}
	return zones, vpcID, nil
}

type describeLoadBalancersInput struct {
	paging
	ARNs  []string `json:"LoadBalancerArns"`
	Names []string `json:"Names"`
}

func (s *Service) describeLoadBalancers(ctx context.Context, in *describeLoadBalancersInput) (*loadBalancersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.loadBalancers.All()
	for i := range all {
		all[i] = all[i].at(s.now())
	}
	found, err := choose(all, func(b LoadBalancer) string { return b.ARN }, func(b LoadBalancer) string { return b.Name },
		in.ARNs, in.Names, noBalancer)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.paging)
	return &loadBalancersOutput{found, next}, err
}

type balancerInput struct {
	ARN            string      `json:"LoadBalancerArn"`
	Attributes     []Attribute `json:"Attributes"`
	SecurityGroups []string    `json:"SecurityGroups"`
	Subnets        []string    `json:"Subnets"`
}

// changeBalancer keeps what change makes of the load balancer.
func (s *Service) changeBalancer(arn string, change func(*LoadBalancer)) (LoadBalancer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.loadBalancers.Get(arn)
	if !ok {
		return b, noBalancer(arn)
	}
	change(&b)
	return b, s.loadBalancers.Put(b)
}

type attributesOutput struct {
	Attributes []Attribute `json:"Attributes"`
}

func (s *Service) describeLoadBalancerAttributes(ctx context.Context, in *balancerInput) (*attributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.loadBalancers.Get(in.ARN)
	if !ok {
		return nil, noBalancer(in.ARN)
	}
	return &attributesOutput{b.Attributes}, nil
}

func (s *Service) modifyLoadBalancerAttributes(ctx context.Context, in *balancerInput) (*attributesOutput, error) {
	b, err := s.changeBalancer(in.ARN, func(b *LoadBalancer) { b.Attributes = setAttributes(b.Attributes, in.Attributes) })
	return &attributesOutput{b.Attributes}, err
}

func setAttributes(attributes, others []Attribute) []Attribute {
	merged := slices.Clone(attributes)
	for _, other := range others {
		i := slices.IndexFunc(merged, func(a Attribute) bool { return a.Key == other.Key })
		if i < 0 {
			merged = append(merged, other)
		} else {
			merged[i] = other
		}
	}
	return merged
}

type setSecurityGroupsOutput struct {
	SecurityGroupIDs []string `json:"SecurityGroupIds"`
}

func (s *Service) setSecurityGroups(ctx context.Context, in *balancerInput) (*setSecurityGroupsOutput, error) {
	b, err := s.changeBalancer(in.ARN, func(b *LoadBalancer) { b.SecurityGroups = in.SecurityGroups })
	return &setSecurityGroupsOutput{b.SecurityGroups}, err
}

type setSubnetsOutput struct {
	Zones []Zone `json:"AvailabilityZones"`
}

func (s *Service) setSubnets(ctx context.Context, in *balancerInput) (*setSubnetsOutput, error) {
	zones, _, err := s.zonesOf(in.Subnets)
	if err != nil {
		return nil, err
	}
	_, err = s.changeBalancer(in.ARN, func(b *LoadBalancer) { b.Zones = zones })
	return &setSubnetsOutput{zones}, err
}

// deleteLoadBalancer takes listeners and rules along. Deleting what is not there
// succeeds, as on AWS.
func (s *Service) deleteLoadBalancer(ctx context.Context, in *balancerInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.loadBalancers.Get(in.ARN)
	if !ok {
		return nothing, nil
	}
	if slices.Contains(b.Attributes, Attribute{"deletion_protection.enabled", "true"}) {
		return nil, wire.Errorf("OperationNotPermitted",
			"Load balancer '%s' cannot be deleted because deletion protection is enabled", b.ARN)
	}
	for _, listener := range s.listeners.Find(func(l Listener) bool { return l.LoadBalancerARN == b.ARN }) {
		if err := s.removeListener(listener); err != nil {
			return nil, err
		}
	}
	return nothing, s.loadBalancers.Remove(b.ARN)
}

// An Interface is a network interface that a load balancer has in a subnet.
type Interface struct {
	ID, SubnetID, Description string
	SecurityGroups            []string
	PublicIP                  string // empty for an internal load balancer
}

// Interfaces lists the network interfaces of all load balancers.
func (s *Service) Interfaces() []Interface {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Interface
	for _, b := range s.loadBalancers.All() {
		suffix := b.ARN[strings.LastIndexByte(b.ARN, '/')+1:]
		for i, zone := range b.Zones {
			v := Interface{
				ID: fmt.Sprintf("eni-0%s%x", suffix[:15], i), SubnetID: zone.SubnetID,
				Description: "ELB app/" + b.Name + "/" + suffix, SecurityGroups: b.SecurityGroups,
			}
			if b.Scheme == "internet-facing" {
				v.PublicIP = fmt.Sprintf("198.51.100.%d", 10+i)
			}
			all = append(all, v)
		}
	}
	return all
}
