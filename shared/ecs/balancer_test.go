package ecs_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"portolan/local/wire"
)

// balancer is a listener with its rules and target groups: as much of Elastic
// Load Balancing as the driver calls.
type balancer struct {
	groups []*group
	rules  []*rule
	serial int

	// thefts is how many more times somebody else takes a priority just before
	// the driver does.
	thefts int
}

type group struct {
	TargetGroupArn  string   `json:"TargetGroupArn"`
	TargetGroupName string   `json:"TargetGroupName"`
	HealthCheckPath string   `json:"HealthCheckPath"`
	TargetType      string   `json:"TargetType"`
	Tags            []keyTag `json:"-"`
}

type keyTag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

type rule struct {
	RuleArn    string      `json:"RuleArn"`
	Priority   string      `json:"Priority"`
	Conditions []condition `json:"Conditions"`
	Actions    []action    `json:"Actions"`
	Tags       []keyTag    `json:"-"`
}

type condition struct {
	Field             string  `json:"Field"`
	HostHeaderConfig  *values `json:"HostHeaderConfig"`
	PathPatternConfig *values `json:"PathPatternConfig"`
}

type values struct {
	Values []string `json:"Values"`
}

type action struct {
	Type           string `json:"Type"`
	TargetGroupArn string `json:"TargetGroupArn"`
}

type groupInput struct {
	Name            string   `json:"Name"`
	Names           []string `json:"Names"`
	HealthCheckPath string   `json:"HealthCheckPath"`
	TargetGroupArn  string   `json:"TargetGroupArn"`
	TargetType      string   `json:"TargetType"`
	Tags            []keyTag `json:"Tags"`
}

type groupOutput struct {
	TargetGroups []*group `json:"TargetGroups"`
}

type ruleInput struct {
	RuleArn      string      `json:"RuleArn"`
	Priority     int         `json:"Priority"`
	Conditions   []condition `json:"Conditions"`
	Actions      []action    `json:"Actions"`
	Tags         []keyTag    `json:"Tags"`
	ResourceArns []string    `json:"ResourceArns"`
}

type ruleOutput struct {
	Rules []*rule `json:"Rules"`
}

type tagsOutput struct {
	TagDescriptions []tagDescription `json:"TagDescriptions"`
}

type tagDescription struct {
	ResourceArn string   `json:"ResourceArn"`
	Tags        []keyTag `json:"Tags"`
}

const listenerARN = "arn:aws:elasticloadbalancing:" + area + ":" + account + ":listener/app/shop/1/2"

func refuse(code string) error {
	return &wire.Error{Code: code, Message: code, Status: 400}
}

func (b *balancer) service() *wire.Service {
	return &wire.Service{
		Name: "Elastic Load Balancing v2", Version: "2015-12-01", Protocol: wire.Query,
		Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		Operations: map[string]wire.Operation{
			"DescribeTargetGroups": wire.Op(b.describeGroups),
			"CreateTargetGroup":    wire.Op(b.createGroup),
			"ModifyTargetGroup":    wire.Op(b.modifyGroup),
			"DeleteTargetGroup":    wire.Op(b.deleteGroup),
			"DescribeRules":        wire.Op(b.describeRules),
			"CreateRule":           wire.Op(b.createRule),
			"ModifyRule":           wire.Op(b.modifyRule),
			"DeleteRule":           wire.Op(b.deleteRule),
			"DescribeTags":         wire.Op(b.describeTags),
		},
	}
}

func (b *balancer) describeGroups(_ context.Context, in *groupInput) (*groupOutput, error) {
	for _, g := range b.groups {
		if slices.Contains(in.Names, g.TargetGroupName) {
			return &groupOutput{TargetGroups: []*group{g}}, nil
		}
	}
	return nil, refuse("TargetGroupNotFound")
}

func (b *balancer) createGroup(_ context.Context, in *groupInput) (*groupOutput, error) {
	b.serial++
	g := &group{
		TargetGroupArn: fmt.Sprintf("arn:aws:elasticloadbalancing:%s:%s:targetgroup/%s/%d",
			area, account, in.Name, b.serial),
		TargetGroupName: in.Name, HealthCheckPath: in.HealthCheckPath,
		TargetType: in.TargetType, Tags: in.Tags,
	}
	b.groups = append(b.groups, g)
	return &groupOutput{TargetGroups: []*group{g}}, nil
}

func (b *balancer) modifyGroup(_ context.Context, in *groupInput) (*groupOutput, error) {
	for _, g := range b.groups {
		if g.TargetGroupArn == in.TargetGroupArn {
			g.HealthCheckPath = in.HealthCheckPath
			return &groupOutput{TargetGroups: []*group{g}}, nil
		}
	}
	return nil, refuse("TargetGroupNotFound")
}

func (b *balancer) deleteGroup(_ context.Context, in *groupInput) (*struct{}, error) {
	for _, r := range b.rules {
		if r.Actions[0].TargetGroupArn == in.TargetGroupArn {
			return nil, refuse("ResourceInUse")
		}
	}
	b.groups = slices.DeleteFunc(b.groups, func(g *group) bool {
		return g.TargetGroupArn == in.TargetGroupArn
	})
	return &struct{}{}, nil
}

func (b *balancer) describeRules(context.Context, *ruleInput) (*ruleOutput, error) {
	return &ruleOutput{Rules: b.rules}, nil
}

func (b *balancer) createRule(_ context.Context, in *ruleInput) (*ruleOutput, error) {
	priority := strconv.Itoa(in.Priority)
	if b.thefts > 0 {
		b.thefts--
		b.rules = append(b.rules, &rule{
			RuleArn: "stolen-" + priority, Priority: priority,
			Actions: []action{{TargetGroupArn: "somebody's"}},
		})
	}
	for _, r := range b.rules {
		if r.Priority == priority {
			return nil, refuse("PriorityInUse")
		}
	}
	b.serial++
	r := &rule{
		RuleArn:  fmt.Sprintf("%s/%d", listenerARN, b.serial),
		Priority: priority, Conditions: in.Conditions, Actions: in.Actions, Tags: in.Tags,
	}
	b.rules = append(b.rules, r)
	return &ruleOutput{Rules: []*rule{r}}, nil
}

func (b *balancer) modifyRule(_ context.Context, in *ruleInput) (*ruleOutput, error) {
	for _, r := range b.rules {
		if r.RuleArn == in.RuleArn {
			r.Actions = in.Actions
			return &ruleOutput{Rules: []*rule{r}}, nil
		}
	}
	return nil, refuse("RuleNotFound")
}

func (b *balancer) deleteRule(_ context.Context, in *ruleInput) (*struct{}, error) {
	before := len(b.rules)
	b.rules = slices.DeleteFunc(b.rules, func(r *rule) bool { return r.RuleArn == in.RuleArn })
	if len(b.rules) == before {
		return nil, refuse("RuleNotFound")
	}
	return &struct{}{}, nil
}

func (b *balancer) describeTags(_ context.Context, in *ruleInput) (*tagsOutput, error) {
	out := &tagsOutput{}
	for _, r := range b.rules {
		if slices.Contains(in.ResourceArns, r.RuleArn) {
			out.TagDescriptions = append(out.TagDescriptions,
				tagDescription{ResourceArn: r.RuleArn, Tags: r.Tags})
		}
	}
	return out, nil
}
