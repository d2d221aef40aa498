package swarm

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/balancer"
	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// answering are the codes by which a published port shows that it answers: what is right
// there is not known, and every answer of the service's own is one.
const answering = "200-499"

func (d *Driver) balancer() *balancer.Balancer {
	return balancer.New(elbv2.NewFromConfig(d.config.AWS))
}

func ownerOf(ref orchestrator.ServiceRef, operation string) balancer.Owner {
	return balancer.Owner{Service: ref, Operation: operation}
}

// listening are the ports of a release that become listeners.
func listening(spec contract.ServiceSpec, facts orchestrator.SwarmFacts) []int {
	if facts.LoadBalancerARN == "" || spec.Swarm.Listeners != nil && !*spec.Swarm.Listeners {
		return nil
	}
	var ports []int
	for _, port := range spec.Ports {
		if port.HostPort != 0 && port.Protocol != contract.Udp {
			ports = append(ports, port.HostPort)
		}
	}
	return ports
}

// mayListen refuses ports of the load balancer that somebody else has, before anything is
// changed. It makes one call for the listeners and one for each 20 of them, where the
// release publishes ports.
func (d *Driver) mayListen(ctx context.Context, release orchestrator.Release, facts orchestrator.SwarmFacts) error {
	ports := listening(release.Spec, facts)
	if len(ports) == 0 {
		return nil
	}
	taken, err := d.balancer().Taken(ctx, ownerOf(release.Service, release.Operation), facts.LoadBalancerARN, ports)
	if err != nil {
		return err
	}
	var fields []fault.Field
	for i, port := range release.Spec.Ports {
		by, found := taken[port.HostPort]
		if !found || port.Protocol == contract.Udp {
			continue
		}
		detail := fmt.Sprintf("Swarm: port %d of the cluster's load balancer has a listener that Portolan did not make for this service; "+
			"it is left alone. Choose another port, or set swarm.listeners to false", port.HostPort)
		if by != "" {
			detail = fmt.Sprintf("Swarm: port %d of the cluster's load balancer is that of service %q", port.HostPort, by)
		}
		fields = append(fields, fault.Field{Pointer: fmt.Sprintf("/ports/%d/hostPort", i), Detail: detail})
	}
	if len(fields) > 0 {
		return fault.NewInvalid(fields, "service %s cannot publish its ports", release.Service.Name)
	}
	return nil
}

// groupOf is the name of the target group of a published port. Another port is another
// group: a group's port stays what it was made with.
func groupOf(ref orchestrator.ServiceRef, facts orchestrator.SwarmFacts, port swarm.PortConfig) string {
	return balancer.GroupName(facts.LoadBalancerARN, facts.ListenerARN, ref.Cluster.Name, ref.Name,
		strconv.Itoa(int(port.TargetPort)), strconv.Itoa(int(port.PublishedPort)))
}

// groupsOf are the names of the target groups that a description may have.
func groupsOf(ref orchestrator.ServiceRef, facts orchestrator.SwarmFacts, spec *swarm.ServiceSpec) []string {
	if spec == nil || spec.EndpointSpec == nil {
		return nil
	}
	var names []string
	for _, port := range spec.EndpointSpec.Ports {
		if port.Protocol == network.TCP {
			names = append(names, groupOf(ref, facts, port))
		}
	}
	return names
}

// route brings target groups, rules and listeners to what the release says. It makes no
// call on a cluster without a load balancer, or for a service that has nothing to do with
// it.
func (d *Driver) route(ctx context.Context, c *connection, release orchestrator.Release, facts orchestrator.SwarmFacts) error {
	ref := release.Service
	if facts.ListenerARN == "" {
		return nil
	}
	s, ports, err := c.ports(ctx, ref)
	if err != nil {
		return err
	}
	stale := append(groupsOf(ref, facts, &s.Spec), groupsOf(ref, facts, s.PreviousSpec)...)
	if len(stale) == 0 {
		return nil
	}
	owner := ownerOf(ref, release.Operation)
	groups, names, err := d.groups(ctx, c, release, facts, s, ports)
	if err != nil {
		return err
	}
	if err := d.rules(ctx, owner, release, facts, groups); err != nil {
		return err
	}
	if err := d.listeners(ctx, owner, release, facts, groups); err != nil {
		return err
	}
	for _, name := range stale {
		if slices.Contains(names, name) {
			continue
		}
		if _, err := d.balancer().RemoveGroup(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// Publishing takes the swarm a moment after a service was made.
const (
	looksAtPorts = 20
	looksPause   = 100 * time.Millisecond
)

// ports returns a service with the ports that the swarm published, in the order of its
// description. It looks again for two seconds at the most until the swarm has chosen them.
func (c *connection) ports(ctx context.Context, ref orchestrator.ServiceRef) (*swarm.Service, []swarm.PortConfig, error) {
	for range looksAtPorts {
		s, err := c.ours(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		if s.Spec.EndpointSpec == nil {
			return s, nil, nil
		}
		var ports []swarm.PortConfig
		for _, wanted := range s.Spec.EndpointSpec.Ports {
			at := slices.IndexFunc(s.Endpoint.Ports, func(p swarm.PortConfig) bool {
				return p.TargetPort == wanted.TargetPort && p.Protocol == wanted.Protocol && p.PublishedPort != 0 &&
					(wanted.PublishedPort == 0 || wanted.PublishedPort == p.PublishedPort)
			})
			if at >= 0 {
				ports = append(ports, s.Endpoint.Ports[at])
			}
		}
		if len(ports) == len(s.Spec.EndpointSpec.Ports) {
			return s, ports, nil
		}
		timer := time.NewTimer(looksPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, fault.Wrap(fault.Unavailable, ctx.Err(), "waiting for the ports of service %s", ref.Name)
		}
	}
	return nil, nil, fault.New(fault.Unavailable, "the swarm has not published the ports of service %s yet", ref.Name)
}

// groups makes a target group for each published port, with the instances of all nodes in
// it, and returns their ARNs by the port in the container, and their names.
func (d *Driver) groups(
	ctx context.Context, c *connection, release orchestrator.Release, facts orchestrator.SwarmFacts,
	s *swarm.Service, ports []swarm.PortConfig,
) (arns map[int]string, names []string, err error) {
	arns = map[int]string{}
	if len(ports) == 0 {
		return arns, nil, nil
	}
	instances, err := c.instances(ctx)
	if err != nil {
		return nil, nil, err
	}
	owner, wanted := ownerOf(release.Service, release.Operation), release.Spec.LoadBalancer
	for i, port := range ports {
		balanced := int(port.TargetPort) == wanted.ContainerPort
		if port.Protocol != network.TCP || !balanced && len(listening(release.Spec, facts)) == 0 {
			continue
		}
		group := balancer.Group{
			Name: groupOf(release.Service, facts, s.Spec.EndpointSpec.Ports[i]), Kind: types.TargetTypeEnumInstance, VPC: facts.VPC,
			Port: int(port.PublishedPort), Codes: answering,
		}
		if balanced {
			group.Path, group.Codes = wanted.HealthCheckPath, ""
		}
		arn, err := d.balancer().ApplyGroup(ctx, owner, group)
		if err != nil {
			return nil, nil, err
		}
		if err := d.balancer().Register(ctx, arn, instances); err != nil {
			return nil, nil, err
		}
		arns[int(port.TargetPort)], names = arn, append(names, group.Name)
	}
	return arns, names, nil
}

// instances are those of the nodes that take tasks.
func (c *connection) instances(ctx context.Context) ([]string, error) {
	nodes, err := c.nodes(ctx)
	if err != nil {
		return nil, err
	}
	var instances []string
	for i := range nodes {
		if node := nodeOf(&nodes[i]); node.Instance != "" && node.State == orchestrator.NodeReady {
			instances = append(instances, node.Instance)
		}
	}
	return instances, nil
}

// rules are those that the release adds to the listener that services share.
func (d *Driver) rules(
	ctx context.Context, owner balancer.Owner, release orchestrator.Release, facts orchestrator.SwarmFacts, groups map[int]string,
) error {
	if wanted := release.Spec.LoadBalancer; wanted.ContainerPort != 0 {
		return d.balancer().ApplyRules(ctx, owner, facts.ListenerARN, wanted.Rules, groups[wanted.ContainerPort])
	}
	return d.balancer().RemoveRules(ctx, owner, facts.ListenerARN)
}

// listeners are those that the release has for itself.
func (d *Driver) listeners(
	ctx context.Context, owner balancer.Owner, release orchestrator.Release, facts orchestrator.SwarmFacts, groups map[int]string,
) error {
	if facts.LoadBalancerARN == "" {
		return nil
	}
	numbers := listening(release.Spec, facts)
	var ports []balancer.Port
	for _, port := range release.Spec.Ports {
		if port.Protocol == contract.Udp || !slices.Contains(numbers, port.HostPort) {
			continue
		}
		one := balancer.Port{Number: port.HostPort, Group: groups[port.ContainerPort]}
		for _, certificate := range release.Spec.Swarm.Certificates {
			if certificate.Port == port.HostPort {
				one.Certificate = certificate.Certificate
			}
		}
		ports = append(ports, one)
	}
	return d.balancer().ApplyPorts(ctx, owner, facts.LoadBalancerARN, ports)
}

// unroute takes a service out of the load balancer, and returns the target groups that
// are left.
func (d *Driver) unroute(ctx context.Context, ref orchestrator.ServiceRef, facts orchestrator.SwarmFacts, s *swarm.Service) ([]string, error) {
	names := append(groupsOf(ref, facts, &s.Spec), groupsOf(ref, facts, s.PreviousSpec)...)
	if facts.ListenerARN == "" || len(names) == 0 {
		return nil, nil
	}
	owner := ownerOf(ref, "")
	if err := d.balancer().RemoveRules(ctx, owner, facts.ListenerARN); err != nil {
		return nil, err
	}
	if facts.LoadBalancerARN != "" {
		err := d.balancer().ApplyPorts(ctx, owner, facts.LoadBalancerARN, nil)
		if fault.IgnoreNotFound(err) != nil {
			return nil, err
		}
	}
	var left []string
	for _, name := range names {
		arn, err := d.balancer().RemoveGroup(ctx, name)
		if err != nil {
			return nil, err
		}
		if arn != "" {
			left = append(left, arn)
		}
	}
	return left, nil
}

// balance brings the instance of a node behind the load balancer, or takes it out: into or
// out of each target group of the cluster's services.
func (d *Driver) balance(ctx context.Context, cluster orchestrator.ClusterRef, instance string, in bool) error {
	facts := cluster.Facts.Swarm
	if facts.LoadBalancerARN == "" || instance == "" {
		return nil
	}
	groups, err := d.balancer().Groups(ctx, facts.LoadBalancerARN)
	if err != nil {
		return fault.IgnoreNotFound(err)
	}
	change := d.balancer().Deregister
	if in {
		change = d.balancer().Register
	}
	for _, group := range groups {
		if err := change(ctx, group, []string{instance}); err != nil {
			return err
		}
	}
	return nil
}
