package elbv2

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"portolan/local/wire"
)

// A TargetGroup is where requests are sent to.
type TargetGroup struct {
	groupHead
	Attributes []Attribute `json:"Attributes"`
	Tags       []Tag       `json:"Tags"`
	Targets    []Target    `json:"Targets"`
}

// groupHead is what calls show of a target group.
type groupHead struct {
	ARN                string   `json:"TargetGroupArn"`
	Name               string   `json:"TargetGroupName"`
	Protocol           string   `json:"Protocol"`
	ProtocolVersion    string   `json:"ProtocolVersion"`
	Port               int      `json:"Port"`
	VpcID              string   `json:"VpcId"`
	TargetType         string   `json:"TargetType"`
	IPAddressType      string   `json:"IpAddressType"`
	LoadBalancerARNs   []string `json:"LoadBalancerArns"`
	HealthCheckEnabled bool     `json:"HealthCheckEnabled"`
	healthCheck
}

// healthCheck is the settings that may change later.
type healthCheck struct {
	Protocol        string   `json:"HealthCheckProtocol"`
	Port            string   `json:"HealthCheckPort"`
	Path            string   `json:"HealthCheckPath"`
	IntervalSeconds int      `json:"HealthCheckIntervalSeconds"`
	TimeoutSeconds  int      `json:"HealthCheckTimeoutSeconds"`
	Healthy         int      `json:"HealthyThresholdCount"`
	Unhealthy       int      `json:"UnhealthyThresholdCount"`
	Matcher         *Matcher `json:"Matcher"`
}

// A Matcher is the status codes that count as healthy.
type Matcher struct {
	HTTPCode string `json:"HttpCode"`
}

func (h healthCheck) withDefaults() healthCheck {
	setText := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	setNumber := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	setText(&h.Protocol, "HTTP")
	setText(&h.Port, "traffic-port")
	setText(&h.Path, "/")
	setNumber(&h.IntervalSeconds, 30)
	setNumber(&h.TimeoutSeconds, 5)
	setNumber(&h.Healthy, 5)
	setNumber(&h.Unhealthy, 2)
	if h.Matcher == nil {
		h.Matcher = &Matcher{"200"}
	}
	return h
}

var groupDefaults = []Attribute{
	{"deregistration_delay.timeout_seconds", "300"},
	{"load_balancing.algorithm.type", "round_robin"},
	{"slow_start.duration_seconds", "0"},
	{"stickiness.enabled", "false"},
}

func noGroup(arns ...string) *wire.Error { return notFound("TargetGroup", "Target groups", arns...) }

func (s *Service) groupOperations(operations map[string]wire.Operation) {
	operations["CreateTargetGroup"] = wire.Op(s.createTargetGroup)
	operations["DescribeTargetGroups"] = wire.Op(s.describeTargetGroups)
	operations["ModifyTargetGroup"] = wire.Op(s.modifyTargetGroup)
	operations["DescribeTargetGroupAttributes"] = wire.Op(s.describeTargetGroupAttributes)
	operations["ModifyTargetGroupAttributes"] = wire.Op(s.modifyTargetGroupAttributes)
	operations["DeleteTargetGroup"] = wire.Op(s.deleteTargetGroup)
}

type createGroupInput struct {
	Name       string `json:"Name"`
	Protocol   string `json:"Protocol"`
	Port       int    `json:"Port"`
	VpcID      string `json:"VpcId"`
	TargetType string `json:"TargetType"`
	Tags       []Tag  `json:"Tags"`
	healthCheck
}

type groupsOutput struct {
	TargetGroups []groupHead `json:"TargetGroups"`
	NextMarker   string      `json:"NextMarker,omitempty"`
}

var groupName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$`)

// createTargetGroup answers with the existing one when it is asked for the same
// again, and refuses the name for another.
func (s *Service) createTargetGroup(ctx context.Context, in *createGroupInput) (*groupsOutput, error) {
	if !groupName.MatchString(in.Name) {
		return nil, invalid("Target group name '%s' can only contain characters that are alphanumeric characters and "+
			"hyphens(-), cannot be longer than 32 characters, and cannot begin or end with a hyphen", in.Name)
	}
	if in.TargetType == "" {
		in.TargetType = "instance"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if existing, ok := s.targetGroups.First(func(g TargetGroup) bool { return g.Name == in.Name }); ok {
		if existing.groupHead.Protocol == in.Protocol && existing.groupHead.Port == in.Port &&
			existing.VpcID == in.VpcID && existing.TargetType == in.TargetType {
			return &groupsOutput{TargetGroups: []groupHead{s.viewOf(existing)}}, nil
		}
		return nil, wire.Errorf("DuplicateTargetGroupName",
			"A target group with the same name '%s' exists, but with different settings", in.Name)
	}
	group := TargetGroup{Tags: in.Tags, Attributes: groupDefaults, groupHead: groupHead{
		ARN: s.arn("targetgroup/" + in.Name + "/" + s.config.IDs.Hex(16)), Name: in.Name, Protocol: in.Protocol,
		ProtocolVersion: "HTTP1", Port: in.Port, VpcID: in.VpcID, TargetType: in.TargetType, IPAddressType: "ipv4",
		HealthCheckEnabled: true, healthCheck: in.healthCheck.withDefaults(),
	}}
	return &groupsOutput{TargetGroups: []groupHead{s.viewOf(group)}}, s.targetGroups.Put(group)
}

// viewOf is the group with the load balancers that send to it.
func (s *Service) viewOf(group TargetGroup) groupHead {
	head := group.groupHead
	head.LoadBalancerARNs = nil
	for _, rule := range s.rules.All() {
		if !slices.Contains(targets(rule.Actions), group.ARN) {
			continue
		}
		listener, _ := s.listeners.Get(rule.ListenerARN)
		if !slices.Contains(head.LoadBalancerARNs, listener.LoadBalancerARN) {
			head.LoadBalancerARNs = append(head.LoadBalancerARNs, listener.LoadBalancerARN)
		}
	}
	return head
}

type describeGroupsInput struct {
	paging
	LoadBalancerARN string   `json:"LoadBalancerArn"`
	ARNs            []string `json:"TargetGroupArns"`
	Names           []string `json:"Names"`
}

func (s *Service) describeTargetGroups(ctx context.Context, in *describeGroupsInput) (*groupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []groupHead
	for _, group := range s.targetGroups.All() {
		head := s.viewOf(group)
		if in.LoadBalancerARN == "" || slices.Contains(head.LoadBalancerARNs, in.LoadBalancerARN) {
			all = append(all, head)
		}
	}
	found, err := choose(all, func(g groupHead) string { return g.ARN }, func(g groupHead) string { return g.Name },
		in.ARNs, in.Names, noGroup)
	if err != nil {
		return nil, err
	}
	found, next, err := page(found, in.paging)
	return &groupsOutput{found, next}, err
}

type groupInput struct {
	ARN        string      `json:"TargetGroupArn"`
	Attributes []Attribute `json:"Attributes"`
	healthCheck
}

func (s *Service) changeGroup(arn string, change func(*TargetGroup)) (TargetGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group, ok := s.targetGroups.Get(arn)
	if !ok {
		return group, noGroup(arn)
	}
	change(&group)
	return group, s.targetGroups.Put(group)
}

func (s *Service) modifyTargetGroup(ctx context.Context, in *groupInput) (*groupsOutput, error) {
	group, err := s.changeGroup(in.ARN, func(g *TargetGroup) {
		old := g.healthCheck
		next := in.healthCheck
		merge(&next.Protocol, old.Protocol)
		merge(&next.Port, old.Port)
		merge(&next.Path, old.Path)
		merge(&next.IntervalSeconds, old.IntervalSeconds)
		merge(&next.TimeoutSeconds, old.TimeoutSeconds)
		merge(&next.Healthy, old.Healthy)
		merge(&next.Unhealthy, old.Unhealthy)
		merge(&next.Matcher, old.Matcher)
		g.healthCheck = next
	})
	return &groupsOutput{TargetGroups: []groupHead{group.groupHead}}, err
}

// merge keeps the old value where there is no new one.
func merge[T comparable](field *T, old T) {
	var none T
	if *field == none {
		*field = old
	}
}

func (s *Service) describeTargetGroupAttributes(ctx context.Context, in *groupInput) (*attributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group, ok := s.targetGroups.Get(in.ARN)
	if !ok {
		return nil, noGroup(in.ARN)
	}
	return &attributesOutput{group.Attributes}, nil
}

func (s *Service) modifyTargetGroupAttributes(ctx context.Context, in *groupInput) (*attributesOutput, error) {
	group, err := s.changeGroup(in.ARN, func(g *TargetGroup) { g.Attributes = setAttributes(g.Attributes, in.Attributes) })
	return &attributesOutput{group.Attributes}, err
}

// deleteTargetGroup fails while a rule or a listener sends to the group.
// Deleting what is not there succeeds, as on AWS.
func (s *Service) deleteTargetGroup(ctx context.Context, in *groupInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := s.rules.Find(func(r Rule) bool { return slices.Contains(targets(r.Actions), in.ARN) })
	if len(users) > 0 {
		return nil, wire.Errorf("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule",
			strings.TrimSpace(in.ARN))
	}
	return nothing, s.targetGroups.Remove(in.ARN)
}
