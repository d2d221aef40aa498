package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

var jobTable = columns("NAME=name CLUSTER=cluster STATUS=status EXIT-CODE=exitCode FAILED=tasksFailed TASK=task " +
	"CREATED=createdAt ENDED=endedAt REASON=statusReason")

func newJobCommand(a *app) *cobra.Command {
	job := func(args []string) string { return at("clusters", args[0], "jobs", args[1]) }
	return group("job", "Jobs: workloads that run once, to their end",
		a.change(change{
			use: "run CLUSTER NAME", short: "Run a job once; the name is the once", arguments: cobra.ExactArgs(2),
			method: http.MethodPut, path: job, table: jobTable, input: &input{fields: jobFields},
		}),
		a.list("list CLUSTER", "List the jobs of a cluster", 1, jobTable,
			func(args []string) string { return at("clusters", args[0], "jobs") }),
		a.get("get CLUSTER NAME", "Show a job, its end and its exit code", 2, jobTable, job),
		a.change(change{
			use: "stop CLUSTER NAME", short: "Stop a job, and remove what one left on its cluster", arguments: cobra.ExactArgs(2),
			method: http.MethodDelete, path: job, table: jobTable,
		}),
	)
}

var jobFields = []field{
	{"image", "image", text, "the container's image"},
	{"container", "container", text, "name of the container; the job's name when absent"},
	{"command", "command", texts, "the container's command, word by word"},
	{"env", "environment", pairs, "NAME=VALUE"},
	{"secret", "secrets", pairs, "NAME=ARN of a value in Secrets Manager or Parameter Store"},
	{"cpu", "cpu", number, "in 1/1024 of a vCPU"},
	{"memory", "memory.limitMiB", number, "hard limit in MiB"},
	{"memory-reservation", "memory.reservationMiB", number, "reservation in MiB"},
	{"role", "role", text, "ARN of the task's IAM role"},
	{"namespace", "kubernetes.namespace", text, "namespace on Kubernetes; the cluster's own when absent"},
	{"retries", "retries", number, "how many more tasks may be tried when one fails"},
	{"deadline", "deadlineSeconds", number, "a job that has not ended by then is stopped"},
}
