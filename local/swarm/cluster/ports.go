package cluster

import (
	"net/netip"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
)

// Ports that are given to services that leave theirs open.
const firstPort, lastPort = 30000, 32767

type portKey struct {
	protocol network.IPProtocol
	port     uint32
}

func keyOf(p swarm.PortConfig) portKey { return portKey{p.Protocol, p.PublishedPort} }

func portsOf(e *swarm.EndpointSpec) []swarm.PortConfig {
	if e == nil {
		return nil
	}
	return e.Ports
}

// checkPorts refuses published ports that another service has.
func (c *Cluster) checkPorts(spec swarm.ServiceSpec, except string) error {
	ingress, host := map[portKey]bool{}, map[portKey]bool{}
	for _, p := range portsOf(spec.EndpointSpec) {
		switch {
		case p.PublishedPort == 0:
		case p.PublishMode == swarm.PortConfigPublishModeHost:
			host[keyOf(p)] = true
		default:
			ingress[keyOf(p)] = true
		}
	}
	for _, id := range sortedKeys(c.services) {
		s := c.services[id]
		if id == except {
			continue
		}
		for _, p := range s.Endpoint.Ports {
			switch {
			case p.PublishedPort == 0:
			case p.PublishMode == swarm.PortConfigPublishModeHost && ingress[keyOf(p)]:
				return refuse("port '%d' is already in use by service '%s' (%s) as a host-published port", p.PublishedPort, s.Spec.Name, id)
			case p.PublishMode != swarm.PortConfigPublishModeHost && (ingress[keyOf(p)] || host[keyOf(p)]):
				return refuse("port '%d' is already in use by service '%s' (%s) as an ingress port", p.PublishedPort, s.Spec.Name, id)
			}
		}
	}
	return nil
}

// checkIngress refuses ports that only the routing mesh could publish where there is none.
func (c *Cluster) checkIngress(spec swarm.ServiceSpec) error {
	for _, p := range portsOf(spec.EndpointSpec) {
		if p.PublishMode == swarm.PortConfigPublishModeIngress && c.ingress() == nil {
			return rpc(failedPrecondition, "service needs ingress network, but no ingress network is present")
		}
	}
	return nil
}

// allocate gives a service its ports and virtual addresses.
func (c *Cluster) allocate(s *service) {
	given := map[portKey]uint32{} // by target port: a port that was given stays
	for _, p := range s.Endpoint.Ports {
		given[portKey{p.Protocol, p.TargetPort}] = p.PublishedPort
	}
	before := s.Endpoint
	s.Endpoint = swarm.Endpoint{}
	if s.Spec.EndpointSpec != nil {
		s.Endpoint.Spec = *s.Spec.EndpointSpec
	} else if len(s.Spec.TaskTemplate.Networks) > 0 {
		s.Endpoint.Spec.Mode = swarm.ResolutionModeVIP
	}
	published := false
	for _, p := range portsOf(s.Spec.EndpointSpec) {
		if p.PublishMode == swarm.PortConfigPublishModeIngress {
			published = true
			if p.PublishedPort == 0 {
				p.PublishedPort = given[portKey{p.Protocol, p.TargetPort}]
			}
			if p.PublishedPort == 0 {
				p.PublishedPort = c.freePort(p.Protocol, s.Endpoint.Ports)
			}
		}
		s.Endpoint.Ports = append(s.Endpoint.Ports, p)
	}
	c.allocateAddresses(s, before, published)
}

func (c *Cluster) allocateAddresses(s *service, before swarm.Endpoint, published bool) {
	if s.Endpoint.Spec.Mode == swarm.ResolutionModeDNSRR {
		return
	}
	var ids []string
	if ingress := c.ingress(); published && ingress != nil {
		ids = append(ids, ingress.ID)
	}
	for _, n := range s.Spec.TaskTemplate.Networks {
		if _, ok := c.networks[n.Target]; ok {
			ids = append(ids, n.Target)
		}
	}
	for _, id := range ids {
		at := swarm.EndpointVirtualIP{NetworkID: id}
		for _, old := range before.VirtualIPs {
			if old.NetworkID == id {
				at.Addr = old.Addr
			}
		}
		if !at.Addr.IsValid() {
			at.Addr = c.nextAddress(id)
		}
		s.Endpoint.VirtualIPs = append(s.Endpoint.VirtualIPs, at)
	}
}

func (c *Cluster) freePort(protocol network.IPProtocol, own []swarm.PortConfig) uint32 {
	taken := map[portKey]bool{}
	for _, p := range own {
		taken[keyOf(p)] = true
	}
	for _, s := range c.services {
		for _, p := range s.Endpoint.Ports {
			taken[keyOf(p)] = true
		}
	}
	for port := uint32(firstPort); port <= lastPort; port++ {
		if !taken[portKey{protocol, port}] {
			return port
		}
	}
	return 0
}

// nextAddress gives an address of a network; none is given twice.
func (c *Cluster) nextAddress(networkID string) netip.Prefix {
	c.object.NextIP++
	c.touch(KindObject, c.object.ID)
	n := c.networks[networkID]
	subnet := n.IPAMOptions.Configs[0].Subnet
	if !subnet.Addr().Is4() || subnet.Bits() > 28 || subnet.Bits() < 8 {
		return netip.PrefixFrom(subnet.Addr().Next(), subnet.Bits())
	}
	raw := subnet.Addr().As4()
	host := 1 + c.object.NextIP%(1<<(32-subnet.Bits())-2)
	raw[3] += byte(host)
	raw[2] += byte(host >> 8)
	raw[1] += byte(host >> 16)
	return netip.PrefixFrom(netip.AddrFrom4(raw), subnet.Bits())
}
