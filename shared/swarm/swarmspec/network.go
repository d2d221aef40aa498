package swarmspec

import (
	"fmt"
	"strings"

	"portolan/shared/contract"
)

// What engines and swarms keep for themselves.
var kept = map[int]string{
	2376: "the engines' API", 2377: "the managers", 4789: "the overlay networks", 7946: "the nodes' gossip",
}

func (c *checker) ports() {
	seen, hosts := map[string]bool{}, map[string]bool{}
	for i, port := range c.spec.Ports {
		pointer := fmt.Sprintf("/ports/%d", i)
		key := fmt.Sprintf("%d/%s", port.ContainerPort, protocolOf(port))
		if seen[key] {
			c.refuse(pointer, "port %s is listed twice", key)
		}
		seen[key] = true
		if port.HostPort == 0 {
			continue
		}
		host := fmt.Sprintf("%d/%s", port.HostPort, protocolOf(port))
		if hosts[host] {
			c.refuse(pointer+"/hostPort", "port %s of the nodes is taken twice", host)
		}
		hosts[host] = true
		if owner, taken := kept[port.HostPort]; taken {
			c.refuse(pointer+"/hostPort", "port %d of the nodes is that of %s", port.HostPort, owner)
		}
		if c.spec.Swarm.EndpointMode == contract.EndpointDnsrr {
			c.refuse("/swarm/endpointMode", "the routing mesh, which publishes port %s, needs vip", host)
		}
	}
}

func protocolOf(port contract.Port) contract.PortProtocol {
	if port.Protocol == "" {
		return contract.Tcp
	}
	return port.Protocol
}

// Quotas of Application Load Balancers: values in the conditions of one rule.
const conditionValuesMax = 5

func (c *checker) loadBalancer() {
	balancer := c.spec.LoadBalancer
	if balancer.ContainerPort == 0 {
		return
	}
	if !c.cluster.Balanced {
		c.refuse("/loadBalancer", "the cluster has no load balancer that Portolan made; a hostPort in /ports is published on every node")
	}
	listed := false
	for _, port := range c.spec.Ports {
		listed = listed || port.ContainerPort == balancer.ContainerPort && protocolOf(port) == contract.Tcp
	}
	if !listed {
		c.refuse("/loadBalancer/containerPort", "port %d/tcp is not listed in /ports", balancer.ContainerPort)
	}
	if c.spec.Swarm.EndpointMode == contract.EndpointDnsrr {
		c.refuse("/swarm/endpointMode", "the routing mesh, which the load balancer reaches, needs vip")
	}
	for i, rule := range balancer.Rules {
		pointer := fmt.Sprintf("/loadBalancer/rules/%d", i)
		if n := len(rule.Hosts) + len(rule.Paths); n > conditionValuesMax {
			c.refuse(pointer, "%d hosts and paths; a rule of an Application Load Balancer takes %d in all", n, conditionValuesMax)
		}
		for j, host := range rule.Hosts {
			if !strings.Contains(host, ".") {
				c.refuse(fmt.Sprintf("%s/hosts/%d", pointer, j), "a host of an Application Load Balancer's rule contains a dot")
			}
		}
	}
}

// certificates are for ports that become listeners.
func (c *checker) certificates() {
	if wanted := c.spec.Swarm.Listeners; wanted != nil && *wanted && !c.cluster.Balanced {
		c.refuse("/swarm/listeners", "the cluster has no load balancer that Portolan made, and so no listeners")
	}
	listeners := map[int]bool{}
	for _, port := range c.spec.Ports {
		if port.HostPort != 0 && protocolOf(port) == contract.Tcp {
			listeners[port.HostPort] = true
		}
	}
	seen := map[int]bool{}
	for i, certificate := range c.spec.Swarm.Certificates {
		pointer := fmt.Sprintf("/swarm/certificates/%d", i)
		switch {
		case !c.cluster.Balanced:
			c.refuse(pointer, "the cluster has no load balancer that Portolan made, and so no listeners")
		case c.spec.Swarm.Listeners != nil && !*c.spec.Swarm.Listeners:
			c.refuse(pointer, "no port becomes a listener, as /swarm/listeners says")
		case !listeners[certificate.Port]:
			c.refuse(pointer+"/port", "%d is the hostPort of none of the service's TCP ports", certificate.Port)
		case seen[certificate.Port]:
			c.refuse(pointer+"/port", "port %d has two certificates", certificate.Port)
		}
		seen[certificate.Port] = true
	}
}
