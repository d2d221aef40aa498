package resources

import (
	"context"
	"strings"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/local/cloudformation"
)

func (m *maker) balancerKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::ElasticLoadBalancingV2::LoadBalancer"] = cloudformation.Kind{
		Provider: provider{
			create: m.createLoadBalancer, update: m.updateLoadBalancer,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.elb.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &r.PhysicalID})
				return err
			},
			stable: m.loadBalancerStable,
		},
		CreateOnly: []string{"Name", "Type", "Scheme"},
		// Until it is active it takes longer still: to look before is to look in vain.
		CreateTakes: 125 * time.Second, UpdateTakes: 5 * time.Second, DeleteTakes: 5 * time.Second,
	}
	kinds["AWS::ElasticLoadBalancingV2::Listener"] = cloudformation.Kind{
		Provider: provider{
			create: m.createListener, update: m.updateListener,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.elb.DeleteListener(ctx, &elb.DeleteListenerInput{ListenerArn: &r.PhysicalID})
				return err
			},
		},
		CreateOnly:  []string{"LoadBalancerArn"},
		CreateTakes: 2 * time.Second, UpdateTakes: 2 * time.Second, DeleteTakes: time.Second,
	}
}

// maxBalancerName is the longest name that a load balancer may have.
const maxBalancerName = 32

// balancerName shortens the name that CloudFormation made, and keeps its end.
func balancerName(r cloudformation.Request) string {
	name := r.Name
	if len(name) <= maxBalancerName {
		return name
	}
	end := name[strings.LastIndexByte(name, '-'):]
	return strings.TrimRight(name[:maxBalancerName-len(end)], "-") + end
}

func (m *maker) createLoadBalancer(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("Name")
	if name == "" {
		name = balancerName(r)
	}
	out, err := m.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		Name: &name, Subnets: of(r).texts("Subnets"), SecurityGroups: of(r).texts("SecurityGroups"),
		Scheme: types.LoadBalancerSchemeEnum(of(r).text("Scheme")), Type: types.LoadBalancerTypeEnum(of(r).text("Type")),
		Tags: eachTag(tagsOf(r), func(key, value *string) types.Tag { return types.Tag{Key: key, Value: value} }),
	})
	if err != nil {
		return failed(err)
	}
	return m.setLoadBalancer(ctx, r, out.LoadBalancers[0])
}

func (m *maker) setLoadBalancer(ctx context.Context, r cloudformation.Request, b types.LoadBalancer) (cloudformation.Made, error) {
	var attributes []types.LoadBalancerAttribute
	for _, a := range of(r).objects("LoadBalancerAttributes") {
		attributes = append(attributes, types.LoadBalancerAttribute{Key: a.optional("Key"), Value: a.optional("Value")})
	}
	if len(attributes) > 0 {
		_, err := m.elb.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{
			LoadBalancerArn: b.LoadBalancerArn, Attributes: attributes,
		})
		if err != nil {
			return failed(err)
		}
	}
	_, fullName, _ := strings.Cut(*b.LoadBalancerArn, ":loadbalancer/")
	return made(*b.LoadBalancerArn, map[string]any{
		"LoadBalancerArn": *b.LoadBalancerArn, "LoadBalancerName": *b.LoadBalancerName, "LoadBalancerFullName": fullName,
		"DNSName": *b.DNSName, "CanonicalHostedZoneID": *b.CanonicalHostedZoneId,
	})
}

func (m *maker) balancer(ctx context.Context, arn string) (types.LoadBalancer, error) {
	out, err := m.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{arn}})
	if err != nil {
		return types.LoadBalancer{}, err
	}
	return out.LoadBalancers[0], nil
}

func (m *maker) loadBalancerStable(ctx context.Context, r cloudformation.Request) error {
	b, err := m.balancer(ctx, r.PhysicalID)
	if err != nil || b.State.Code == types.LoadBalancerStateEnumActive {
		return err
	}
	return pending("LoadBalancer %s did not stabilize.", r.PhysicalID)
}

func (m *maker) updateLoadBalancer(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	_, err := m.elb.SetSecurityGroups(ctx, &elb.SetSecurityGroupsInput{
		LoadBalancerArn: &r.PhysicalID, SecurityGroups: of(r).texts("SecurityGroups"),
	})
	if err != nil {
		return failed(err)
	}
	_, err = m.elb.SetSubnets(ctx, &elb.SetSubnetsInput{LoadBalancerArn: &r.PhysicalID, Subnets: of(r).texts("Subnets")})
	if err != nil {
		return failed(err)
	}
	_, err = m.elb.AddTags(ctx, &elb.AddTagsInput{
		ResourceArns: []string{r.PhysicalID},
		Tags:         eachTag(tagsOf(r), func(key, value *string) types.Tag { return types.Tag{Key: key, Value: value} }),
	})
	if err != nil {
		return failed(err)
	}
	b, err := m.balancer(ctx, r.PhysicalID)
	if err != nil {
		return failed(err)
	}
	return m.setLoadBalancer(ctx, r, b)
}

func actions(list []properties) []types.Action {
	var all []types.Action
	for _, p := range list {
		action := types.Action{
			Type: types.ActionTypeEnum(p.text("Type")), TargetGroupArn: p.optional("TargetGroupArn"), Order: p.number("Order"),
		}
		if fixed := p.object("FixedResponseConfig"); fixed != nil {
			action.FixedResponseConfig = &types.FixedResponseActionConfig{
				StatusCode: fixed.optional("StatusCode"), ContentType: fixed.optional("ContentType"),
				MessageBody: fixed.optional("MessageBody"),
			}
		}
		all = append(all, action)
	}
	return all
}

// createListener takes a listener that is there already, at the same port of the
// same load balancer, for its own work.
func (m *maker) createListener(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	out, err := m.elb.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: of(r).optional("LoadBalancerArn"), Port: of(r).number("Port"),
		Protocol: types.ProtocolEnum(of(r).text("Protocol")), DefaultActions: actions(of(r).objects("DefaultActions")),
	})
	if isCode(err, "DuplicateListener") {
		return m.existingListener(ctx, r)
	}
	if err != nil {
		return failed(err)
	}
	return listenerMade(*out.Listeners[0].ListenerArn)
}

func listenerMade(arn string) (cloudformation.Made, error) {
	return made(arn, map[string]any{"ListenerArn": arn})
}

func (m *maker) existingListener(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	out, err := m.elb.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: of(r).optional("LoadBalancerArn")})
	if err != nil {
		return failed(err)
	}
	for _, listener := range out.Listeners {
		if *listener.Port == *of(r).number("Port") {
			return listenerMade(*listener.ListenerArn)
		}
	}
	return failed(pending("The listener at port %s was there, and is gone.", of(r).text("Port")))
}

func (m *maker) updateListener(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	_, err := m.elb.ModifyListener(ctx, &elb.ModifyListenerInput{
		ListenerArn: &r.PhysicalID, Port: of(r).number("Port"), Protocol: types.ProtocolEnum(of(r).text("Protocol")),
		DefaultActions: actions(of(r).objects("DefaultActions")),
	})
	if err != nil {
		return failed(err)
	}
	return listenerMade(r.PhysicalID)
}
