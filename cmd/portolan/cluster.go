package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

var clusterTable = columns("NAME=name TEAM=team ORCHESTRATOR=orchestrator STATUS=status NODES=nodePools.size " +
	"ENDPOINT=endpoint REASON=statusReason")

func newClusterCommand(a *app) *cobra.Command {
	cluster := func(args []string) string { return at("clusters", args[0]) }
	return group("cluster", "Clusters: an orchestrator with its nodes",
		newClusterCreateCommand(a),
		a.list("list", "List the clusters", 0, clusterTable, func([]string) string { return at("clusters") }),
		a.get("get NAME", "Show a cluster", 1, clusterTable, cluster),
		a.change(change{
			use: "set NAME", short: "Change a setting of a cluster", arguments: cobra.ExactArgs(1),
			method: http.MethodPatch, path: cluster, table: clusterTable,
			input: &input{fields: []field{driftField}},
		}),
		a.change(change{
			use: "retire NAME", short: "Drain a cluster, delete it and sweep what is left",
			arguments: cobra.ExactArgs(1), method: http.MethodDelete, path: cluster,
		}),
	)
}

var driftField = field{"drift", "drift", text, "what becomes of changes made by hand: repair or report"}

func newClusterCreateCommand(a *app) *cobra.Command {
	return a.change(change{
		use: "create [NAME]", short: "Ask for a cluster", arguments: cobra.MaximumNArgs(1),
		method: http.MethodPost, path: func([]string) string { return at("clusters") },
		prepare: func(body map[string]any, args []string) {
			if len(args) == 1 {
				body["name"] = args[0]
			}
			orEcs(body)
			namePool(body)
		},
		input: &input{fields: []field{
			{"team", "team", text, "the team that owns the cluster"},
			{"orchestrator", "orchestrator", text, "ecs, which is the default"},
			driftField,
			{"capacity", "ecs.capacity", text, "EC2 or FARGATE"},
			{"instance-type", "nodePools.0.instanceType", text, "instance type of the nodes"},
			{"nodes", "nodePools.0.size", number, "number of nodes"},
			{"nodes-max", "nodePools.0.sizeMax", number, "no policy and no request makes it more"},
			{"key-pair", "nodePools.0.keyPair", text, "EC2 key pair for SSH to the nodes"},
			{"root-volume", "nodePools.0.rootVolumeGiB", number, "size of the nodes' root volumes in GiB"},
			{"instance-role", "ecs.instanceRole", text, "name of the nodes' IAM role; made when absent"},
			{"allow", "ecs.allowedIngress", ingress, "who may reach it: CIDR:80 for the load balancer, CIDR:22 for SSH"},
			{"vpc", "network.vpcId", text, "an existing VPC; a new one is made when absent"},
			{"subnet", "network.subnetIds", texts, "subnet of the existing VPC"},
			{"cidr", "network.cidr", text, "address range of the new VPC"},
		}},
	})
}

// orEcs chooses the only orchestrator that there is.
func orEcs(body map[string]any) {
	if body["orchestrator"] == nil {
		body["orchestrator"] = "ecs"
	}
}

// namePool names the node pool that flags describe; a cluster has one.
func namePool(body map[string]any) {
	pools, _ := body["nodePools"].([]any)
	for _, each := range pools {
		if pool, ok := each.(map[string]any); ok && pool["name"] == nil {
			pool["name"] = "main"
		}
	}
}

var nodePoolTable = columns("NAME=name TYPE=instanceType SIZE=size OBSERVED=sizeObserved MAX=sizeMax")

func newNodePoolCommand(a *app) *cobra.Command {
	pool := func(args []string) string { return at("clusters", args[0], "node-pools", args[1]) }
	return group("node-pool", "Node pools: nodes of one shape",
		a.get("get CLUSTER NAME", "Show a node pool", 2, nodePoolTable, pool),
		a.change(change{
			use: "scale CLUSTER NAME", short: "Change the number of nodes", arguments: cobra.ExactArgs(2),
			method: http.MethodPut, path: pool, table: nodePoolTable,
			input: &input{fields: []field{{"size", "size", number, "number of nodes"}}},
		}),
	)
}
