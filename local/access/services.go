package access

import (
	"maps"
	"slices"
	"strings"

	"portolan/local/wire"
)

func (c *call) dynamodb() []Request {
	switch c.operation {
	case "TransactWriteItems":
		return c.transaction("TransactItems", map[string]string{
			"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"})
	case "TransactGetItems":
		return c.transaction("TransactItems", map[string]string{"Get": "GetItem"})
	case "BatchGetItem", "BatchWriteItem":
		return c.batch()
	case "Query", "Scan":
		table := c.arn("table/", c.text("TableName"))
		if index := c.text("IndexName"); index != "" {
			table += "/index/" + index
		}
		return c.on(table)
	case "ListTables":
		return nil
	}
	return []Request{c.item(c.operation, c.in)}
}

// transaction asks for the action of each item.
func (c *call) transaction(member string, actions map[string]string) []Request {
	out := []Request{}
	for _, each := range c.in.Member(member).Items() {
		for kind, item := range each.Members() {
			if action, known := actions[kind]; known && !item.IsEmpty() {
				out = append(out, c.item(action, item))
			}
		}
	}
	return out
}

// batch asks for the call's action on each of its tables, with the keys that it reads.
func (c *call) batch() []Request {
	out := []Request{}
	tables := c.in.Member("RequestItems").Members()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		r := Request{Action: c.action(), Resource: c.arn("table/", name)}
		for _, key := range tables[name].Member("Keys").Items() {
			if leading := c.leading(name, key); leading != "" {
				r.Context = map[string][]string{leadingKeys: append(r.Context[leadingKeys], leading)}
			}
		}
		out = append(out, r)
	}
	return out
}

// leadingKeys is the condition key for the partition keys that a call names.
const leadingKeys = "dynamodb:leadingkeys"

// leading is the partition key of an item of a table, where it is a text.
func (c *call) leading(table string, key wire.Member) string {
	attribute := key.Member(c.PartitionKeys[last(table)])
	for _, kind := range []string{"S", "N", "B"} {
		if text := attribute.Member(kind).Text(); text != "" {
			return text
		}
	}
	return ""
}

// item asks for an action on the item that in names by its Key or its Item.
func (c *call) item(action string, in wire.Member) Request {
	members := in.Members()
	table := members["TableName"].Text()
	r := Request{Action: c.named(action), Resource: c.arn("table/", table)}
	key := members["Key"]
	if key.IsEmpty() {
		key = members["Item"]
	}
	if leading := c.leading(table, key); leading != "" {
		r.Context = map[string][]string{leadingKeys: {leading}}
	}
	return r
}

func (c *call) states() []Request {
	switch c.operation {
	case "StartExecution", "StartSyncExecution", "DescribeStateMachine", "UpdateStateMachine", "DeleteStateMachine":
		return c.on(c.text("stateMachineArn"))
	case "DescribeExecution", "StopExecution", "GetExecutionHistory", "RedriveExecution":
		return c.on(c.text("executionArn"))
	case "SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat":
		if machine := c.Machine(c.text("taskToken")); machine != "" {
			return c.on(machine)
		}
		return []Request{} // the service itself refuses a token that is none
	}
	return nil
}

func (c *call) cloudformation() []Request {
	name := c.text("StackName")
	if name == "" {
		return nil
	}
	if !strings.HasPrefix(name, "arn:") {
		name += "/*"
	}
	requests := c.on(c.arn("stack/", name))
	return append(requests, c.pass("cloudformation.amazonaws.com", "RoleARN")...)
}

func (c *call) ec2() []Request {
	if c.has("TagSpecification") {
		return append(c.on("*"), Request{Action: "ec2:CreateTags", Resource: "*"})
	}
	return nil
}

func (c *call) ecs() []Request {
	cluster := last(c.text("cluster"))
	if cluster == "" {
		cluster = "default"
	}
	within := func(kind string, names ...string) []Request {
		out := []string{}
		for _, name := range names {
			out = append(out, c.arn(kind+"/", cluster+"/"+last(name)))
		}
		return c.on(out...)
	}
	switch c.operation {
	case "CreateService":
		return c.tagged(within("service", c.text("serviceName")))
	case "UpdateService", "DeleteService":
		return within("service", c.text("service"))
	case "DescribeServices":
		return within("service", c.texts("services")...)
	case "DescribeTasks":
		return within("task", c.texts("tasks")...)
	case "StopTask":
		return within("task", c.text("task"))
	case "ListTasks":
		if instance := c.text("containerInstance"); instance != "" {
			return within("container-instance", instance)
		}
	case "DescribeContainerInstances", "UpdateContainerInstancesState":
		return within("container-instance", c.texts("containerInstances")...)
	case "RegisterTaskDefinition":
		requests := c.tagged(c.on(c.arn("task-definition/", c.text("family")+":*")))
		return append(requests, c.pass("ecs-tasks.amazonaws.com", "taskRoleArn", "executionRoleArn")...)
	case "RunTask":
		return c.on(c.arn("task-definition/", last(c.text("taskDefinition"))))
	case "ListContainerInstances", "DeregisterContainerInstance":
		return c.on(c.arn("cluster/", cluster))
	case "DescribeClusters":
		out := []string{}
		for _, name := range c.texts("clusters") {
			out = append(out, c.arn("cluster/", last(name)))
		}
		return c.on(out...)
	case "CreateCluster":
		return c.tagged(c.on(c.arn("cluster/", c.text("clusterName"))))
	case "CreateCapacityProvider":
		return c.tagged(c.on(c.arn("capacity-provider/", c.text("name"))))
	case "TagResource", "UntagResource", "ListTagsForResource":
		return c.on(c.text("resourceArn"))
	}
	return nil
}

// tagged adds that what is created is tagged.
func (c *call) tagged(requests []Request) []Request {
	if !c.has("tags") {
		return requests
	}
	return append(requests, Request{Action: c.named("TagResource"), Resource: requests[0].Resource})
}

func (c *call) balancing() []Request {
	var requests []Request
	created := ""
	switch c.operation {
	case "CreateRule":
		listener := c.text("ListenerArn")
		requests, created = c.on(listener), strings.Replace(listener, ":listener/", ":listener-rule/", 1)+"/*"
	case "CreateTargetGroup":
		created = c.arn("targetgroup/", c.text("Name")+"/*")
		requests = c.on(created)
	case "CreateLoadBalancer":
		created = c.arn("loadbalancer/app/", c.text("Name")+"/*")
		requests = c.on(created)
	case "CreateListener":
		balancer := c.text("LoadBalancerArn")
		requests, created = c.on(balancer), strings.Replace(balancer, ":loadbalancer/", ":listener/", 1)+"/*"
	case "ModifyTargetGroup", "ModifyTargetGroupAttributes", "DeleteTargetGroup", "RegisterTargets", "DeregisterTargets":
		return c.on(c.text("TargetGroupArn"))
	case "ModifyRule", "DeleteRule":
		return c.on(c.text("RuleArn"))
	case "ModifyListener", "DeleteListener":
		return c.on(c.text("ListenerArn"))
	case "AddTags", "RemoveTags":
		return c.on(c.texts("ResourceArns")...)
	default:
		return nil
	}
	if c.has("Tags") {
		requests = append(requests, Request{Action: c.named("AddTags"), Resource: created})
	}
	return requests
}

func (c *call) autoscaling() []Request {
	named := c.text("AutoScalingGroupName")
	if named == "" {
		named = c.text("InstanceId")
	}
	switch c.operation {
	case "CreateAutoScalingGroup":
		// What Auto Scaling launches, it launches in the name of who made the group.
		requests := append(c.on("*"), Request{Action: "ec2:RunInstances", Resource: "*"})
		if c.has("Tags") {
			requests = append(requests, Request{Action: c.named("CreateOrUpdateTags"), Resource: "*"})
		}
		return requests
	case "SetDesiredCapacity", "TerminateInstanceInAutoScalingGroup", "UpdateAutoScalingGroup",
		"DeleteAutoScalingGroup", "SuspendProcesses", "ResumeProcesses", "SetInstanceProtection":
		group, tags := c.Group(named)
		context := map[string][]string{}
		for name, value := range tags {
			context["aws:resourcetag/"+strings.ToLower(name)] = []string{value}
		}
		return []Request{{c.action(), c.arn("autoScalingGroup:*:autoScalingGroupName/", group), context}}
	}
	return nil
}

func (c *call) iam() []Request {
	profile := "arn:aws:iam::" + c.Account + ":instance-profile/" + c.text("InstanceProfileName")
	switch {
	case c.operation == "AddRoleToInstanceProfile":
		return append(c.on(profile), c.pass("ec2.amazonaws.com", "RoleName")...)
	case c.text("InstanceProfileName") != "":
		return c.on(profile)
	case c.text("RoleName") != "":
		requests := c.on(c.role(c.text("RoleName")))
		if policy := c.text("PolicyArn"); policy != "" {
			requests[0].Context = map[string][]string{"iam:policyarn": {policy}}
		}
		if c.operation == "CreateRole" && c.has("Tags") {
			requests = append(requests, Request{Action: "iam:TagRole", Resource: requests[0].Resource})
		}
		return requests
	}
	return nil
}

func (c *call) sts() []Request {
	if c.operation == "GetCallerIdentity" {
		return []Request{} // needs no permission
	}
	return c.on(c.role(c.text("RoleArn")))
}

func (c *call) codepipeline() []Request {
	if name := c.text("pipelineName"); name != "" {
		return c.on(c.arn("", name))
	}
	return nil
}

func (c *call) ecr() []Request {
	if name := c.text("repositoryName"); name != "" {
		return c.on(c.arn("repository/", name))
	}
	return nil
}

func (c *call) logs() []Request {
	if name := c.text("logGroupName"); name != "" {
		return c.on(c.arn("log-group:", name))
	}
	return nil
}

func (c *call) ssm() []Request {
	out := []string{}
	for _, name := range c.texts("Names") {
		out = append(out, "arn:aws:ssm:"+c.Region+"::parameter"+name)
	}
	return c.on(out...)
}

func (c *call) sqs() []Request {
	if queue := c.text("QueueUrl"); queue != "" {
		return c.on(c.arn("", last(queue)))
	}
	return nil
}

// secrets are named by their ARNs, or by names that the ARNs have with a suffix.
func (c *call) secrets() []Request {
	name := c.text("SecretId")
	if name == "" {
		name = c.text("Name")
	}
	if name == "" {
		return nil
	}
	if !strings.HasPrefix(name, "arn:") {
		name += "-??????"
	}
	return c.on(c.arn("secret:", name))
}
