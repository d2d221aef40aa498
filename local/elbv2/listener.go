package elbv2

import (
	"context"
	"slices"
	"strings"

	"portolan/local/wire"
)

// A Listener is a port at which a load balancer listens.
type Listener struct {
	ARN             string        `json:"ListenerArn"`
	LoadBalancerARN string        `json:"LoadBalancerArn"`
	Port            int           `json:"Port"`
	Protocol        string        `json:"Protocol"`
	SSLPolicy       string        `json:"SslPolicy,omitempty"`
	Certificates    []Certificate `json:"Certificates"`
	DefaultActions  []Action      `json:"DefaultActions"`
	Tags            []Tag         `json:"Tags"`
}

// A Certificate is a certificate of a listener.
type Certificate struct {
	ARN string `json:"CertificateArn"`
}

// An Action is what happens to a request.
type Action struct {
	Type           string         `json:"Type"`
	TargetGroupARN string         `json:"TargetGroupArn,omitempty"`
	Order          int            `json:"Order,omitempty"`
	Forward        *Forward       `json:"ForwardConfig"`
	FixedResponse  *FixedResponse `json:"FixedResponseConfig"`
	Redirect       *Redirect      `json:"RedirectConfig"`
}

// A Forward shares requests among target groups by weight.
type Forward struct {
	TargetGroups []WeightedGroup `json:"TargetGroups"`
}

// A WeightedGroup is a target group with its weight.
type WeightedGroup struct {
	ARN    string `json:"TargetGroupArn"`
	Weight *int   `json:"Weight"`
}

// A FixedResponse is an answer that the load balancer gives itself.
type FixedResponse struct {
	StatusCode  string `json:"StatusCode"`
	ContentType string `json:"ContentType,omitempty"`
	MessageBody string `json:"MessageBody,omitempty"`
}

// A Redirect sends a request elsewhere.
type Redirect struct {
	Protocol   string `json:"Protocol,omitempty"`
	Port       string `json:"Port,omitempty"`
	Host       string `json:"Host,omitempty"`
	Path       string `json:"Path,omitempty"`
	Query      string `json:"Query,omitempty"`
	StatusCode string `json:"StatusCode"`
}

// targets lists the target groups that actions forward to.
func targets(actions []Action) []string {
	var arns []string
	for _, action := range actions {
		if action.TargetGroupARN != "" {
			arns = append(arns, action.TargetGroupARN)
		}
		if action.Forward != nil {
			for _, group := range action.Forward.TargetGroups {
				arns = append(arns, group.ARN)
			}
		}
	}
	return arns
}

// completed gives each forward both of its forms, as AWS answers it.
func completed(actions []Action) []Action {
	complete := slices.Clone(actions)
	for i, action := range complete {
		if action.Type != "forward" {
			continue
		}
		if action.Forward == nil {
			weight := 1
			complete[i].Forward = &Forward{[]WeightedGroup{{action.TargetGroupARN, &weight}}}
		} else if len(action.Forward.TargetGroups) == 1 {
			complete[i].TargetGroupARN = action.Forward.TargetGroups[0].ARN
		}
	}
	return complete
}

func (s *Service) checkActions(actions []Action) error {
	if len(actions) == 0 {
		return invalid("At least one action must be specified")
	}
	for _, arn := range targets(actions) {
		if _, ok := s.targetGroups.Get(arn); !ok {
			return noGroup(arn)
		}
	}
	return nil
}

func noListener(arns ...string) *wire.Error { return notFound("Listener", "Listeners", arns...) }

func (s *Service) listenerOperations(operations map[string]wire.Operation) {
	operations["CreateListener"] = wire.Op(s.createListener)
	operations["DescribeListeners"] = wire.Op(s.describeListeners)
	operations["ModifyListener"] = wire.Op(s.modifyListener)
	operations["DeleteListener"] = wire.Op(s.deleteListener)
}

type listenersOutput struct {
	Listeners  []Listener `json:"Listeners"`
	NextMarker string     `json:"NextMarker,omitempty"`
}

func (s *Service) createListener(ctx context.Context, in *Listener) (*listenersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.loadBalancers.Get(in.LoadBalancerARN); !ok {
		return nil, noBalancer(in.LoadBalancerARN)
	}
	if err := s.checkActions(in.DefaultActions); err != nil {
		return nil, err
	}
	if _, ok := s.listeners.First(func(l Listener) bool {
		return l.LoadBalancerARN == in.LoadBalancerARN && l.Port == in.Port
	}); ok {
		return nil, wire.Errorf("DuplicateListener", "A listener already exists on this port for this load balancer '%s'",
			in.LoadBalancerARN)
	}
	l := *in
	l.ARN = strings.Replace(in.LoadBalancerARN, ":loadbalancer/", ":listener/", 1) + "/" + s.config.IDs.Hex(16)
	l.DefaultActions = completed(in.DefaultActions)
	rule := Rule{
		ARN: ruleARN(l.ARN, s.config.IDs.Hex(16)), ListenerARN: l.ARN, Priority: "default", IsDefault: true,
		Actions: l.DefaultActions,
	}
	if err := s.rules.Put(rule); err != nil {
		return nil, err
	}
	return &listenersOutput{Listeners: []Listener{l}}, s.listeners.Put(l)
}

type describeListenersInput struct {
	paging
	LoadBalancerARN string   `json:"LoadBalancerArn"`
	ARNs            []string `json:"ListenerArns"`
}

func (s *Service) describeListeners(ctx context.Context, in *describeListenersInput) (*listenersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.loadBalancers.Get(in.LoadBalancerARN); in.LoadBalancerARN != "" && !ok {
		return nil, noBalancer(in.LoadBalancerARN)
	}
	if in.LoadBalancerARN == "" && len(in.ARNs) == 0 {
		return nil, invalid("You must specify either listener ARNs or a load balancer ARN")
	}
	all := s.listeners.Find(func(l Listener) bool {
		return in.LoadBalancerARN == "" || l.LoadBalancerARN == in.LoadBalancerARN
	})
	arnOf := func(l Listener) string { return l.ARN }
	found, err := choose(all, arnOf, arnOf, in.ARNs, nil, noListener)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.paging)
	return &listenersOutput{found, next}, err
}

func (s *Service) modifyListener(ctx context.Context, in *Listener) (*listenersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.listeners.Get(in.ARN)
	if !ok {
		return nil, noListener(in.ARN)
	}
	if in.Port != 0 {
		l.Port = in.Port
	}
	if in.Protocol != "" {
		l.Protocol = in.Protocol
	}
	if len(in.Certificates) > 0 {
		l.Certificates = in.Certificates
	}
	if in.SSLPolicy != "" {
		l.SSLPolicy = in.SSLPolicy
	}
	if l.Protocol == "HTTP" {
		l.Certificates, l.SSLPolicy = nil, ""
	}
	if len(in.DefaultActions) > 0 {
		if err := s.checkActions(in.DefaultActions); err != nil {
			return nil, err
		}
		l.DefaultActions = completed(in.DefaultActions)
		for _, rule := range s.rules.Find(func(r Rule) bool { return r.ListenerARN == l.ARN && r.IsDefault }) {
			rule.Actions = l.DefaultActions
			if err := s.rules.Put(rule); err != nil {
				return nil, err
			}
		}
	}
	return &listenersOutput{Listeners: []Listener{l}}, s.listeners.Put(l)
}

func (s *Service) deleteListener(ctx context.Context, in *Listener) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.listeners.Get(in.ARN)
	if !ok {
		return nil, noListener(in.ARN)
	}
	return nothing, s.removeListener(l)
}

func (s *Service) removeListener(l Listener) error {
	for _, rule := range s.rules.Find(func(r Rule) bool { return r.ListenerARN == l.ARN }) {
		if err := s.rules.Remove(rule.ARN); err != nil {
			return err
		}
	}
	return s.listeners.Remove(l.ARN)
}
