package ec2

import (
	"context"
	"fmt"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/records"
	"portolan/local/unique"
	"portolan/local/wire"
)

// A Config is what a Service is made of.
type Config struct {
	Account, Region string
	Clock           *clock.Clock
	Disk            *disk.Disk // nil keeps nothing
	IDs             *unique.Source
}

// Instances is who runs instances. Its methods are called without any lock of
// this package's held.
type Instances interface {
	Instances() []Instance
	// TerminateInstance begins to end an instance. It is called only for ids
	// that Instances listed.
	TerminateInstance(ctx context.Context, id string) error
}

// Interfaces is who has network interfaces in subnets, such as load balancers
// and tasks. What it lists keeps security groups and subnets from being deleted.
type Interfaces interface {
	NetworkInterfaces() []NetworkInterface
}

// A Service holds one account's EC2 in one region.
type Service struct {
	config     Config
	instances  Instances
	interfaces []Interfaces

	mu              sync.Mutex
	vpcs            *records.Of[Vpc]
	subnets         *records.Of[Subnet]
	gateways        *records.Of[InternetGateway]
	natGateways     *records.Of[NatGateway]
	addresses       *records.Of[Address]
	routeTables     *records.Of[RouteTable]
	groups          *records.Of[SecurityGroup]
	launchTemplates *records.Of[LaunchTemplate]
	keyPairs        *records.Of[KeyPair]
}

// New reads the state back, and makes the default VPC that every account has
// where there is no state yet.
func New(config Config) (*Service, error) {
	s := &Service{config: config}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("loading EC2: %w", err)
	}
	if s.vpcs.Len() > 0 {
		return s, nil
	}
	if err := s.makeDefaultVpc(); err != nil {
		return nil, fmt.Errorf("making the default VPC: %w", err)
	}
	return s, nil
}

func (s *Service) load() error {
	d := s.config.Disk
	var err error
	load := func(next func() error) {
		if err == nil {
			err = next()
		}
	}
	load(func() (e error) {
		s.vpcs, e = records.Load(d, "ec2/vpcs", func(v Vpc) string { return v.VpcID })
		return
	})
	load(func() (e error) {
		s.subnets, e = records.Load(d, "ec2/subnets", func(v Subnet) string { return v.SubnetID })
		return
	})
	load(func() (e error) {
		s.gateways, e = records.Load(d, "ec2/internet-gateways", func(v InternetGateway) string { return v.ID })
		return
	})
	load(func() (e error) {
		s.natGateways, e = records.Load(d, "ec2/nat-gateways", func(v NatGateway) string { return v.ID })
		return
	})
	load(func() (e error) {
		s.addresses, e = records.Load(d, "ec2/addresses", func(v Address) string { return v.AllocationID })
		return
	})
	load(func() (e error) {
		s.routeTables, e = records.Load(d, "ec2/route-tables", func(v RouteTable) string { return v.ID })
		return
	})
	load(func() (e error) {
		s.groups, e = records.Load(d, "ec2/security-groups", func(v SecurityGroup) string { return v.GroupID })
		return
	})
	load(func() (e error) {
		s.launchTemplates, e = records.Load(d, "ec2/launch-templates", func(v LaunchTemplate) string { return v.ID })
		return
	})
	load(func() (e error) {
		s.keyPairs, e = records.Load(d, "ec2/key-pairs", func(v KeyPair) string { return v.KeyName })
		return
	})
	return err
}

// UseInstances says who runs the instances. It must be called before the first
// request, if at all.
func (s *Service) UseInstances(instances Instances) { s.instances = instances }

// UseInterfaces adds one who has network interfaces. It must be called before
// the first request, if at all.
func (s *Service) UseInterfaces(interfaces Interfaces) {
	s.interfaces = append(s.interfaces, interfaces)
}

// Handler answers for the signing name ec2.
func (s *Service) Handler() *wire.Service {
	operations := map[string]wire.Operation{}
	for _, add := range []func(map[string]wire.Operation){
		s.networkOperations, s.gatewayOperations, s.routeOperations, s.groupOperations,
		s.templateOperations, s.instanceOperations, s.tagOperations,
	} {
		add(operations)
	}
	return &wire.Service{
		Name: "EC2", Version: "2016-11-15", Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
		Protocol: wire.EC2Query, Operations: operations,
	}
}

func (s *Service) now() time.Time { return s.config.Clock.Now() }

// newID makes an id such as vpc-0f3a, with the 17 digits that EC2 gives.
func (s *Service) newID(prefix string) string { return prefix + "-0" + s.config.IDs.Hex(16) }

func (s *Service) arn(kind, id string) string {
	return fmt.Sprintf("arn:aws:ec2:%s:%s:%s/%s", s.config.Region, s.config.Account, kind, id)
}

// AvailabilityZones lists the region's zones.
func (s *Service) AvailabilityZones() []string {
	return []string{s.config.Region + "a", s.config.Region + "b", s.config.Region + "c"}
}

// A result is what calls answer that have nothing else to say.
type result struct {
	Return bool `json:"return"`
}

var done = &result{Return: true}

func missing(code, what, id string) *wire.Error {
	return wire.Errorf(code, "The %s ID '%s' does not exist", what, id)
}

func dependency(what, id string) *wire.Error {
	return wire.Errorf("DependencyViolation", "The %s '%s' has dependencies and cannot be deleted.", what, id)
}
