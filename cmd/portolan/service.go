package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

var (
	serviceTable = columns("NAME=name CLUSTER=cluster STATUS=status REPLICAS=replicas RUNNING=replicasObserved " +
		"RELEASE=release IN-EFFECT=releaseObserved DRIFT=drift REASON=statusReason")
	releaseTable = columns("NUMBER=number STATUS=status IMAGE=image DIGEST=imageDigest COMMIT=commit " +
		"CREATED=createdAt REASON=reason")
)

func newServiceCommand(a *app) *cobra.Command {
	service := func(args []string) string { return at("clusters", args[0], "services", args[1]) }
	return group("service", "Services: long-running workloads on a cluster",
		a.change(change{
			use: "put CLUSTER NAME", short: "Create a service, or change it", arguments: cobra.ExactArgs(2),
			method: http.MethodPut, path: service, table: serviceTable,
			input: &input{fields: serviceFields},
		}),
		a.list("list CLUSTER", "List the services of a cluster", 1, serviceTable,
			func(args []string) string { return at("clusters", args[0], "services") }),
		a.get("get CLUSTER NAME", "Show a service", 2, serviceTable, service),
		a.list("releases CLUSTER NAME", "List the releases of a service, newest first", 2, releaseTable,
			func(args []string) string { return at("clusters", args[0], "services", args[1], "releases") }),
		a.change(change{
			use: "retire CLUSTER NAME", short: "Drain a service and remove it", arguments: cobra.ExactArgs(2),
			method: http.MethodDelete, path: service,
		}),
	)
}

var serviceFields = []field{
	{"image", "image", text, "the container's image"},
	{"container", "container", text, "name of the container; the service's name when absent"},
	{"command", "command", texts, "the container's command, word by word"},
	{"env", "environment", pairs, "NAME=VALUE"},
	{"secret", "secrets", pairs, "NAME=ARN of a value in Secrets Manager or Parameter Store"},
	{"cpu", "cpu", number, "in 1/1024 of a vCPU"},
	{"memory", "memory.limitMiB", number, "hard limit in MiB"},
	{"memory-reservation", "memory.reservationMiB", number, "reservation in MiB"},
	{"port", "ports", ports, "port of the container"},
	{"replicas", "replicas", number, "number of tasks"},
	{"mode", "mode", text, "replicated or global"},
	{"role", "role", text, "ARN of the tasks' IAM role"},
	{"balance-port", "loadBalancer.containerPort", number, "port that the load balancer forwards to"},
	{"host", "loadBalancer.rules.0.hosts", texts, "host name that the load balancer forwards"},
	{"path", "loadBalancer.rules.0.paths", texts, "path that the load balancer forwards, such as /shop/*"},
	{"health-path", "loadBalancer.healthCheckPath", text, "path that the load balancer asks whether a task is healthy"},
	{"namespace", "kubernetes.namespace", text, "namespace on Kubernetes; the cluster's own when absent"},
	{"deadline", "rollout.deadlineSeconds", number, "a release that is not healthy by then is rolled back"},
}
