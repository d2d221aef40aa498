package access

import (
	"strings"

	"portolan/local/wire"
)

// A call is an operation of a service with its parameters.
type call struct {
	*Config
	service, operation string
	path               string
	in                 wire.Member
}

// prefixes are the services' names in actions, where they are not those that
// requests are signed for.
var prefixes = map[string]string{"monitoring": "cloudwatch", "tagging": "tag"}

// special are the operations that are not one action on any resource.
var special = map[string]func(*call) []Request{
	"dynamodb":             (*call).dynamodb,
	"states":               (*call).states,
	"cloudformation":       (*call).cloudformation,
	"ec2":                  (*call).ec2,
	"ecs":                  (*call).ecs,
	"eks":                  (*call).eks,
	"lambda":               (*call).lambda,
	"elasticloadbalancing": (*call).balancing,
	"autoscaling":          (*call).autoscaling,
	"iam":                  (*call).iam,
	"sts":                  (*call).sts,
	"codepipeline":         (*call).codepipeline,
	"ecr":                  (*call).ecr,
	"logs":                 (*call).logs,
	"ssm":                  (*call).ssm,
	"sqs":                  (*call).sqs,
	"secretsmanager":       (*call).secrets,
}

// requests are what IAM is asked about a call.
func (g *Guard) requests(x *wire.Exchange) []Request {
	c := &call{Config: &g.config, service: x.Service, operation: x.Operation, path: x.Path, in: x.Parameter()}
	if f, ok := special[c.service]; ok {
		if requests := f(c); requests != nil {
			return requests
		}
	}
	return c.on("*")
}

// action is the call's own action.
func (c *call) action() string { return c.named(c.operation) }

func (c *call) named(operation string) string {
	if prefix, ok := prefixes[c.service]; ok {
		return prefix + ":" + operation
	}
	return c.service + ":" + operation
}

// on asks for the call's own action on each of the resources.
func (c *call) on(resources ...string) []Request {
	var out []Request
	for _, resource := range resources {
		out = append(out, Request{Action: c.action(), Resource: resource})
	}
	return out
}

// arn makes an ARN of the service's own; one that the caller gave stays.
func (c *call) arn(prefix, name string) string { return c.arnOf(c.service, prefix, name) }

func (c *call) arnOf(service, prefix, name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return "arn:aws:" + service + ":" + c.Region + ":" + c.Account + ":" + prefix + name
}

func (c *call) role(name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return "arn:aws:iam::" + c.Account + ":role/" + name
}

// pass asks for passing those of the roles that are given to a service.
func (c *call) pass(to string, members ...string) []Request {
	var out []Request
	for _, member := range members {
		if name := c.text(member); name != "" {
			out = append(out, Request{"iam:PassRole", c.role(name),
				map[string][]string{"iam:passedtoservice": {to}}})
		}
	}
	return out
}

func (c *call) text(member string) string { return c.in.Member(member).Text() }

func (c *call) texts(member string) []string {
	items := c.in.Member(member).Items()
	out := make([]string, 0, len(items))
	for _, item := range items {
		if text := item.Text(); text != "" {
			out = append(out, text)
		}
	}
	return out
}

func (c *call) has(member string) bool { return !c.in.Member(member).IsEmpty() }

// last is what follows the last slash of a name or an ARN.
func last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
