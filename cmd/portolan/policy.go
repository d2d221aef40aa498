package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

var (
	policyTable = columns("NAME=name CLUSTER=cluster SERVICE=spec.service NODE-POOL=spec.nodePool BY=spec.adjustment " +
		"MIN=spec.sizeMin MAX=spec.sizeMax ALARM=spec.alarm")
	decisionTable = columns("TIME=time ALARM=alarmState FROM=from TO=to APPLIED=applied OPERATION=operation REASON=reason")
	bindingTable  = columns("NAME=name CLUSTER=cluster SERVICE=spec.service PIPELINE=spec.pipeline " +
		"REPOSITORY=spec.repository TAG=spec.tag")
)

func newPolicyCommand(a *app) *cobra.Command {
	policy := func(args []string) string { return at("clusters", args[0], "policies", args[1]) }
	decisions := a.list("decisions CLUSTER NAME", "List a policy's decisions of a day, newest first", 2, decisionTable,
		func(args []string) string { return policy(args) + "/decisions" }, "day")
	decisions.Flags().String("day", "", "the day in UTC, such as 2026-11-23; today when absent")
	return group("policy", "Scaling policies, each tied to a CloudWatch alarm",
		a.change(change{
			use: "put CLUSTER NAME", short: "Create a scaling policy, or change it", arguments: cobra.ExactArgs(2),
			method: http.MethodPut, path: policy, table: policyTable,
			input: &input{fields: []field{
				{"alarm", "alarm", text, "ARN of the CloudWatch alarm"},
				{"service", "service", text, "the service to scale"},
				{"node-pool", "nodePool", text, "the node pool to scale"},
				{"adjustment", "adjustment", number, "tasks or nodes to add, or with a minus to take away"},
				{"min", "sizeMin", number, "no fewer than these"},
				{"max", "sizeMax", number, "no more than these"},
				{"cooldown", "cooldownSeconds", number, "seconds to wait after a change"},
			}},
		}),
		a.list("list CLUSTER", "List the scaling policies of a cluster", 1, policyTable,
			func(args []string) string { return at("clusters", args[0], "policies") }),
		a.get("get CLUSTER NAME", "Show a scaling policy", 2, policyTable, policy),
		a.change(change{
			use: "delete CLUSTER NAME", short: "Delete a scaling policy", arguments: cobra.ExactArgs(2),
			method: http.MethodDelete, path: policy, done: "The policy is gone.",
		}),
		decisions,
	)
}

func newBindingCommand(a *app) *cobra.Command {
	binding := func(args []string) string { return at("clusters", args[0], "bindings", args[1]) }
	return group("binding", "Bindings: from a pipeline or an image repository to a service",
		a.change(change{
			use: "put CLUSTER NAME", short: "Create a binding, or change it", arguments: cobra.ExactArgs(2),
			method: http.MethodPut, path: binding, table: bindingTable,
			input: &input{fields: []field{
				{"service", "service", text, "the service to roll out"},
				{"pipeline", "pipeline", text, "name of the CodePipeline pipeline"},
				{"image-variable", "imageVariable", text, "output variable that holds the image"},
				{"repository", "repository", text, "name of the ECR repository"},
				{"tag", "tag", text, "only pushes of this tag"},
			}},
		}),
		a.list("list CLUSTER", "List the bindings of a cluster", 1, bindingTable,
			func(args []string) string { return at("clusters", args[0], "bindings") }),
		a.get("get CLUSTER NAME", "Show a binding", 2, bindingTable, binding),
		a.change(change{
			use: "delete CLUSTER NAME", short: "Delete a binding", arguments: cobra.ExactArgs(2),
			method: http.MethodDelete, path: binding, done: "The binding is gone.",
		}),
	)
}
