package balancer

import (
	"context"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/fault"
)

// listenerPagesMax bounds the calls for one load balancer, which has 50 listeners unless
// its quota was raised.
const listenerPagesMax = 3

// A Port is a listener that a service has for itself. Certificate is of Certificate
// Manager, and makes it speak HTTPS; Group is what it forwards to.
type Port struct {
	Number      int
	Certificate string
	Group       string
}

// Taken returns who has the ports, of those asked for, that are no listeners of the
// service: the service's name, or empty for a listener that is none of Portolan's.
func (b *Balancer) Taken(ctx context.Context, owner Owner, loadBalancer string, ports []int) (map[int]string, error) {
	all, err := b.listeners(ctx, loadBalancer)
	if err != nil {
		return nil, err
	}
	taken := map[int]string{}
	for _, listener := range all {
		if slices.Contains(ports, listener.number()) && !listener.of(owner) {
			taken[listener.number()] = listener.tags[TagService]
		}
	}
	return taken, nil
}

// ApplyPorts makes, changes and deletes listeners until the service has those, and no
// others. A port that somebody else has is a Conflict.
func (b *Balancer) ApplyPorts(ctx context.Context, owner Owner, loadBalancer string, ports []Port) error {
	all, err := b.listeners(ctx, loadBalancer)
	if err != nil {
		return err
	}
	for _, listener := range all {
		wanted := slices.ContainsFunc(ports, func(p Port) bool { return p.Number == listener.number() })
		if listener.of(owner) && !wanted {
			if err := b.deleteListener(ctx, listener); err != nil {
				return err
			}
		}
	}
	for _, port := range ports {
		at := slices.IndexFunc(all, func(l tagged) bool { return l.number() == port.Number })
		switch {
		case at < 0:
			err = b.createListener(ctx, owner, loadBalancer, port)
		case !all[at].of(owner):
			err = fault.New(fault.Conflict, "port %d of the load balancer has a listener that somebody else made", port.Number)
		case !all[at].is(port):
			err = b.changeListener(ctx, all[at], port)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A tagged listener is one with its tags.
type tagged struct {
	types.Listener
	tags map[string]string
}

func (t tagged) number() int { return int(aws.ToInt32(t.Port)) }

// of says whether a listener is the service's.
func (t tagged) of(owner Owner) bool {
	return t.tags[TagService] == owner.Service.Name && t.tags[TagCluster] == owner.Service.Cluster.Name
}

// is says whether a listener is as it is to be.
func (t tagged) is(port Port) bool {
	forwards := len(t.DefaultActions) == 1 && aws.ToString(t.DefaultActions[0].TargetGroupArn) == port.Group
	certificate := ""
	if len(t.Certificates) > 0 {
		certificate = aws.ToString(t.Certificates[0].CertificateArn)
	}
	return forwards && t.Protocol == port.protocol() && certificate == port.Certificate
}

func (p Port) protocol() types.ProtocolEnum {
	if p.Certificate != "" {
		return types.ProtocolEnumHttps
	}
	return types.ProtocolEnumHttp
}

func (p Port) certificates() []types.Certificate {
	if p.Certificate == "" {
		return nil
	}
	return []types.Certificate{{CertificateArn: aws.String(p.Certificate)}}
}

func (p Port) actions() []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(p.Group)}}
}

// policy is which versions of TLS and ciphers a listener takes.
func (p Port) policy() *string {
	if p.Certificate == "" {
		return nil
	}
	return aws.String("ELBSecurityPolicy-TLS13-1-2-2021-06")
}

// listeners returns those of a load balancer, with their tags.
func (b *Balancer) listeners(ctx context.Context, loadBalancer string) ([]tagged, error) {
	var all []tagged
	input := &elbv2.DescribeListenersInput{LoadBalancerArn: aws.String(loadBalancer)}
	for range listenerPagesMax {
		out, err := b.lb.DescribeListeners(ctx, input)
		if err != nil {
			return nil, fault.FromAWS(err, "listing the listeners of the load balancer")
		}
		for _, listener := range out.Listeners {
			all = append(all, tagged{Listener: listener, tags: map[string]string{}})
		}
		if input.Marker = out.NextMarker; aws.ToString(out.NextMarker) == "" {
			return all, b.readTags(ctx, all)
		}
	}
	return nil, fault.New(fault.Unavailable, "the load balancer has more than %d listeners", len(all))
}

func (b *Balancer) readTags(ctx context.Context, all []tagged) error {
	byARN := map[string]map[string]string{}
	for chunk := range slices.Chunk(all, rulesTagged) {
		var arns []string
		for _, listener := range chunk {
			arns = append(arns, aws.ToString(listener.ListenerArn))
			byARN[aws.ToString(listener.ListenerArn)] = listener.tags
		}
		out, err := b.lb.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: arns})
		if err != nil {
			return fault.FromAWS(err, "looking at the tags of listeners")
		}
		for _, description := range out.TagDescriptions {
			for _, tag := range description.Tags {
				byARN[aws.ToString(description.ResourceArn)][aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
		}
	}
	return nil
}

func (b *Balancer) createListener(ctx context.Context, owner Owner, loadBalancer string, port Port) error {
	_, err := b.lb.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: aws.String(loadBalancer), Port: aws.Int32(int32(port.Number)), Protocol: port.protocol(),
		Certificates: port.certificates(), SslPolicy: port.policy(), DefaultActions: port.actions(), Tags: owner.tags(),
	})
	return fault.FromAWS(err, "making a listener at port "+strconv.Itoa(port.Number))
}

func (b *Balancer) changeListener(ctx context.Context, listener tagged, port Port) error {
	_, err := b.lb.ModifyListener(ctx, &elbv2.ModifyListenerInput{
		ListenerArn: listener.ListenerArn, Protocol: port.protocol(), Certificates: port.certificates(), SslPolicy: port.policy(),
		DefaultActions: port.actions(),
	})
	return fault.FromAWS(err, "changing the listener at port "+strconv.Itoa(port.Number))
}

func (b *Balancer) deleteListener(ctx context.Context, listener tagged) error {
	_, err := b.lb.DeleteListener(ctx, &elbv2.DeleteListenerInput{ListenerArn: listener.ListenerArn})
	return fault.IgnoreNotFound(fault.FromAWS(err, "deleting the listener at port "+strconv.Itoa(listener.number())))
}

// Register brings instances into a target group; those that are in it stay.
func (b *Balancer) Register(ctx context.Context, group string, instances []string) error {
	if len(instances) == 0 {
		return nil
	}
	_, err := b.lb.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: aws.String(group), Targets: described(instances)})
	return fault.FromAWS(err, "registering instances in target group "+group)
}

// Deregister takes instances out of a target group; those that are not in it are out.
func (b *Balancer) Deregister(ctx context.Context, group string, instances []string) error {
	_, err := b.lb.DeregisterTargets(ctx, &elbv2.DeregisterTargetsInput{TargetGroupArn: aws.String(group), Targets: described(instances)})
	return fault.IgnoreNotFound(fault.FromAWS(err, "taking instances out of target group "+group))
}

func described(instances []string) []types.TargetDescription {
	var targets []types.TargetDescription
	for _, instance := range instances {
		targets = append(targets, types.TargetDescription{Id: aws.String(instance)})
	}
	return targets
}

// groupPagesMax bounds the calls for one load balancer, which has 100 target groups.
const groupPagesMax = 3

// Groups returns the ARNs of the target groups behind a load balancer whose names are
// ours.
func (b *Balancer) Groups(ctx context.Context, loadBalancer string) ([]string, error) {
	var arns []string
	input := &elbv2.DescribeTargetGroupsInput{LoadBalancerArn: aws.String(loadBalancer)}
	for range groupPagesMax {
		out, err := b.lb.DescribeTargetGroups(ctx, input)
		if err != nil {
			return nil, fault.FromAWS(err, "listing the target groups of the load balancer")
		}
		for _, group := range out.TargetGroups {
			if isName(aws.ToString(group.TargetGroupName)) {
				arns = append(arns, aws.ToString(group.TargetGroupArn))
			}
		}
		if input.Marker = out.NextMarker; aws.ToString(out.NextMarker) == "" {
			break
		}
	}
	return arns, nil
}
