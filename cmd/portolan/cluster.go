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
		newClusterAdoptCommand(a),
		a.list("list", "List the clusters", 0, clusterTable, func([]string) string { return at("clusters") }),
		a.get("get NAME", "Show a cluster", 1, clusterTable, cluster),
		a.change(change{
			use: "set NAME", short: "Change a setting of a cluster", arguments: cobra.ExactArgs(1),
			method: http.MethodPatch, path: cluster, table: clusterTable,
			input: &input{fields: []field{driftField, {"verbs", "verbs", texts, verbsHelp}}},
		}),
		a.change(change{
			use: "survey NAME", short: "Look again at what runs on an adopted cluster", arguments: cobra.ExactArgs(1),
			method: http.MethodPost, path: func(args []string) string { return at("clusters", args[0], "survey") },
		}),
		a.change(change{
			use: "recover NAME", short: "Make a swarm anew that lost the majority of its managers", arguments: cobra.ExactArgs(1),
			method: http.MethodPost, path: func(args []string) string { return at("clusters", args[0], "recovery") },
		}),
		a.change(change{
			use: "upgrade NAME", short: "Raise the version of a cluster of Kubernetes by one, or of a swarm's engines", arguments: cobra.ExactArgs(1),
			method: http.MethodPut, path: func(args []string) string { return at("clusters", args[0], "version") }, table: clusterTable,
			input: &input{fields: []field{{"version", "version", text, "the minor version after the cluster's own, such as 1.35, or of swarm an engine's, such as 28.5.1"}}},
		}),
		a.list("workloads NAME", "List what ran on an adopted cluster when it was last looked at", 1, workloadTable,
			func(args []string) string { return at("clusters", args[0], "workloads") }),
		a.change(change{
			use: "retire NAME", short: "Drain a cluster, delete it and sweep what is left",
			arguments: cobra.ExactArgs(1), method: http.MethodDelete, path: cluster,
		}),
	)
}

var workloadTable = columns("NAMESPACE=namespace KIND=kind NAME=name READY=ready REPLICAS=replicas IMAGES=images " +
	"MANAGERS=managers SERVICE=service")

const verbsHelp = "what may be done on an adopted cluster: deploy, scale, drain, repair, run"

// newClusterAdoptCommand describes a cluster that is there already.
func newClusterAdoptCommand(a *app) *cobra.Command {
	return a.change(change{
		use: "adopt NAME", short: "Take on a cluster that somebody else made; at first Portolan only looks at it",
		arguments: cobra.ExactArgs(1), method: http.MethodPost, path: func([]string) string { return at("clusters") },
		prepare: func(body map[string]any, args []string) {
			body["name"] = args[0]
			if body["orchestrator"] == nil {
				body["orchestrator"] = "kubernetes"
			}
		},
		input: &input{fields: []field{
			{"team", "team", text, "the team that owns the cluster"},
			{"orchestrator", "orchestrator", text, "kubernetes, which it is when absent, or swarm"},
			{"credentials", "adopted.credentials", text, "ARN of the secret with the kubeconfig, or a swarm's certificates, named portolan/TEAM/…"},
			{"address", "swarm.addresses", texts, "where a manager of a swarm is, such as 10.0.1.17:2376, or unix:///var/run/docker.sock"},
			{"server-name", "swarm.serverName", text, "the name in the certificates of a swarm's engines, where it is not the address"},
			{"verbs", "adopted.verbs", texts, verbsHelp},
			driftField,
			{"context", "kubernetes.context", text, "context of the kubeconfig; its current one when absent"},
			{"namespace", "kubernetes.namespace", text, "namespace of services that name none"},
			{"eks-cluster", "kubernetes.eksCluster", text, "the cluster's name in Amazon EKS, if it is one"},
			{"vpc", "network.vpcId", text, "VPC of a private endpoint, for the connector"},
			{"subnet", "network.subnetIds", texts, "subnet of that VPC"},
		}},
	})
}

func newNodeCommand(a *app) *cobra.Command {
	put := func(use, short string, drained bool) *cobra.Command {
		return a.change(change{
			use: use + " CLUSTER NODE", short: short, arguments: cobra.ExactArgs(2), method: http.MethodPut,
			path:    func(args []string) string { return at("clusters", args[0], "nodes", args[1]) },
			prepare: func(body map[string]any, _ []string) { body["drained"] = drained },
			input:   &input{},
		})
	}
	return group("node", "Nodes: instances in a cluster",
		put("drain", "Move a node's tasks away, and keep new ones from it", true),
		put("uncordon", "Let a node take tasks again", false),
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
			{"orchestrator", "orchestrator", text, "ecs, which is the default, or kubernetes"},
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
			{"kubernetes-version", "kubernetes.version", text, "minor version, such as 1.34; EKS's default when absent"},
			{"endpoint-access", "kubernetes.endpointAccess", text, "private, which is the default, public or publicAndPrivate"},
			{"public-access-cidr", "kubernetes.publicAccessCidrs", texts, "from where a public endpoint is reached"},
			{"spot", "nodePools.0.spot", agreeing, "Spot instances, for kubernetes"},
		}},
	})
}

// orEcs chooses the orchestrator of a new cluster that names none.
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
