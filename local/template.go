package local

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"portolan/local/cloudformation"
)

// A deployment is what of template.yaml runs here, with every expression
// evaluated for this account, region and stack.
type deployment struct {
	table     resource
	functions []function
	machines  []machine
	rules     []rule
	roles     []role
	topics    []string // ARNs
	queues    []resource
}

type resource struct {
	name, arn  string
	properties map[string]any
}

type function struct {
	resource
	logicalID string
	timeout   time.Duration
	variables map[string]string
	policies  []any
	streams   []streamSource
}

// A streamSource is an event source mapping from the table's stream.
type streamSource struct {
	batch   int
	retries int
	filters []string
}

type machine struct {
	resource
	logicalID  string
	definition string
	policies   []any
}

type rule struct {
	resource
	pattern  string
	schedule string
	targets  []map[string]any
	state    string
}

// A role is one that the template itself makes. SAM makes those of functions and
// state machines, which roleName names.
type role struct {
	resource
	policies []any // documents
	trust    any
}

// roleName is the name of the role that SAM makes for what has that logical id.
func roleName(stack, logicalID string) string { return stack + "-" + logicalID + "Role-LOCAL" }

// names are the physical names and ARNs that the stack's resources get here.
type names struct {
	account, region, stack string
	template               *cloudformation.Template
}

// lookup is what Ref (no attribute) or Fn::GetAtt gives for a resource.
func (n names) lookup(logicalID, attribute string) (any, error) {
	r, ok := n.template.Resources[logicalID]
	if !ok {
		if owner, isRole := strings.CutSuffix(logicalID, "Role"); isRole && attribute == "Arn" {
			return n.role(owner), nil
		}
		return nil, fmt.Errorf("the template has no resource %s", logicalID)
	}
	name := n.name(logicalID, r)
	arn := n.arn(logicalID, r.Type, name)
	switch attribute {
	case "":
		return n.reference(r.Type, name, arn), nil
	case "Arn":
		return arn, nil
	case "QueueName", "Name":
		return name, nil
	case "StreamArn":
		return arn + "/stream/local", nil
	}
	return nil, fmt.Errorf("%s (%s) has no attribute %s here", logicalID, r.Type, attribute)
}

// name is the physical name of a resource. Those that the template names are
// named after the stack too, so all follow one form.
func (n names) name(logicalID string, r cloudformation.Resource) string {
	if r.Type == "AWS::Serverless::StateMachine" || r.Type == "AWS::Events::Rule" {
		if sub, ok := r.Properties["Name"].(map[string]any); ok {
			if format, ok := sub["Fn::Sub"].(string); ok {
				return strings.ReplaceAll(format, "${AWS::StackName}", n.stack)
			}
		}
	}
	return n.stack + "-" + logicalID
}

func (n names) role(owner string) string {
	return "arn:aws:iam::" + n.account + ":role/" + roleName(n.stack, owner)
}

func (n names) arn(logicalID, kind, name string) string {
	at := func(service, rest string) string {
		return "arn:aws:" + service + ":" + n.region + ":" + n.account + ":" + rest
	}
	switch kind {
	case "AWS::DynamoDB::Table":
		return at("dynamodb", "table/"+name)
	case "AWS::SQS::Queue":
		return at("sqs", name)
	case "AWS::Serverless::Function":
		return at("lambda", "function:"+name)
	case "AWS::Serverless::LayerVersion":
		return at("lambda", "layer:"+n.stack+"-"+strings.ToLower(strings.TrimSuffix(logicalID, "Layer"))+":1")
	case "AWS::Serverless::StateMachine":
		return at("states", "stateMachine:"+name)
	case "AWS::Events::Rule":
		return at("events", "rule/"+name)
	case "AWS::SNS::Topic":
		return at("sns", name)
	case "AWS::Logs::LogGroup":
		return at("logs", "log-group:"+name)
	case "AWS::IAM::Role":
		return "arn:aws:iam::" + n.account + ":role/" + n.stack + "-" + logicalID + "-LOCAL"
	}
	return name
}

// reference is what Ref gives: a name for most types, an ARN or a URL for some.
func (n names) reference(kind, name, arn string) string {
	switch kind {
	case "AWS::Serverless::StateMachine", "AWS::Serverless::LayerVersion", "AWS::SNS::Topic":
		return arn
	case "AWS::SQS::Queue":
		return "https://sqs." + n.region + ".amazonaws.com/" + n.account + "/" + name
	}
	return name
}

// readDeployment evaluates template.yaml.
func readDeployment(files fs.FS, account, region, stack string) (*deployment, error) {
	text, err := fs.ReadFile(files, "template.yaml")
	if err != nil {
		return nil, err
	}
	template, err := cloudformation.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading template.yaml: %w", err)
	}
	n := names{account: account, region: region, stack: stack, template: template}
	parameters := map[string]any{}
	for name, parameter := range template.Parameters {
		if parameter.Default != nil {
			parameters[name] = *parameter.Default
		}
	}
	resolver, err := template.Resolver(cloudformation.Scope{
		Parameters: parameters, Lookup: n.lookup,
		Pseudo: cloudformation.Pseudo{AccountID: account, Region: region, StackName: stack,
			StackID: "arn:aws:cloudformation:" + region + ":" + account + ":stack/" + stack + "/local"},
	})
	if err != nil {
		return nil, fmt.Errorf("evaluating template.yaml: %w", err)
	}
	r := reader{names: n, resolver: resolver, files: files}
	return r.read()
}

// A reader turns the template's resources into a deployment.
type reader struct {
	names
	resolver *cloudformation.Resolver
	files    fs.FS
}

func (r *reader) read() (*deployment, error) {
	out := &deployment{}
	for _, id := range r.template.LogicalIDs() {
		declared := r.template.Resources[id]
		if !r.resolver.Active(id) || !runsHere[declared.Type] {
			continue
		}
		properties, err := r.resolver.Properties(id)
		if err != nil {
			return nil, fmt.Errorf("evaluating %s of template.yaml: %w", id, err)
		}
		name := r.name(id, declared)
		made := resource{name: name, arn: r.arn(id, declared.Type, name), properties: properties}
		if err := r.add(out, id, declared.Type, made); err != nil {
			return nil, fmt.Errorf("reading %s of template.yaml: %w", id, err)
		}
	}
	return out, nil
}

var runsHere = map[string]bool{
	"AWS::DynamoDB::Table": true, "AWS::Serverless::Function": true, "AWS::Serverless::StateMachine": true,
	"AWS::Events::Rule": true, "AWS::SQS::Queue": true, "AWS::SNS::Topic": true, "AWS::IAM::Role": true,
}

func (r *reader) add(out *deployment, id, kind string, made resource) error {
	switch kind {
	case "AWS::DynamoDB::Table":
		out.table = made
	case "AWS::SQS::Queue":
		out.queues = append(out.queues, made)
	case "AWS::SNS::Topic":
		out.topics = append(out.topics, made.arn)
	case "AWS::IAM::Role":
		out.roles = append(out.roles, readRole(made))
	case "AWS::Events::Rule":
		added, err := readRule(made)
		out.rules = append(out.rules, added)
		return err
	case "AWS::Serverless::Function":
		added, err := r.readFunction(id, made)
		out.functions = append(out.functions, added)
		return err
	case "AWS::Serverless::StateMachine":
		added, err := r.readMachine(id, made)
		out.machines = append(out.machines, added)
		return err
	}
	return nil
}
