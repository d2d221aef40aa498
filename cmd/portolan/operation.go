package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

var (
	operationTable = columns("ID=id KIND=kind CLUSTER=target.cluster SERVICE=target.service POLICY=target.policy JOB=target.job " +
		"STATUS=status CREATED=createdAt REASON=reason LEFT=left")
	auditTable = columns("TIME=time WHO=who WHAT=what SERVICE=service FROM=sourceIp TASK=task.task ERROR=error")
	taskTable  = columns("TASK=task CLUSTER=cluster SERVICE=service JOB=job RELEASE=release COMMIT=commit ROLE=role")
)

func newOperationCommand(a *app) *cobra.Command {
	list := a.list("list", "List the operations on a target, newest first", 0, operationTable,
		func([]string) string { return at("operations") }, "cluster", "service", "policy", "job")
	list.Flags().String("cluster", "", "the cluster")
	list.Flags().String("service", "", "operations on this service")
	list.Flags().String("policy", "", "operations of this scaling policy")
	list.Flags().String("job", "", "operations of this job")
	operation := func(args []string) string { return at("operations", args[0]) }
	return group("operation", "Operations: requested changes, from acceptance to their end",
		a.get("get ID", "Show an operation", 1, operationTable, operation),
		list,
		&cobra.Command{
			Use: "watch ID", Short: "Follow an operation to its end", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				api, err := a.connect(c.Context())
				if err != nil {
					return err
				}
				got, err := api.do(c.Context(), http.MethodGet, operation(args), nil)
				if err != nil {
					return err
				}
				return a.follow(c.Context(), api, got.body)
			},
		},
	)
}

func newAuditCommand(a *app) *cobra.Command {
	list := a.list("list", "List what was done to a cluster on a day, newest first", 0, auditTable,
		func([]string) string { return at("audit") }, "cluster", "service", "day")
	list.Flags().String("cluster", "", "the cluster")
	list.Flags().String("service", "", "records of this service only")
	list.Flags().String("day", "", "the day in UTC, such as 2026-11-23; today when absent")
	return group("audit", "Who did what, when and from where",
		list,
		a.get("task ID", "Tell which service, release and commit a task's role sessions belong to", 1, taskTable,
			func(args []string) string { return at("audit", "tasks", args[0]) }),
	)
}
